"""Batches on a device: the numbers of the workers, in the order of the files. The device is the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autocal_cli.dataset import metrics_device, scan
from autocal_cli.dataset.decode import WorkingImage
from autocal_cli.dataset.metrics import raw_metrics_of_one
from autocal_cli.dataset.metrics_device import measured
from autocal_cli.dataset.model import FileIssue, TrainingCrops
from autocal_cli.dataset.workers import Device

DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images" / "hr"


def image(number: int, shape: tuple[int, int]) -> WorkingImage:
    pixels = np.random.default_rng(number).integers(0, 256, (*shape, 3)).astype(np.uint8)
    return WorkingImage(pixels, pixels, *shape[::-1], path=str(number))


def reads(count: int) -> list[tuple[int, WorkingImage | FileIssue, bool]]:
    """Of two shapes; every fifth is a failure, every seventh is known from the cache, without pixels."""
    none = np.empty((0, 0, 3), np.uint8)
    listed: list[tuple[int, WorkingImage | FileIssue, bool]] = []
    for number in range(count):
        if number % 5 == 4:
            listed.append((number, FileIssue(str(number), "broken"), True))
        elif number % 7 == 6:
            listed.append((number, WorkingImage(none, none, 9, 9, raw=(0.1, 0.2, 3.0)), False))
        else:
            listed.append((number, image(number, (16, 9) if number % 3 else (8, 20)), True))
    return listed


@pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 40])
@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_each_has_its_own_numbers_in_its_place(monkeypatch, count, batch_size):
    monkeypatch.setattr(metrics_device, "BLOCK", 6)
    given = reads(count)
    found = list(measured(given, "cpu", batch_size))
    assert [(file, now) for file, _, now in found] == [(file, now) for file, _, now in given]
    for (_, before, _), (_, after, _) in zip(given, found, strict=True):
        if isinstance(before, WorkingImage) and before.raw is None:
            assert after.raw == raw_metrics_of_one(before.thumbnail)
            assert after.working is before.working
        else:
            assert after is before


@pytest.mark.parametrize("crops", [None, TrainingCrops(30, 16)])
def test_a_scan_whose_workers_do_not_measure_tells_the_same_and_fills_the_cache(monkeypatch, tmp_path, crops):
    """As on an accelerator, where the workers only decode; torch's own name for the CPU stands for one."""
    expected = scan.scan([DEMO], device="cpu", tolerance=None, crops=crops)
    monkeypatch.setattr(scan, "choose_device", lambda *_: Device("cpu:0"))
    found = scan.scan([DEMO], tolerance=None, crops=crops, cache_folder=tmp_path)
    assert (found.metrics, found.device) == (expected.metrics, "cpu:0")
    if crops is None:
        monkeypatch.setattr(scan, "read_image", None)
        assert scan.scan([DEMO], tolerance=None, cache_folder=tmp_path).metrics == expected.metrics
