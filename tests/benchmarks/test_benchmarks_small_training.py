"""The small training of the benchmarks: it runs, it repeats itself, it resumes, and faults do what they say."""

from __future__ import annotations

import math

import faults
import pytest
import torch
from small_faults import BrokenLoss
from small_photographs import Photographs
from small_training import WEIGHTS, Fault, SmallTraining, static

STEPS = 4


@pytest.fixture(scope="module")
def photographs() -> Photographs:
    noise = torch.Generator().manual_seed(0)
    images = [torch.randint(256, (3, 60, 64), generator=noise, dtype=torch.uint8) for _ in range(3)]
    return Photographs(images, [images[0].unsqueeze(0) / 255.0])


def training(photographs: Photographs, fault: Fault | None = None, skip: str = "never") -> SmallTraining:
    scheduler = faults.new_scheduler({}, WEIGHTS, STEPS) if skip == "found_inf" else None
    objective = scheduler.total if scheduler else static(WEIGHTS)
    return SmallTraining(photographs, objective, seed=0, skip=skip, scheduler=scheduler, fault=fault)


def test_it_repeats_itself(photographs):
    one, other = (training(photographs).run(STEPS) for _ in range(2))
    assert one == other
    assert len(one.l1) == STEPS
    assert math.isfinite(one.psnr[STEPS])


def test_it_resumes_as_if_nothing_had_happened(photographs):
    whole = training(photographs, skip="found_inf")
    whole.run(STEPS)
    half = training(photographs, skip="found_inf")
    half.run(2)
    resumed = training(photographs, skip="found_inf")
    resumed.load(half.state(2))
    resumed.run(STEPS, first=3)
    assert resumed.trace.l1 == whole.trace.l1[2:]


@pytest.mark.parametrize(("skip", "finite"), [("never", False), ("if finite", True), ("found_inf", True)])
def test_what_is_not_finite_is_skipped(photographs, skip, finite):
    harmed = training(photographs, BrokenLoss("l1", math.nan, at=2), skip)
    harmed.run(STEPS)
    assert harmed.is_finite() is finite


@pytest.mark.parametrize(("late", "expected"), [(1.0, 0), (1.04, 0), (math.nan, None), (1.06, None)])
def test_steps_to_recover(late, expected):
    unharmed = [1.0] * 600
    harmed = [1.0] * 299 + [late] * 301
    assert faults.steps_to_recover(harmed, unharmed) == expected


def test_steps_to_recover_counts_to_the_last_bad_median():
    harmed = [1.0] * 299 + [2.0] * 20 + [1.0] * 281
    assert faults.steps_to_recover(harmed, [1.0] * 600) == 20 + faults.LATEST // 2
