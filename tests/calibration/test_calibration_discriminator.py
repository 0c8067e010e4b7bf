"""What was found of the discriminator: told and recorded; no rule listens to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.model import Calibration, Presets
from autocal_cli.calibration.resolved import read_record, record_of
from autocal_cli.config.model import LossTerm, SchedulingBlock, TrainingConfig
from autocal_cli.errors import Finding, Place
from autocal_cli.network.model import NetworkFingerprint

PLACE = Place("train.yml", 1, 1)
GENERATOR = 1_785_092


def calibrated(discriminator: NetworkFingerprint | None, presets: Presets) -> Calibration:
    losses = (LossTerm("GANLoss", "adversarial", 0.1, PLACE),)
    config = TrainingConfig("train.yml", "traiNNer-redux", 2, 40_000, 16, losses, place=PLACE)
    network = NetworkFingerprint("SomeNet", None, None, 2, GENERATOR, discriminator=discriminator)
    return calibrate(config, network, None, presets)


def sized(parameters: int | None) -> NetworkFingerprint:
    return NetworkFingerprint("dunet", parameters=parameters)


@pytest.mark.parametrize("parameters", [1, GENERATOR, 10**9, None])
def test_its_size_moves_no_parameter(parameters: int | None, presets: Presets) -> None:
    assert calibrated(sized(parameters), presets).parameters == calibrated(None, presets).parameters


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
