"""What the rules do to a value: which way, how far at most, and never out of bounds."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autocal_cli.calibration.model import WHOLE_NUMBERS, Calibration, DatasetScores, Number, Presets

VARIANTS = ("nano", "micro", "tiny", "xs", "s", "m", "l", "xl")
SIZES = st.integers(1, 10**10)
RUNS = st.integers(1, 10**8)
BATCHES = st.integers(1, 4096)
SCORES = st.floats(0.0, 1.0)


def values(calibration: Calibration) -> dict[str, Number]:
    return {name: parameter.value for name, parameter in calibration.parameters.items()}


@given(variant=st.sampled_from(VARIANTS), score=SCORES, batch=BATCHES, total=RUNS, adversarial=st.booleans())
@settings(max_examples=200, deadline=None)
def test_every_value_is_one_that_the_schedule_can_run_with(
    variant: str,
    score: float,
    batch: int,
    total: int,
    adversarial: bool,
    calibrated: Callable[..., Calibration],
    measured: Callable[..., DatasetScores],
    presets: Presets,
) -> None:
    found = values(
        calibrated(variant, dataset=measured(score, 0.02), batch_size=batch, total_iter=total, adversarial=adversarial)
    )
    assert all(math.isfinite(value) and value > 0 for value in found.values())
    assert found["momentum"] < 1
    assert found["baseline_iterations"] <= max(1, total * 0.05)
    for name, value in found.items():
        assert presets.bounds[name].low <= value <= presets.bounds[name].high
        assert isinstance(value, int) == (name in WHOLE_NUMBERS)


@given(parameters=SIZES, score=SCORES, batch=BATCHES, total=RUNS, adversarial=st.booleans())
@settings(max_examples=200, deadline=None)
def test_so_is_every_value_between_the_presets_and_beyond_them(
    parameters: int,
    score: float,
    batch: int,
    total: int,
    adversarial: bool,
    calibrated: Callable[..., Calibration],
    measured: Callable[..., DatasetScores],
    presets: Presets,
) -> None:
    found = values(
        calibrated(
            None, parameters, dataset=measured(score), batch_size=batch, total_iter=total, adversarial=adversarial
        )
    )
    assert all(presets.bounds[name].low <= value <= presets.bounds[name].high for name, value in found.items())
    assert found["baseline_iterations"] <= max(1, total * 0.05)


@pytest.mark.parametrize("variant", VARIANTS)
def test_where_nothing_is_unusual_the_preset_stands(
    variant: str, calibrated: Callable[..., Calibration], presets: Presets
) -> None:
    preset = next(preset for preset in presets.presets if preset.variant == variant)
    assert values(calibrated(variant)) == {**preset.values, "fidelity_budget": presets.budgets[2]}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("name", "sign"), [("momentum", 1), ("adaptation_rate", -1), ("adaptation_threshold", 1)])
def test_complex_images_make_it_steadier_and_simple_ones_quicker(
    variant: str,
    name: str,
    sign: int,
    calibrated: Callable[..., Calibration],
    measured: Callable[..., DatasetScores],
) -> None:
    by_score = [values(calibrated(variant, dataset=measured(step / 20)))[name] * sign for step in range(21)]
    assert by_score == sorted(by_score)
    assert by_score[0] < by_score[10] < by_score[20]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["momentum", "baseline_iterations"])
def test_smaller_steps_are_averaged_over_more_of_them(
    variant: str, name: str, calibrated: Callable[..., Calibration]
) -> None:
    by_batch = [values(calibrated(variant, batch_size=batch))[name] for batch in (1024, 64, 32, 16, 8, 4, 2, 1)]
    assert by_batch == sorted(by_batch)
    assert by_batch[0] < by_batch[3] < by_batch[-1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_adversarial_loss_makes_it_less_sensitive_and_leaves_room_to_raise(
    variant: str, calibrated: Callable[..., Calibration]
) -> None:
    without, within = values(calibrated(variant)), values(calibrated(variant, adversarial=True))
    assert within["adaptation_threshold"] == pytest.approx(1.5 * without["adaptation_threshold"])
    assert within["max_weight"] == max(30.0, without["max_weight"])
    changed = {name for name in without if without[name] != within[name]}
    assert changed - {"max_weight"} == {"adaptation_threshold"}


@pytest.mark.parametrize(("name", "sign"), [("adaptation_rate", -1), ("baseline_iterations", 1)])
def test_a_longer_run_goes_in_smaller_steps_from_a_longer_baseline(
    name: str, sign: int, calibrated: Callable[..., Calibration]
) -> None:
    runs = (1, 50, 1_000, 9_000, 40_000, 100_000, 10**6, 10**9, 10**400)
    by_length = [values(calibrated("m", total_iter=total))[name] * sign for total in runs]
    assert by_length == sorted(by_length)
    assert by_length[0] < by_length[4] < by_length[-1]


def test_no_rule_rests_on_nothing_but_a_choice(presets: Presets) -> None:
    assert [rule.code for rule in presets.rules if rule.source == "chosen, untested"] == []


# (time constant 1 / (1 - momentum) of nano is 6.67 steps; x1.25 for the most complex data: 8.33)
@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("momentum", {"score": 1.0}, 0.88),
        ("momentum", {"score": 0.0}, 0.812),
        ("momentum", {"batch_size": 1}, 0.9),
        ("momentum", {"batch_size": 8}, 0.874),
        ("adaptation_rate", {"score": 1.0}, 0.012),
        ("adaptation_rate", {"total_iter": 10_000}, 0.0225),
        ("adaptation_rate", {"total_iter": 400_000}, 0.0105),
        ("baseline_iterations", {"total_iter": 10_000}, 25),
        ("baseline_iterations", {"total_iter": 100_000}, 75),
        ("baseline_iterations", {"total_iter": 990}, 25),
        ("baseline_iterations", {"total_iter": 90}, 4),
        ("baseline_iterations", {"total_iter": 30}, 1),
        ("baseline_iterations", {"total_iter": 1}, 1),
    ],
)
def test_what_nano_comes_to(
    name: str,
    change: dict[str, int],
    expected: Number,
    calibrated: Callable[..., Calibration],
    measured: Callable[..., DatasetScores],
) -> None:
    known = {key: value for key, value in change.items() if key != "score"}
    dataset = measured(change["score"]) if "score" in change else None
    assert values(calibrated("nano", dataset=dataset, **known))[name] == expected


@pytest.mark.parametrize(("batch", "told"), [(1, "1 image a step"), (2, "2 images a step")])
def test_a_batch_of_one_is_one_image(batch: int, told: str, calibrated: Callable[..., Calibration]) -> None:
    reasons = {step.short for one in calibrated("m", batch_size=batch).parameters.values() for step in one.trail}
    assert told in reasons
