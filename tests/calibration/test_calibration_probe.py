"""A probe in the calibration: what is said of it, and the record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from autocal_cli.calibration.noise import probe_findings

from autocal_cli.calibration.resolved import probe_entry, probe_from
from autocal_cli.config.losses import loss_kind
from autocal_cli.config.model import LossTerm, TrainingConfig
from autocal_cli.errors import Place
from autocal_cli.probing.model import LossProbe, ProbeFingerprint, Unmeasured, weighed

WEIGHTS = {"l1": 1.0, "mssim": 0.1, "gan": 0.005}


def a_probe(
    batches: int = 20, images: int = 16, batch_size: int | None = 16, **noises: float | None
) -> ProbeFingerprint:
    """L1, MS-SSIM and an adversarial loss, with the noise of log G that is given."""
    noises = {"l1": 0.0, "mssim": 0.2, "gan": 0.9, **noises}
    losses = [
        LossProbe(name, f"{name}loss", loss_kind(name), WEIGHTS[name], 0.5, 0.1, gradient, noises[name], 0.0)
        for name, gradient in (("l1", 0.002), ("mssim", 0.01), ("gan", 0.1))
    ]
    return ProbeFingerprint(
        batches, images, batch_size, 64, "the paired folder", "initial weights", "ab", 0, weighed(losses, WEIGHTS)
    )


def a_config(**weights: float) -> TrainingConfig:
    losses = tuple(
        LossTerm(f"{name}loss", loss_kind(name), weight, Place("train.yml", 10 + i, 7))
        for i, (name, weight) in enumerate({**WEIGHTS, **weights}.items())
    )
    return TrainingConfig("train.yml", "traiNNer-redux", scale=2, total_iter=40000, batch_size=16, losses=losses)


def test_what_was_not_measured_is_named():
    missing = Unmeasured("gan", "ganloss", "no discriminator")
    probe = replace(a_probe(), losses=a_probe().losses[:2], unmeasured=(missing,))
    (found,) = probe_findings(probe, a_config())
    assert (found.code, found.severity) == ("probe-unmeasured", "info")
    assert "gan (no discriminator)" in found.message


@pytest.mark.parametrize("probe", [a_probe(), replace(a_probe(l1=None), unmeasured=(Unmeasured("x", "y", "z"),))])
def test_a_probe_is_the_same_when_it_is_read_back(probe):
    assert probe_from(probe_entry(probe)) == probe


@pytest.mark.parametrize("change", [{"losses": "none"}, {"batches": "20"}, {"wonder": 1}, {"losses": [{"label": 3}]}])
def test_a_damaged_entry_is_refused(change):
    with pytest.raises((TypeError, KeyError, ValueError, AttributeError)):
        probe_from({**probe_entry(a_probe()), **change})
