"""Where a network stands among the presets, and what it takes from them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.model import PRESET_PARAMETERS, Number, Presets
from autocal_cli.calibration.placement import place
from autocal_cli.config.model import NetworkOptions, TrainingConfig
from autocal_cli.errors import Place
from autocal_cli.network.model import NetworkFingerprint

VARIANTS = ("nano", "micro", "tiny", "xs", "s", "m", "l", "xl")
GROWING = ("momentum", "max_weight", "adaptation_threshold", "baseline_iterations")


def network(parameters: int | None, variant: str | None = None, scale: int | None = 2) -> NetworkFingerprint:
    return NetworkFingerprint("SomeNet", "paragonsr2" if variant else None, variant, scale, parameters)


def starts(parameters: int, presets: Presets, scale: int | None = 2) -> dict[str, Number]:
    _, steps, _ = place(network(parameters, scale=scale), presets)
    return {name: step.after for name, step in steps.items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_known_variant_is_placed_exactly_whatever_its_size(variant: str, presets: Presets) -> None:
    placement, steps, findings = place(network(123, variant), presets)
    assert (placement.variant, placement.match, findings) == (variant, "exact", ())
    assert {step.code for step in steps.values()} == {f"preset.{variant}"}


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_network_of_a_presets_size_gets_its_values(variant: str, scale: int, presets: Presets) -> None:
    preset = next(preset for preset in presets.presets if preset.variant == variant)
    assert starts(preset.parameters[scale], presets, scale) == pytest.approx(preset.values, rel=1e-12)


@given(sizes=st.lists(st.integers(10_595, 14_481_548), min_size=2, max_size=2).map(sorted))
def test_a_larger_network_never_gets_a_smaller_networks_values(sizes: list[int], presets: Presets) -> None:
    small, large = (starts(size, presets) for size in sizes)
    assert all(small[name] <= large[name] * (1 + 1e-12) for name in GROWING)
    assert small["adaptation_rate"] >= large["adaptation_rate"] * (1 - 1e-12)
    assert small["min_weight"] == large["min_weight"] == 1e-6


@given(parameters=st.integers(10_595, 14_481_548))
def test_every_value_lies_between_those_of_the_two_presets_beside_it(parameters: int, presets: Presets) -> None:
    found = starts(parameters, presets)
    above = next(i for i, preset in enumerate(presets.presets) if preset.parameters[2] >= parameters)
    beside = presets.presets[max(above - 1, 0)], presets.presets[above]
    for name in PRESET_PARAMETERS:
        low, high = sorted(preset.values[name] for preset in beside)
        assert low * (1 - 1e-12) <= found[name] <= high * (1 + 1e-12)


def test_halfway_in_log_parameters_the_time_constant_is_the_geometric_mean(presets: Presets) -> None:
    nano, micro = presets.presets[:2]
    found = starts(round(math.sqrt(10_595 * 19_429)), presets)
    for name, mean in (("adaptation_rate", math.sqrt(0.015 * 0.012)), ("max_weight", math.sqrt(5 * 7.5))):
        assert found[name] == pytest.approx(mean, rel=1e-3)
    assert 1 - found["momentum"] == pytest.approx(math.sqrt(0.15 * 0.13), rel=1e-3)
    middle = (nano.values["baseline_iterations"] + micro.values["baseline_iterations"]) / 2
    assert found["baseline_iterations"] == pytest.approx(middle, rel=1e-3)


@pytest.mark.parametrize(
    ("scale", "name", "absolute", "relative"),
    [
        (4, "momentum", 0.005, 0),
        (4, "adaptation_rate", 0, 0.145),
        (4, "max_weight", 0, 0.205),
        (4, "baseline_iterations", 0, 0.055),
        (2, "momentum", 0.005, 0),
        (2, "adaptation_rate", 0, 0.145),
        (2, "max_weight", 0, 0.23),
        (2, "baseline_iterations", 0, 0.085),
    ],
)
def test_a_left_out_preset_is_missed_by_no_more_than_measured(
    scale: int, name: str, absolute: float, relative: float, presets: Presets
) -> None:
    for left_out in presets.presets[1:-1]:
        others = replace(presets, presets=tuple(preset for preset in presets.presets if preset != left_out))
        found = starts(left_out.parameters[scale], others, scale)[name]
        assert found == pytest.approx(left_out.values[name], abs=absolute, rel=relative), left_out.variant


@pytest.mark.parametrize(
    ("parameters", "variant", "told"),
    [(5_000, "nano", "2.12 times below the smallest"), (100_000_000, "xl", "6.91 times above the largest")],
)
def test_beyond_the_presets_the_nearest_stands_and_that_is_said(
    parameters: int, variant: str, told: str, presets: Presets
) -> None:
    placement, steps, findings = place(network(parameters), presets)
    preset = next(preset for preset in presets.presets if preset.variant == variant)
    assert (placement.match, placement.variant) == ("clamped", variant)
    assert {name: step.after for name, step in steps.items()} == preset.values
    assert [finding.code for finding in findings] == ["network-out-of-range"]
    assert told in findings[0].message


def test_a_network_that_nobody_measured_gets_the_fallback_and_that_is_said(presets: Presets) -> None:
    placement, steps, findings = place(network(None), presets)
    assert (placement.match, placement.variant) == ("fallback", "m")
    assert steps["momentum"].after == 0.95
    assert [(finding.code, finding.severity) for finding in findings] == [("network-not-measured", "warning")]


@pytest.mark.parametrize("parameters", [5_000, None])
def test_what_is_said_of_the_place_stands_at_the_network(parameters: int | None, presets: Presets) -> None:
    where = Place("train.yml", 7, 9)
    config = TrainingConfig(
        "train.yml", "BasicSR", network=NetworkOptions("n", {}, where, {}), place=Place("train.yml", 1, 1)
    )
    told = [one for one in calibrate(config, network(parameters), None, presets).findings if one.place == where]
    assert told
    assert all(finding.fix for finding in told if finding.severity == "warning")


@given(parameters=st.integers(1, 10**12), scale=st.sampled_from([None, 1, 2, 3, 4, 5, 6, 8, 16]))
def test_every_network_finds_a_place(parameters: int, scale: int | None, presets: Presets) -> None:
    placement, steps, _ = place(network(parameters, scale=scale), presets)
    assert set(steps) == set(PRESET_PARAMETERS)
    assert placement.variant in VARIANTS
    assert 0 < steps["momentum"].after < 1
