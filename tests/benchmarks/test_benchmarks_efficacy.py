"""The efficacy benchmark: methods do what their formulas say, measures know the answers, finished runs are kept."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import efficacy
import efficacy_measures
import numpy as np
import pytest
import torch
from efficacy_losses import LOSS_SETS, ms_ssim
from efficacy_measures import high_frequency_energy, psnr, ssim
from efficacy_methods import METHODS
from efficacy_methods.dwa import balanced
from efficacy_methods.existing import BASELINE, RATE, ExistingRule
from efficacy_methods.softadapt import adapted
from efficacy_methods.task import Task
from efficacy_methods.variations import VARIATIONS
from efficacy_plan import SMALL, Outcomes, changed
from efficacy_run import Outcome, Setting, bicubic, one_run
from efficacy_table import Group, groups, markdown, noise_between, table, where_autocal_loses
from efficacy_table import psnr as psnr_of
from lpips_weights import lpips, read_weights
from PIL import Image
from small_photographs import Photographs
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from autocal_cli.runtime import host_engine, schedule
from autocal_cli.runtime import scheduler as scheduler_module

SETTING = Setting("l1+feature+gan", "nano", 2, "static", 1.0, 0, steps=5, low_side=16, batch=2)
OUTCOME = Outcome(29.0, 0.9, 0.2, 0.1, 0.7, 0.3, False, 12.0)


@pytest.fixture(scope="module")
def photographs() -> Photographs:
    noise = torch.Generator().manual_seed(0)
    images = [torch.randint(256, (3, 64, 70), generator=noise, dtype=torch.uint8) for _ in range(3)]
    return Photographs(images, [images[0].unsqueeze(0) / 255.0])


@pytest.fixture(autouse=True)
def _little_schooling(monkeypatch):
    monkeypatch.setattr(efficacy_measures, "CLASSIFIER_STEPS", 2)
    monkeypatch.setattr(efficacy_measures, "CLASSIFIER_TESTS", 2)


def task(weights: dict[str, float]) -> Task:
    types = {"a": "L1Loss", "b": "PerceptualLoss"}
    return Task(weights, types, {"a": 0.25, "b": 0.75}, "paragonsr2_nano", 2, 8, 100)


def two_losses(output: Tensor) -> dict[str, Tensor]:
    """Gradients at the output: 1 everywhere and 10 everywhere."""
    return {"a": output.sum(), "b": 10.0 * output.sum()}


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_gives_something_to_minimise_and_stays_finite(method, photographs):
    outcome = one_run(replace(SETTING, method=method), photographs, torch.device("cpu"))
    assert math.isfinite(outcome.psnr)
    assert 0.0 <= outcome.told_apart <= 1.0
    assert 0.0 < outcome.wrong_share < 1.0


def test_a_run_repeats_itself_but_for_the_time(photographs):
    one, other = (one_run(SETTING, photographs, torch.device("cpu")) for _ in range(2))
    assert replace(one, step_ms=0.0) == replace(other, step_ms=0.0)


def test_static_and_balancer_differ_in_whose_scale_counts():
    output = torch.ones(2, 3, 4, 4, requires_grad=True)
    for method, expected in (("static", 1.0 + 10.0), ("balancer", 1.0 / math.sqrt(48))):
        total = METHODS[method](task({"a": 1.0, "b": 1.0}))(two_losses(output), 1, output)
        (gradient,) = torch.autograd.grad(total, output)
        assert gradient.flatten().tolist() == pytest.approx([expected] * output.numel())


def test_gradnorm_draws_the_norms_together():
    output = torch.ones(2, 3, 4, 4, requires_grad=True)
    method = METHODS["GradNorm"](task({"a": 1.0, "b": 1.0}))
    for iteration in range(1, 200):
        method(two_losses(output), iteration, output)
    small, large = method.multipliers.tolist()  # type: ignore[attr-defined]
    assert small + large == pytest.approx(2.0)
    assert small / large == pytest.approx(10.0, rel=0.3)


def test_the_existing_rule_never_leaves_one_by_more_than_twice_its_rate():
    rule = ExistingRule(task({"a": 1.0, "b": 1.0}))
    output = torch.zeros(())
    for iteration in range(1, BASELINE + 1):
        rule({"a": torch.tensor(1.0), "b": torch.tensor(1.0)}, iteration, output)
    assert rule.multiplier("a", 1.0) == 1.0
    assert rule.multiplier("b", 100.0) == pytest.approx(1.0 - 2.0 * RATE)
    assert ExistingRule(task({"a": 1.0})).change == {"a": 0.0}


def test_dwa_and_softadapt_favour_the_loss_that_falls_least():
    multipliers = balanced({"a": 1.0, "b": 1.0}, {"a": 0.5, "b": 1.0})
    assert multipliers["b"] / multipliers["a"] == pytest.approx(math.exp(0.5 / 2.0))
    assert sum(multipliers.values()) == pytest.approx(2.0)
    falls = adapted([{"a": 2.0, "b": 1.0}, {"a": 1.0, "b": 1.0}])
    assert falls["b"] / falls["a"] == pytest.approx(math.exp(0.1) / 1.5)


def test_measures_of_images_whose_answer_is_known():
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert ssim(image, image) == pytest.approx(1.0)
    assert ms_ssim(image, image).item() == pytest.approx(1.0)
    assert ms_ssim(image, 1.0 - image).item() < 0.1
    assert psnr(image, image + 0.1, 2) == pytest.approx(20.0, abs=1e-3)
    flat, checks = torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    checks[..., ::2, ::2] = checks[..., 1::2, 1::2] = 1.0  # at the highest frequency there is
    blurred = F.avg_pool2d(F.pad(checks, (1, 1, 1, 1), mode="reflect"), 3, 1)  # leaves a ninth of it
    assert high_frequency_energy(flat, 2) == 0.0
    assert high_frequency_energy(checks, 2) / high_frequency_energy(blurred, 2) == pytest.approx(81.0, rel=1e-3)


def weights_of_one_channel() -> list[tuple[Tensor, Tensor, Tensor]]:
    """Five layers that hand on the mean of the channels: what LPIPS makes of them can be said beforehand."""
    first, later = torch.full((1, 3, 11, 11), 1 / 363), torch.ones(1, 1, 1, 1)
    return [(kernel, torch.ones(1), torch.ones(1, 1, 1, 1)) for kernel in (first, later, later, later, later)]


def test_lpips_of_equal_images_is_nothing_and_of_one_channel_too():
    image = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    weights = weights_of_one_channel()
    assert lpips(image, image, weights) == 0.0
    assert lpips(image, 1.0 - image, weights) == pytest.approx(0.0, abs=1e-6)  # all features of length 1 are alike


def test_weights_are_read_from_arrays_and_nothing_else(tmp_path):
    arrays = {"AlexNet_0": {}, **{f"NetLinLayer_{k}": {} for k in range(5)}}
    for k in range(5):
        kernel = np.full((1, 1, 1, 2), k, dtype=np.float32)
        arrays["AlexNet_0"][f"Conv_{k}"] = {"kernel": kernel, "bias": np.zeros(2, np.float32)}
        arrays[f"NetLinLayer_{k}"]["Conv_0"] = {"kernel": np.ones((1, 1, 2, 1), np.float32)}
    path = tmp_path / "weights.ckpt"
    path.write_bytes(pickle.dumps(arrays, protocol=3).replace(b"numpy._core", b"numpy.core"))
    assert [tuple(kernel.shape) for kernel, _, _ in read_weights(path)] == [(2, 1, 1, 1)] * 5
    path.write_bytes(pickle.dumps(print, protocol=3))
    with pytest.raises(pickle.UnpicklingError, match="should not stand in a file of arrays"):
        read_weights(path)


def test_outcomes_are_kept_and_a_torn_row_is_made_again(tmp_path):
    path = tmp_path / "runs.csv"
    kept = Outcomes(path)
    kept.add(SETTING, OUTCOME)
    kept.add(replace(SETTING, seed=1), replace(OUTCOME, psnr=math.nan, diverged=True))
    again = Outcomes(path)
    assert again.rows[SETTING] == OUTCOME
    assert again.rows[replace(SETTING, seed=1)].diverged
    torn = path.read_text(encoding="utf-8").rstrip()[:-30]
    path.write_text(torn, encoding="utf-8")
    assert list(Outcomes(path).rows) == [SETTING]


def test_a_plan_takes_what_the_command_line_gives():
    plan = changed(SMALL, methods=["static"], seeds=1, factors=[1.0], losses=None)
    assert len(plan.settings()) == len(LOSS_SETS)
    assert {setting.method for setting in plan.settings()} == {"static"}


def group() -> Group:
    found = {"static": {1.0: 30.0, 100.0: 28.0}, "autocal": {1.0: 30.0, 100.0: 29.5}, "DWA": {1.0: 31.0, 100.0: 28.0}}
    rows = {
        replace(SETTING, method=method, factor=factor, seed=seed): replace(OUTCOME, psnr=mean + 0.1 * (-1) ** seed)
        for method, means in found.items()
        for factor, mean in means.items()
        for seed in (0, 1)
    }
    return groups(rows)[0]


def test_the_table_says_what_a_wrong_weight_costs_and_where_autocal_loses():
    found = group()
    assert found.cell("static", 1.0, lambda outcome: outcome.psnr).mean == pytest.approx(30.0)
    assert found.spread("static", lambda outcome: outcome.psnr) == pytest.approx(2.0)
    assert found.lost("autocal", 100.0) == pytest.approx(0.25)
    assert math.isnan(found.lost("autocal", 1.0))
    # t(0.975, 3) = 3.182; each of three methods has the deviation 0.1 sqrt(2)
    assert found.half_width(lambda outcome: outcome.psnr, 1.0) == pytest.approx(3.182 * 0.1, rel=1e-3)
    expected = "l1+feature+gan, nano x2, weight x1, PSNR: DWA 31.000 (autocal 30.000)"
    assert where_autocal_loses([found]) == [expected]
    shown = markdown(found.title, table(found, replace(OUTCOME, psnr=28.5)))
    assert "| static | 30.00 ±0.32 | 28.00 ±0.32 | 2.00 | 1.00 |" in shown
    assert "| bicubic | 28.50 | 28.50 | - | - |" in shown
    assert "| 95% | - | - | - | - | ±0.000 |" in shown


def test_with_seeds_enough_a_method_is_judged_by_its_own_scatter():
    rows = {}
    for seed in range(4):
        for method, swing in (("autocal", 0.01), ("static", 1.0)):
            outcome = replace(OUTCOME, psnr=30.0 + swing * (-1) ** seed)
            rows[replace(SETTING, method=method, seed=seed)] = outcome
    calm, wild = (groups(rows)[0].cell(method, 1.0, psnr_of) for method in ("autocal", "static"))
    # t(0.975, 3) = 3.182; the deviation of +-x, four times, is 2x / sqrt(3)
    assert calm.half_width == pytest.approx(3.182 * 0.02 / math.sqrt(3) / 2, rel=1e-3)
    assert wild.half_width == pytest.approx(100 * calm.half_width)
    assert noise_between(calm, wild) == pytest.approx(wild.half_width, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"lpips": 0.05}, "LPIPS: DWA 0.050 (autocal 0.100)"),
        ({"high_frequency": 0.5}, "detail: DWA 0.500 (autocal 0.200)"),
        ({"high_frequency": 1.9}, None),  # too much of it, and farther from 1
        ({"told_apart": 0.6}, "told apart: DWA 0.600 (autocal 0.700)"),
        ({"ssim": 0.8}, None),
    ],
)
def test_every_measure_knows_which_way_is_better(change, expected):
    rows = {replace(SETTING, method="autocal"): OUTCOME, replace(SETTING, method="DWA"): replace(OUTCOME, **change)}
    place = "l1+feature+gan, nano x2, weight x1, "
    assert where_autocal_loses(groups(rows)) == ([place + expected] if expected else [])


@pytest.mark.parametrize("name", list(VARIATIONS))
def test_every_variation_of_the_defaults_leaves_the_defaults_as_they_were(name):
    before = schedule.PROBES_ADVERSARIAL, scheduler_module.GUARD_SLEW, host_engine.drift_signal
    method = VARIATIONS[name](task({"a": 1.0, "b": 1.0}))
    output = torch.ones(2, 3, 4, 4, requires_grad=True)
    totals = [method(two_losses(output), iteration, output).item() for iteration in range(1, 8)]
    assert totals == pytest.approx([11.0 * 96.0] * 7)  # nothing moves yet, so nothing is scaled
    assert (schedule.PROBES_ADVERSARIAL, scheduler_module.GUARD_SLEW, host_engine.drift_signal) == before


@pytest.mark.parametrize(("name", "sign"), [("free", -1), ("free, exponent -1", 1), ("no drift", 0)])
def test_the_drift_goes_with_the_gradient_or_against_it(name, sign):
    """After the baseline the second loss pulls twice as hard: the drift takes from it what it gained, or adds to it."""
    method = VARIATIONS[name](task({"a": 1.0, "b": 1.0}))
    output = torch.ones(2, 3, 4, 4, requires_grad=True)
    for iteration in range(1, 61):
        method(two_losses(output), iteration, output)
    for iteration in range(61, 90):
        raw = {"a": output.sum(), "b": 20.0 * output.sum()}
        total = method(raw, iteration, output).item()
    difference = total / 96.0 - 21.0
    assert abs(difference) < 1e-3 if sign == 0 else math.copysign(1.0, difference) == sign


def test_bicubic_is_measured_as_the_networks_are(photographs):
    found = bicubic(photographs, 2)
    assert 5.0 < found.psnr < 15.0  # noise
    assert 0.0 < found.high_frequency < 1.0


def test_the_report_writes_its_tables_pictures_and_page(tmp_path):
    outcomes = Outcomes(tmp_path / "runs.csv")
    for setting, outcome in group().rows.items():
        outcomes.add(setting, outcome)
    plan = changed(SMALL, methods=["static", "autocal", "DWA"], factors=[1.0, 100.0], losses=["l1+feature+gan"])
    for number in range(2):
        noise = np.random.default_rng(number).integers(256, size=(64, 70, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    efficacy.report(outcomes, replace(plan, steps=5, batch=2), tmp_path, tmp_path)
    assert (tmp_path / "l1-feature-gan-nano-x2.png").read_bytes().startswith(b"\x89PNG")
    assert "lost x100" in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert "data:image/png;base64," in (tmp_path / "efficacy.html").read_text(encoding="utf-8")
