"""Training crops: places and images by the seed alone, the pixels themselves measured, every draw accounted for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from autocal_cli.dataset.decode import Cut, Wanted, WorkingImage, read_image
from autocal_cli.dataset.health import Ledger
from autocal_cli.dataset.metrics import raw_metrics_of_one
from autocal_cli.dataset.model import TrainingCrops
from autocal_cli.dataset.sampling import drawn, sample_order
from autocal_cli.dataset.scan import scan
from autocal_cli.errors import AutocalError

DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images" / "hr"


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 300), st.integers(), st.integers(0))
def test_a_crop_lies_inside_and_is_as_large_as_can_be(width, height, side, seed, draw):
    left, top, right, bottom = Cut(side, seed, draw).box((width, height))
    assert (right - left, bottom - top) == (min(side, width), min(side, height))
    assert 0 <= left <= right <= width
    assert 0 <= top <= bottom <= height


def test_crops_reach_every_place():
    lefts = Counter(Cut(7, 0, draw).box((11, 7))[0] for draw in range(500))
    assert set(lefts) == set(range(5))
    assert min(lefts.values()) > 60


@given(st.integers(1, 30), st.integers(0, 100), st.integers())
def test_each_epoch_draws_every_image_once(count, draws, seed):
    numbers = list(drawn(count, draws, seed))
    assert len(numbers) == draws
    epochs = [numbers[start : start + count] for start in range(0, draws, count)]
    assert all(len(set(epoch)) == len(epoch) for epoch in epochs)
    assert numbers[:count] == list(sample_order(count, seed)[:draws])


def test_epochs_differ():
    numbers = drawn(50, 100, 0)
    assert list(islice(numbers, 50)) != list(numbers)


def measured(**options):
    """The record without its seconds, and what the scan was told of each crop."""
    ledger = Ledger()
    record = scan([DEMO], device="cpu", on_measured=ledger.take, **options)
    report = ledger.report(replace(record, seconds=0.0))
    return report.fingerprint, report


def test_workers_change_nothing_and_seeds_do():
    crops = TrainingCrops(70, 64)  # more than one block of the sample
    _, one = measured(crops=crops, workers=1)
    for workers, batch_size in ((2, 16), (4, 5)):
        assert measured(crops=crops, workers=workers, batch_size=batch_size)[1] == one
    assert measured(crops=crops, seed=1)[0].metrics != one.fingerprint.metrics


def test_it_is_the_crops_pixels_that_are_measured():
    _, report = measured(crops=TrainingCrops(5, 64), seed=7)
    names = sorted(DEMO.glob("*.png"))
    expected = []
    for draw, number in enumerate(drawn(len(names), 5, 7)):
        image = Image.open(names[number]).convert("RGB")
        crop = image.crop(Cut(64, 7, draw).box(image.size))
        expected.append((str(names[number]), raw_metrics_of_one(np.asarray(crop))))
    assert [(row.facts.path, row.raw) for row in report.rows] == sorted(expected)


def test_crops_over_the_working_size_are_reduced_to_it(tmp_path):
    Image.linear_gradient("L").resize((900, 700)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", Wanted(), Cut(512, 0, 0))
    assert isinstance(image, WorkingImage)
    assert (image.working.shape, image.thumbnail.shape) == ((256, 256, 3), (128, 128, 3))
    assert (image.width, image.height) == (900, 700)


def test_large_jpegs_are_cropped_at_native_size(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg", quality=95)
    cut = Cut(100, 3, 1)
    image = read_image(tmp_path / "a.jpg", Wanted(), cut)
    whole = Image.open(tmp_path / "a.jpg")
    assert np.array_equal(image.working, np.asarray(whole.crop(cut.box(whole.size))))


def test_all_draws_are_told_and_each_image_is_counted_once():
    record, report = measured(crops=TrainingCrops(40, 64))
    assert (record.read, record.found, record.crops) == (12, 12, TrainingCrops(40, 64))
    assert (report.health.images, report.health.exact_duplicates.groups) == (12, ())
    assert sum(report.sharpness.histogram) == 12
    assert sum(report.histograms["edge_density"]) == len(report.rows) == 40
    few, _ = measured(crops=TrainingCrops(5, 64))
    assert (few.read, few.crops) == (5, TrainingCrops(5, 64))


def test_the_interval_is_that_of_endless_crops():
    few, many = (scan([DEMO], device="cpu", crops=TrainingCrops(count, 64)).overall_ci95 for count in (20, 200))
    assert 0 < many[1] - many[0] < 0.5 * (few[1] - few[0])


def test_what_cannot_be_read_is_named_once_however_often_it_is_drawn(tmp_path):
    Image.linear_gradient("L").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    record = scan([tmp_path], device="cpu", crops=TrainingCrops(10, 16))
    assert (record.read, len(record.failures), record.crops) == (1, 1, TrainingCrops(5, 16))
    (tmp_path / "a.png").unlink()
    with pytest.raises(AutocalError, match="none of the 1 image files can be read"):
        scan([tmp_path], device="cpu", crops=TrainingCrops(10, 16))


def test_a_folder_of_broken_links_ends(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(AutocalError, match="broken link"):
        scan([tmp_path], device="cpu", crops=TrainingCrops(10, 16))


def test_crops_are_never_taken_from_the_cache_nor_put_there(tmp_path):
    cache = tmp_path / "cache"
    whole = scan([DEMO], device="cpu", cache_folder=cache)
    crops = scan([DEMO], device="cpu", crops=TrainingCrops(12, 64), cache_folder=cache)
    again = scan([DEMO], device="cpu", cache_folder=cache)
    assert crops.metrics != whole.metrics == again.metrics
