"""Two schedules side by side: what differs, and which steps of the trails say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.comparison import Difference, Schedule, compare
from autocal_cli.calibration.model import PARAMETERS, Parameter, Presets
from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.model import LossTerm, SchedulingBlock, TrainingConfig
from autocal_cli.errors import Place
from autocal_cli.network.model import NetworkFingerprint

PLACE = Place("train.yml", 1, 1)
L1, GAN = LossTerm("l1loss", "pixel", 1.0, PLACE), LossTerm("GANLoss", "adversarial", 0.1, PLACE)
SIZES = {"nano": 10_595, "micro": 19_429, None: 300_000}


def side(
    variant: str | None = "nano",
    *,
    presets: Presets | None = None,
    block: dict[str, Any] | None = None,
    **facts: Any,
) -> Schedule:
    """A schedule calibrated for a network, a run and a block."""
    config = TrainingConfig(
        path="train.yml",
        trainer="traiNNer-redux",
        block=None if block is None else SchedulingBlock(block, {}, PLACE),
        **{"scale": 2, "total_iter": 40_000, "batch_size": 16, "losses": (L1,), **facts},
    )
    network = NetworkFingerprint(f"paragonsr2_{variant}", "paragonsr2", variant, 2, SIZES[variant], 26822.0, "built-in")
    return Schedule("train.yml", "calibrated", config, calibrate(config, network, None, presets or load_presets()))


def differing(a: Schedule, b: Schedule) -> dict[tuple[str, str], Difference]:
    return {(one.section, one.name): one for one in compare(a, b, load_presets()) if one.differs}


def codes(difference: Difference) -> list[tuple[str | None, str | None]]:
    return [(pair.a and pair.a.code, pair.b and pair.b.code) for pair in difference.steps]


@pytest.mark.parametrize(
    ("other", "section", "names"),
    [
        ({"batch_size": 4}, "run", {"batch_size"}),
        ({"total_iter": 80_000}, "run", {"total_iter"}),
        ({"losses": (replace(L1, weight=0.5),)}, "losses", {"l1loss"}),
        ({"losses": (L1, L1)}, "losses", {"l1loss 2"}),
        ({"losses": (L1, GAN)}, "losses", {"ganloss"}),
        ({"losses": (replace(L1, style_weight=2.0),)}, "losses", {"l1loss (style)"}),
        ({"losses": (replace(L1, type="L1Loss"),)}, "losses", set()),
        ({"variant": "micro"}, "network", {"type", "parameters", "nearest preset"}),
        ({"block": {"phases": {"early": {"until": 0.2}}}}, "phases", {"early.until"}),
        ({"block": {"stability": {"spike_z": 9.0}}}, "stability", {"spike_z"}),
        (
            {"block": {"training_config": {"dataset_info": {"edge_density": 0.7}}}},
            "dataset",
            {"edge_density", "overall_complexity"},
        ),
        ({"block": {"enabled": False, "mode": "observe"}}, "block", {"enabled", "mode"}),
        ({"block": {"mine": [1, 2]}}, "block", {"mine"}),
        ({"block": {"enabled": None, "auto_calibrate": True, "calibration": {}}}, "block", set()),
    ],
)
def test_what_differs(other, section, names):
    found = differing(side(), side(**other))
    assert {name for where, name in found if where == section} == names


@pytest.mark.parametrize(
    ("other", "parameter", "steps"),
    [
        ({"variant": "micro"}, "momentum", [("preset.nano", "preset.micro")]),
        ({"variant": None}, "max_weight", [("preset.nano", "preset.interpolated")]),
        ({"batch_size": 4}, "momentum", [("batch-momentum", "batch-momentum")]),
        ({"losses": (L1, GAN)}, "adaptation_threshold", [(None, "adversarial-threshold")]),
        ({"block": {"momentum": 0.8}}, "momentum", [(None, "manual")]),
        (
            {"variant": "micro", "total_iter": 80_000},
            "adaptation_rate",
            [("preset.nano", "preset.micro"), ("length-rate", "length-rate")],
        ),
        ({"total_iter": 400}, "baseline_iterations", [("length-baseline",) * 2, (None, "bound-baseline-iterations")]),
    ],
)
def test_the_steps_that_made_it_differ(other, parameter, steps):
    a, b = side(), side(**other)
    assert codes(differing(a, b)[("parameters", parameter)]) == steps
    mirrored = [(theirs, ours) for ours, theirs in steps]
    assert codes(differing(b, a)[("parameters", parameter)]) == mirrored


def test_beside_a_value_by_hand_every_step_of_the_other_side_is_told():
    """Both took the rule alike, but of one side nothing of it is left in the value."""
    a, b = side(losses=(L1, GAN)), side(losses=(L1, GAN), block={"adaptation_threshold": 0.2})
    told = codes(differing(a, b)["parameters", "adaptation_threshold"])
    assert told == [("adversarial-threshold",) * 2, (None, "manual")]


def test_a_rule_that_only_starts_from_another_value_is_no_reason():
    adversarial = {"losses": (L1, GAN)}
    found = differing(side(**adversarial), side("micro", **adversarial))[("parameters", "adaptation_threshold")]
    assert (found.a, found.b) == pytest.approx((0.06, 0.075))
    assert codes(found) == [("preset.nano", "preset.micro")]


def test_what_is_not_set_by_hand_is_missing():
    by_hand = side(block={"auto_calibrate": False, "momentum": 0.9})
    alone = {name: one for name, one in by_hand.calibration.parameters.items() if one.manual}
    found = differing(
        side(), replace(by_hand, origin="by hand", calibration=replace(by_hand.calibration, parameters=alone))
    )
    assert found[("parameters", "max_weight")].b is None
    assert codes(found[("parameters", "max_weight")]) == [("preset.nano", None)]


def test_a_difference_too_small_for_any_step_is_still_told():
    """A complexity that differs by 0.0004 moves a value across a rounding."""
    one, other = (changed(side(), "momentum", after) for after in (0.84001, 0.84002))
    assert codes(differing(one, other)[("parameters", "momentum")]) == [("complexity-momentum",) * 2]


def changed(schedule: Schedule, name: str, after: float) -> Schedule:
    parameter = schedule.calibration.parameters[name]
    trail = (parameter.trail[0], replace(parameter.trail[1], after=after))
    parameters = {**schedule.calibration.parameters, name: Parameter(after, trail)}
    return replace(schedule, calibration=replace(schedule.calibration, parameters=parameters))


SIDES: Callable[[], st.SearchStrategy[Schedule]] = lambda: st.builds(  # noqa: E731
    side,
    st.sampled_from(list(SIZES)),
    total_iter=st.none() | st.integers(100, 400_000),
    batch_size=st.none() | st.integers(1, 256),
    losses=st.sampled_from([(), (L1,), (L1, GAN), (GAN, GAN)]),
    block=st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "momentum": st.floats(0.0, 0.99),
            "max_weight": st.floats(1.0, 100.0),
            "training_config": st.fixed_dictionaries(
                {"dataset_info": st.fixed_dictionaries({"overall_complexity": st.floats(0.0, 1.0)})}
            ),
            "kinds": st.just({"mine": "pixel"}),
        },
    ),
)


@given(SIDES(), SIDES())
def test_laws(a, b):
    assert not any(one.differs or one.steps for one in compare(a, a, load_presets()))
    there, back = differing(a, b), differing(b, a)
    assert there.keys() == back.keys()
    for key, one in there.items():
        assert (one.a, one.b) == (back[key].b, back[key].a)
        assert bool(one.steps) == (one.section == "parameters")
    values = {one.name: one for one in compare(a, b, load_presets()) if one.section == "parameters"}
    assert list(values) == list(PARAMETERS)
    assert all(values[name].a == a.calibration.parameters[name].value for name in PARAMETERS)
