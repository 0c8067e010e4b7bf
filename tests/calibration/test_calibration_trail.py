"""The trail of a value: a chain without a gap from the preset to the value, and what it says on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autocal_cli.calibration.model import PARAMETERS, Calibration, DatasetScores
from autocal_cli.config.model import KeyPath, Value

BY_HAND: dict[str, st.SearchStrategy[Value]] = {
    "momentum": st.floats(0, 0.999),
    "adaptation_rate": st.floats(1e-9, 1),
    "adaptation_threshold": st.floats(0, 10),
    "min_weight": st.floats(1e-12, 1),
    "max_weight": st.integers(1, 1000),
    "baseline_iterations": st.integers(1, 10**6),
    "fidelity_budget": st.floats(0.01, 3),
}


@given(
    parameters=st.integers(1, 10**9),
    score=st.none() | st.floats(0, 1),
    total_iter=st.none() | st.integers(1, 10**8),
    batch_size=st.none() | st.integers(1, 4096),
    adversarial=st.booleans(),
    by_hand=st.fixed_dictionaries({}, optional=BY_HAND),
)
@settings(max_examples=150, deadline=None)
def test_each_step_starts_where_the_one_before_ended(
    parameters: int,
    score: float | None,
    total_iter: int | None,
    batch_size: int | None,
    adversarial: bool,
    by_hand: dict[str, Value],
    calibrated: Callable[..., Calibration],
    measured: Callable[..., DatasetScores],
) -> None:
    calibration = calibrated(
        None,
        parameters,
        dataset=None if score is None else measured(score, 0.02),
        total_iter=total_iter,
        batch_size=batch_size,
        adversarial=adversarial,
        values={"enabled": True, **by_hand},
    )
    assert tuple(calibration.parameters) == PARAMETERS
    for name, parameter in calibration.parameters.items():
        trail = parameter.trail
        assert trail[0].before is None
        assert [step.before for step in trail[1:]] == [step.after for step in trail[:-1]]
        assert trail[-1].after == parameter.value
        assert all(step.code and step.source and step.reason for step in trail)
        assert parameter.manual == (name in by_hand)
        if name in by_hand:
            assert parameter.value == by_hand[name]


@given(settings_=st.fixed_dictionaries({}, optional={(name,): value for name, value in BY_HAND.items()}))
@settings(max_examples=30, deadline=None)
def test_a_setting_wins_over_the_block_as_the_block_wins_over_the_rules(
    settings_: dict[KeyPath, Value], calibrated: Callable[..., Calibration]
) -> None:
    in_block: dict[str, Value] = {"momentum": 0.5, "max_weight": 7.0}
    found = calibrated(values=in_block, settings=settings_).parameters
    for name in PARAMETERS:
        if (name,) in settings_:
            assert found[name].value == settings_[name,]
        elif name in in_block:
            assert found[name].value == in_block[name]
        else:
            assert not found[name].manual


def reasons(calibration: Calibration, name: str) -> dict[str, str]:
    return {step.code: step.reason for step in calibration.parameters[name].trail}


def test_neutral_data_leave_the_values_and_say_so(calibrated: Callable[..., Calibration]) -> None:
    calibration = calibrated(dataset=None)
    for name in ("momentum", "adaptation_rate", "adaptation_threshold"):
        step = calibration.parameters[name].trail[1]
        assert step.code.startswith("complexity-")
        assert step.before == step.after
        assert step.reason == "The dataset was not measured and counts as neutral, 0.5: this stays as it is."
    assert set(calibration.dataset_info.values()) == {0.5}


def test_what_the_config_does_not_say_changes_nothing_and_is_said(calibrated: Callable[..., Calibration]) -> None:
    calibration = calibrated(total_iter=None, batch_size=None)
    assert calibration.parameters["baseline_iterations"].value == 50
    told = reasons(calibration, "baseline_iterations")
    assert told["length-baseline"] == "The config does not say how long the run is: this stays as it is."
    assert told["batch-baseline"] == "The config does not say the batch size: this stays as it is."
    assert [finding.code for finding in calibration.findings] == ["length-unknown"]


@pytest.mark.parametrize(
    ("scores", "complexity", "told"),
    [
        ({"texture_variance": 0.7, "edge_density": 0.6, "color_variation": 0.8}, 0.70, "0.70, given by hand"),
        ({"edge_density": 0.9}, 0.66, "0.66, partly given by hand"),
        ({"overall_complexity": 0.2}, 0.20, "0.20, given by hand"),
        ({"texture_variance": 1, "edge_density": 1, "color_variation": 1}, 1.0, "1.00, given by hand"),
    ],
)
def test_scores_by_hand(
    scores: dict[str, Value], complexity: float, told: str, calibrated: Callable[..., Calibration]
) -> None:
    calibration = calibrated(values={"training_config": {"dataset_info": scores}})
    assert calibration.dataset_info["overall_complexity"] == pytest.approx(complexity)
    assert told in reasons(calibration, "momentum")["complexity-momentum"]


def test_a_measured_score_carries_its_margin(
    calibrated: Callable[..., Calibration], measured: Callable[..., DatasetScores]
) -> None:
    sure = calibrated(dataset=measured(0.7, 0.0)).parameters["adaptation_rate"].trail[1]
    unsure = calibrated(dataset=measured(0.7, 0.1)).parameters["adaptation_rate"].trail[1]
    assert sure.margin == 0
    # 0.015 / 1.25 ** (2 (x - 0.5)) at x = 0.6 and 0.8: 0.014345 and 0.013121
    assert unsure.margin == pytest.approx((0.014345 - 0.013121) / 2, rel=1e-3)


@pytest.mark.parametrize(
    ("own", "in_block", "length", "codes"),
    [
        (40_000, 40_000, 40_000, []),
        (40_000, None, 40_000, []),
        (40_000, 10_000, 40_000, ["length-mismatch"]),
        (None, 10_000, 10_000, []),
        (None, None, None, ["length-unknown"]),
    ],
)
def test_the_trainers_own_length_counts(
    own: int | None, in_block: int | None, length: int | None, codes: list[str], calibrated: Callable[..., Calibration]
) -> None:
    values: dict[str, Value] = {"training_config": {"total_iterations": in_block}} if in_block else {}
    calibration = calibrated(total_iter=own, values=values)
    assert calibration.total_iter == length
    assert [finding.code for finding in calibration.findings] == codes
