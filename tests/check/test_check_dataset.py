"""The folders that a config names, with real images in them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from autocal_cli.errors import Finding
from autocal_cli.workflow.check import CheckOptions, check_files, find_configs


def config(train: str, scale: int = 2) -> str:
    return (
        f"scale: {scale}\nnetwork_g: {{type: paragonsr2_nano}}\ndatasets:\n  train:\n"
        + "".join(f"    {line}\n" for line in train.splitlines())
        + ("" if "_size" in train else "    lq_size: 8\n")
        + f"    name: Train\n    type: {'pairedimagedataset' if 'lq:' in train else 'singlegtdataset'}\n"
        + "    num_worker_per_gpu: 1\n    batch_size_per_gpu: 4\n"
        + "train:\n  total_iter: 40000\n  losses: [{type: l1loss, loss_weight: 1.0}]\n"
    )


@pytest.fixture
def found(tmp_path: Path):
    """Findings on a config beside `gt` (64 x 64), `lq` (32 x 32), `text` (no image) and `empty`."""
    for name, side in (("gt", 64), ("lq", 32)):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("RGB", (side, side), (number, 90, 30)).save(tmp_path / name / f"{number}.png")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.txt").write_text("no image", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "pairs.txt").write_text("gt/0.png, lq/0.png\n", encoding="utf-8")

    def check(train: str, scale: int = 2) -> tuple[Finding, ...]:
        path = tmp_path / "train.yml"
        path.write_text(config(train, scale), encoding="utf-8")
        run = check_files(find_configs([path]), CheckOptions(network=False))
        assert run.files[0].error is None
        return run.findings

    return check


PAIR = "dataroot_gt: gt\ndataroot_lq: lq\n"


@pytest.mark.parametrize(
    ("train", "codes"),
    [
        (PAIR, []),
        ("dataroot_gt: gt", []),
        ("dataroot_gt: [gt, gt]", []),
        (PAIR + "lq_size: 32", []),
        (PAIR + "lq_size: 33", ["crop-larger-than-images"]),
        (PAIR + "gt_size: 128", ["crop-larger-than-images"]),
        ("dataroot_gt: gt\ndataroot_lq: gone", ["dataset-missing"]),
        ("dataroot_gt: gone\ndataroot_lq: gone_too", ["dataset-missing"]),  # one config of another machine, one finding
        ("dataroot_gt: [gone, gt]", ["dataset-missing"]),
        ("dataroot_gt: empty", ["dataset-unreadable"]),
        ("dataroot_gt: text", ["dataset-unreadable"]),
        ("dataroot_gt: gt\ndataroot_lq: empty", ["dataset-unreadable"]),
        ("dataroot_gt: gt\ndataroot_lq: gt", ["dataset-same-folder"]),
        ("dataroot_gt: gt\ndataroot_lq: ./lq/../gt", ["dataset-same-folder"]),
        ("dataroot_gt: gone\ndataroot_lq: gone", ["dataset-same-folder", "dataset-missing"]),
        ("dataroot_gt: gt\ndataroot_lq: lq\nfilename_tmpl: '{}x2'", ["pairs-template-guessed"]),
    ],
)  # fmt: skip
def test_folders(train: str, codes: list[str], found) -> None:
    assert sorted(finding.code for finding in found(train)) == sorted(codes)


def test_one_root_for_both_is_right_where_a_file_names_the_pairs(found) -> None:
    told = [finding.code for finding in found("dataroot_gt: .\ndataroot_lq: .\nmeta_info: pairs.txt")]
    assert "dataset-same-folder" not in told


def test_a_wrong_scale_shows_in_the_images(found) -> None:
    assert [finding.code for finding in found(PAIR, scale=4)] == ["pairs-scale"]


def test_the_places_are_those_of_the_folders(found) -> None:
    (finding,) = found("dataroot_gt: gt\ndataroot_lq: gone")
    assert (finding.place.line, finding.place.column) == (6, 18)


def test_swapped_folders_are_said_as_swapped(found) -> None:
    swapped = "dataroot_gt: lq\ndataroot_lq: gt\nlq_size: 8"
    assert "pairs-swapped" in [finding.code for finding in found(swapped)]


def test_lq_images_that_are_their_gt_images(found, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "gt", tmp_path / "copy")
    codes = [finding.code for finding in found("dataroot_gt: gt\ndataroot_lq: copy\nlq_size: 8", scale=1)]
    assert "pairs-identical" in codes


@pytest.mark.usefixtures("found")
def test_the_same_images_in_training_and_validation_under_another_name(tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "gt", tmp_path / "copy")
    validation = "  val:\n    name: Val\n    type: singlegtdataset\n    dataroot_gt: copy\n"
    path = tmp_path / "train.yml"
    text = config(PAIR + "lq_size: 8").replace("train:\n  total_iter", f"{validation}train:\n  total_iter")
    path.write_text(text, encoding="utf-8")
    run = check_files(find_configs([path]), CheckOptions(network=False))
    assert "validation-on-training-data" in [finding.code for finding in run.findings]
