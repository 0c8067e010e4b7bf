"""What is read of the `datasets` mapping."""

from __future__ import annotations

import pytest

from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.model import DatasetSection


def sections(text: str) -> tuple[DatasetSection, ...]:
    return read_training_config(parse_document(f"scale: 4\ntrain: {{}}\n{text}".encode(), "train.yml")).datasets


def test_each_set_is_read_with_its_places():
    train, val = sections(
        "datasets:\n  train:\n    dataroot_gt: [a, b]\n    dataroot_lq: c\n    filename_tmpl: '{}x4'\n    lq_size: 32\n"
        "    meta_info: m.txt\n  val_2: {dataroot_lq: ~}\n"
    )
    assert (train.name, train.trains, val.name, val.trains) == ("train", True, "val_2", False)
    assert [(root.path, root.key, root.place.line) for root in (*train.gt, *train.lq)] == [
        ("a", "datasets.train.dataroot_gt", 5),
        ("b", "datasets.train.dataroot_gt", 5),
        ("c", "datasets.train.dataroot_lq", 6),
    ]
    assert train.meta_info is not None
    assert (train.meta_info.path, train.filename_tmpl, train.gt_size) == ("m.txt", "{}x4", 128)
    assert train.crop_place is not None
    assert train.crop_place.line == 8
    assert val == DatasetSection("val_2")


@pytest.mark.parametrize(
    ("keys", "gt_size"),
    [
        ("gt_size: 256", 256),
        ("lq_size: 64", 256),
        ("gt_size: 128, lq_size: 64", 128),
        ("gt_size: ~, lq_size: 64", 256),
        ("gt_size: true", None),
        ("lq_size: 0", None),
        ("lq_size: many", None),
        ("meta_info_file: m.txt", None),
    ],
)
def test_crop_counts_in_gt_pixels(keys, gt_size):
    assert sections(f"datasets: {{train: {{{keys}}}}}")[0].gt_size == gt_size


@pytest.mark.parametrize("text", ["", "datasets: ~", "datasets: [a]", "datasets: {train: ~, val: x}"])
def test_what_is_no_set_is_left_out(text):
    assert sections(text) == ()
