"""The discriminator's size, and what the rules on adversarial balance make of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.model import Calibration, Presets
from autocal_cli.calibration.resolved import read_record, record_of
from autocal_cli.config.model import LossTerm, SchedulingBlock, TrainingConfig
from autocal_cli.errors import Finding, Place
from autocal_cli.network.model import NetworkFingerprint

PLACE = Place("train.yml", 1, 1)
CODES = ("discriminator-threshold", "discriminator-ceiling")
GENERATOR = 1_785_092


def calibrated(
    discriminator: NetworkFingerprint | None,
    presets: Presets,
    weight: float = 0.1,
    generator: int | None = GENERATOR,
) -> Calibration:
    losses = (LossTerm("GANLoss", "adversarial", weight, PLACE),)
    config = TrainingConfig("train.yml", "traiNNer-redux", 2, 40_000, 16, losses, place=PLACE)
    network = NetworkFingerprint("SomeNet", None, None, 2, generator, discriminator=discriminator)
    return calibrate(config, network, None, presets)


def sized(parameters: int | None) -> NetworkFingerprint:
    return NetworkFingerprint("dunet", parameters=parameters)


def steps(calibration: Calibration) -> dict[str, float]:
    """What each rule on the discriminator multiplied its value by."""
    return {
        step.code: step.after / step.before
        for parameter in calibration.parameters.values()
        for step in parameter.trail
        if step.code in CODES and step.before
    }


@pytest.mark.parametrize(
    ("ratio", "threshold", "ceiling"),
    [
        (0.26, 1.0, 1.0),  # Real-ESRGAN
        (0.87, 1.0, 1.0),  # ESRGAN
        (1.0, 1.0, 1.0),
        (10.0, 1.122, 0.891),
        (100.0, 1.259, 0.794),
        (1e6, 1.35, 0.75),
    ],
)
def test_only_a_discriminator_larger_than_the_generator_changes_anything(
    ratio: float, threshold: float, ceiling: float, presets: Presets
) -> None:
    found = steps(calibrated(sized(round(ratio * GENERATOR)), presets))
    assert found == {CODES[0]: pytest.approx(threshold, abs=1e-3), CODES[1]: pytest.approx(ceiling, abs=1e-3)}


@given(sizes=st.lists(st.integers(1, 10**12), min_size=2, max_size=2).map(sorted))
def test_the_larger_the_discriminator_the_calmer_and_never_beyond_the_limits(
    sizes: list[int], presets: Presets
) -> None:
    small, large = (steps(calibrated(sized(size), presets)) for size in sizes)
    assert 1 <= small[CODES[0]] <= large[CODES[0]] + 1e-9 <= 1.3501
    assert 1 >= small[CODES[1]] >= large[CODES[1]] - 1e-9 >= 0.7499


def trail_codes(calibration: Calibration) -> set[str]:
    return {step.code for parameter in calibration.parameters.values() for step in parameter.trail}


@pytest.mark.parametrize(("discriminator", "weight"), [(None, 0.1), (sized(10**9), 0.0)])
def test_without_a_discriminator_or_an_adversarial_loss_the_rules_are_silent(
    discriminator: NetworkFingerprint | None, weight: float, presets: Presets
) -> None:
    assert not trail_codes(calibrated(discriminator, presets, weight)) & {*CODES}


@pytest.mark.parametrize(("discriminator", "generator"), [(None, GENERATOR), (10**9, None)])
def test_a_size_that_is_not_known_changes_nothing_and_the_trail_says_so(
    discriminator: int | None, generator: int | None, presets: Presets
) -> None:
    calibration = calibrated(sized(discriminator), presets, generator=generator)
    assert steps(calibration) == dict.fromkeys(CODES, 1.0)
    step = next(step for step in calibration.parameters["max_weight"].trail if step.code == CODES[1])
    assert "is not known: this stays as it is" in step.reason


def test_the_trail_tells_the_ratio(presets: Presets) -> None:
    trail = calibrated(sized(100 * GENERATOR), presets).parameters["max_weight"].trail
    (reason,) = [step.reason for step in trail if step.code == CODES[1]]
    assert "The discriminator dunet has 100 times the generator's parameters (10^2.00)." in reason


def test_findings_about_the_discriminator_are_the_calibrations_own(presets: Presets) -> None:
    rival = replace(sized(None), findings=(Finding("discriminator-unknown", "info", "x"),))
    assert "discriminator-unknown" in [finding.code for finding in calibrated(rival, presets).findings]


@pytest.mark.parametrize("discriminator", [sized(3_231_457), None])
def test_the_record_holds_the_discriminator_and_one_without_it_is_read(
    discriminator: NetworkFingerprint | None, presets: Presets
) -> None:
    record = record_of(calibrated(discriminator, presets), "traiNNer-redux", "abcd")
    found = read_record(SchedulingBlock({"calibration": record}, {}, PLACE))
    assert found is not None
    assert found.network.discriminator == discriminator
