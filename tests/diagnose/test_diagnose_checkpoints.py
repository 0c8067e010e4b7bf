"""Which checkpoint is kept, which cannot be told from it, and since when nothing is gained."""

from __future__ import annotations

import random

import pytest
from run_logs import run_log

from autocal_cli.diagnose.checkpoints import judge_checkpoints, metric_series
from autocal_cli.diagnose.model import Checkpoint, MetricSeries, RunLog
from autocal_cli.diagnose.verdict import diagnose
from autocal_cli.diagnose.view import noise_of


def with_files(metrics: dict[str, list[float]], adversarial: bool = False, every: int = 1_000) -> RunLog:
    """A run of 20,000 iterations with a validation and a checkpoint every 1,000."""
    tracks = {"l_g_pix": [0.02] * 200} | ({"l_g_gan": [0.003 + i * 1e-6 for i in range(200)]} if adversarial else {})
    files = tuple(Checkpoint(at, f"net_g_{at}.pth") for at in range(every, 20_001, every))
    return run_log(tracks, metrics=metrics, checkpoints=files)


def scatter(values: list[float], noise: float, seed: int = 0) -> list[float]:
    draw = random.Random(seed)
    return [value + draw.gauss(0.0, noise) for value in values]


RISING = [27.0 + i / 10 for i in range(20)]
PEAK = [27.0 + i / 10 if i < 10 else 28.8 - i / 10 for i in range(20)]


@pytest.mark.parametrize(
    ("metrics", "adversarial", "kept", "reason"),
    [
        ({"psnr": RISING}, False, 20_000, "best by psnr"),
        ({"psnr": PEAK}, False, 10_000, "best by psnr"),
        ({"psnr": PEAK, "ssim": [value / 40 for value in PEAK]}, False, 10_000, "best by psnr, ssim"),
        ({"lpips": [0.3 - value / 100 for value in PEAK]}, True, 10_000, "best by lpips"),
        ({"psnr": RISING, "lpips": [0.3 - value / 100 for value in PEAK]}, True, 10_000, "best by lpips"),
        ({"topiq": PEAK, "dists": [0.3 - value / 100 for value in PEAK]}, True, 10_000, "best by topiq, dists"),
        ({"psnr": list(reversed(RISING))}, True, 20_000, "the newest; no perceptual metric"),
        ({}, False, 20_000, "the newest; no validation metric"),
    ],
)
def test_the_one_to_keep(metrics, adversarial, kept, reason):
    found = diagnose(with_files(metrics, adversarial))
    assert found.keep is not None
    assert (found.keep.checkpoint.iteration, found.keep.reason.startswith(reason)) == (kept, True)


def test_a_checkpoint_without_a_validation_beside_it_is_kept_as_the_newest():
    log = run_log({"l_pix": [0.02] * 25}, metrics={"psnr": [27.0, 28.0]}, checkpoints=(Checkpoint(1_750),))
    keep = diagnose(log).keep
    assert keep is not None
    assert (keep.checkpoint.iteration, keep.reason) == (1_750, "the newest; it was not validated")


def test_none_from_after_the_first_fault_is_kept():
    log = with_files({"psnr": RISING})
    judged, keep = judge_checkpoints(log, metric_series(log.validations), sound_until=7_500)
    assert keep is not None
    assert keep.checkpoint.iteration == 7_000
    assert len(judged) == 20
    assert judge_checkpoints(log, metric_series(log.validations), sound_until=500)[1] is None


def test_what_the_noise_hides_is_told_as_tied():
    level = [27.0] * 4 + [28.0] * 16
    found = diagnose(with_files({"psnr": scatter(level, 0.05)}))
    tied = {one.iteration for one in found.checkpoints if one.tied}
    assert found.keep is not None
    assert found.keep.checkpoint.iteration not in tied
    assert tied.isdisjoint({1_000, 2_000, 3_000})
    assert len(tied) >= 8


def test_the_front_holds_the_checkpoints_that_none_beats():
    a = [1.0 + i for i in range(20)]
    b = list(reversed(a))
    both = diagnose(with_files({"musiq": a, "clipiqa": b}))
    assert all(one.pareto for one in both.checkpoints)
    one = diagnose(with_files({"musiq": a, "clipiqa": a}))
    assert [found.iteration for found in one.checkpoints if found.pareto] == [20_000]


@pytest.mark.parametrize("values", [[0.95] * 20, [0.95, 0.9501] * 3 + [0.95] * 14])
def test_the_noise_is_at_least_that_of_the_last_decimal(values):
    decimals = max(len(repr(value).partition(".")[2]) for value in values)
    assert (noise_of(values) or 0.0) >= 10.0**-decimals / 12**0.5 * 0.999


def test_a_file_that_is_saved_when_a_run_is_stopped_has_the_metrics_of_the_validation_just_before():
    files = tuple(Checkpoint(at, f"{at}.pth") for at in (1_000, 19_000, 20_059, 20_500))
    log = run_log({"l_pix": [0.02] * 200}, metrics={"psnr": [27.0 + i for i in range(20)]}, checkpoints=files)
    found = diagnose(log)
    assert [bool(one.metrics) for one in found.checkpoints] == [True, True, True, False]
    assert found.keep is not None
    assert found.keep.checkpoint.iteration == 20_059


@pytest.mark.parametrize(
    ("gone", "kept", "told"),
    [
        ((), 3_000, False),
        ((3_000,), 2_000, True),
        ((1_000,), 3_000, False),
        ((1_000, 2_000, 3_000, 4_000), 3_000, False),
    ],
)
def test_of_the_files_that_are_still_there_the_best_is_kept_and_a_better_one_that_is_gone_is_told(gone, kept, told):
    files = tuple(Checkpoint(at, str(at), at not in gone) for at in (1_000, 2_000, 3_000, 4_000))
    psnr = scatter([20.0, 23.0, 26.0, 28.0, 29.0, 30.0, 28.0, 26.0], 0.01)
    found = diagnose(run_log({"l_pix": [0.02] * 40}, metrics={"psnr": psnr}, checkpoints=files))
    assert found.keep is not None
    assert (found.keep.checkpoint.iteration, "3,000 was better" in found.keep.reason) == (kept, told)


def test_the_newest_of_a_gan_that_is_gone_is_not_called_better():
    files = tuple(Checkpoint(at, str(at), at < 3_000) for at in (1_000, 2_000, 3_000, 4_000))
    log = run_log({"l_g_gan": [0.02] * 40}, metrics={"psnr": scatter([28.0] * 8, 0.01)}, checkpoints=files)
    keep = diagnose(log).keep
    assert keep is not None
    assert (keep.checkpoint.iteration, "better" in keep.reason) == (2_000, False)


def test_the_newest_is_kept_by_iteration_and_file_where_nothing_was_validated():
    log = run_log({"l_pix": [0.02] * 50}, checkpoints=(Checkpoint(2_000, "a"), Checkpoint(5_000, "net_g_latest.pth")))
    found = diagnose(log)
    assert found.keep is not None
    assert (found.keep.checkpoint.iteration, found.keep.checkpoint.path) == (5_000, "net_g_latest.pth")
    (text,) = [line.text for line in found.lines if line.topic == "checkpoint"]
    assert text.startswith("keep 5,000 (net_g_latest.pth), ")


@pytest.mark.parametrize("noise", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("slope", [0.0, 0.05])
def test_the_noise_is_found_whatever_the_trend(noise, slope):
    estimates = [noise_of(scatter([slope * noise * i for i in range(40)], noise, seed)) or 0.0 for seed in range(40)]
    assert 0.8 * noise < sum(estimates) / len(estimates) < 1.2 * noise


def test_too_few_validations_have_no_noise():
    assert noise_of([1.0, 2.0, 3.0, 4.0, 5.0]) is None


@pytest.mark.parametrize(
    ("values", "flat", "worse"),
    [
        ([27.0 + i / 10 for i in range(30)], False, False),
        ([27.0 + min(i, 10) / 10 for i in range(30)], True, False),
        ([27.0 + (i / 10 if i < 10 else (20 - i) / 10) for i in range(30)], True, True),
        ([28.0] * 30, True, False),
    ],
)
def test_flat_and_worse(values, flat, worse):
    (series,) = metric_series(run_log({"l_pix": [0.02] * 30}, metrics={"psnr": scatter(values, 0.02)}).validations)
    assert (series.flat_since() is not None or worse) == flat
    assert (series.worse_since(0.1) is not None) == worse


@pytest.mark.parametrize(
    ("noise", "shown"), [(None, "30.02"), (0.0, "30.02"), (0.0011, "30.015"), (0.042, "30.02"), (3.0, "30")]
)
def test_a_metric_is_shown_to_the_first_decimal_of_its_noise(noise, shown):
    assert MetricSeries("val", "psnr", 1.0, noise, (), (), ()).shown(30.01535) == shown
