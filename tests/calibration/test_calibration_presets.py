"""The numbers in `presets/`: the guide's table, and networks that really have the sizes it names."""

from __future__ import annotations

import pytest
from measured import fingerprint_network

from autocal_cli.calibration.model import PARAMETERS, PRESET_PARAMETERS, Presets
from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import Place

# The guide's table; adaptation_threshold and min_weight: the implementation that it describes.
TABLE = {
    #        momentum  rate  threshold  floor  ceiling  baseline
    "nano": (0.85, 0.015, 0.04, 1e-6, 5.0, 50),
    "micro": (0.87, 0.012, 0.05, 1e-6, 7.5, 75),
    "tiny": (0.89, 0.010, 0.06, 1e-6, 10.0, 100),
    "xs": (0.91, 0.008, 0.07, 1e-6, 15.0, 125),
    "s": (0.93, 0.006, 0.08, 1e-6, 20.0, 150),
    "m": (0.95, 0.005, 0.10, 1e-6, 30.0, 200),
    "l": (0.96, 0.004, 0.12, 1e-6, 50.0, 250),
    "xl": (0.97, 0.003, 0.15, 1e-6, 100.0, 300),
}


@pytest.mark.parametrize("variant", TABLE)
def test_a_preset_is_the_guides_row(variant: str, presets: Presets) -> None:
    preset = next(preset for preset in presets.presets if preset.variant == variant)
    assert tuple(preset.values[name] for name in PRESET_PARAMETERS) == TABLE[variant]
    assert preset.use


def test_there_are_no_other_presets_and_they_stand_in_order_of_size(presets: Presets) -> None:
    assert [preset.variant for preset in presets.presets] == list(TABLE)
    for scale in (2, 3, 4, 8):
        sizes = [preset.parameters[scale] for preset in presets.presets]
        assert sizes == sorted(sizes)


@pytest.mark.parametrize("variant", TABLE)
def test_a_presets_sizes_are_those_of_the_network_itself(variant: str, presets: Presets) -> None:
    preset = next(preset for preset in presets.presets if preset.variant == variant)
    network = NetworkOptions(f"paragonsr2_{variant}", {}, Place("train.yml"), {})
    found = {scale: fingerprint_network(network, scale) for scale in (2, 3, 4, 8)}
    assert preset.parameters == {scale: one.parameters for scale, one in found.items()}
    assert preset.macs_per_pixel == {scale: one.macs_per_pixel for scale, one in found.items()}


def test_every_number_has_a_source(presets: Presets) -> None:
    assert all(presets.sources[name] for name in PRESET_PARAMETERS)
    assert all(presets.sources[f"budgets.x{scale}"] for scale in presets.budgets if scale)
    assert all(rule.source and rule.reason for rule in presets.rules)
    assert presets.bounds_source


def test_every_rule_changes_a_parameter_of_the_schedule_under_a_code_of_its_own(presets: Presets) -> None:
    codes = [rule.code for rule in presets.rules]
    assert len(set(codes)) == len(codes)
    assert {rule.parameter for rule in presets.rules} <= set(PARAMETERS)
    assert set(presets.bounds) == set(PARAMETERS)


def test_the_phases_are_the_guides_three(presets: Presets) -> None:
    assert [(phase.name, phase.until, phase.rate) for phase in presets.phases] == [
        ("early", 0.10, 0.5),
        ("middle", 0.80, 1.0),
        ("late", 1.00, 0.25),
    ]


def test_the_watch_has_the_measured_thresholds(presets: Presets) -> None:
    assert presets.stability == {"spike_z": 6.0, "cusum_k": 0.5, "cusum_h": 20.0}


def test_no_budget_is_above_what_perfect_perception_costs(presets: Presets) -> None:
    """3 dB: Blau and Michaeli 2018; a larger scale may cost more than a smaller one."""
    by_scale = [presets.budgets[scale] for scale in sorted(key for key in presets.budgets if key)]
    assert by_scale == sorted(by_scale)
    assert all(0 < budget <= 3 for budget in presets.budgets.values())
