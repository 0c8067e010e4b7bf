"""A probe in the calibration: what noise makes of the parameters, what is said of shares, the record, and weights."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.calibration import noise as measured_noise
from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.noise import baseline_for, probe_findings, smoothed, step_noise, suggested_weights
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.resolved import probe_entry, probe_from
from autocal_cli.config.losses import loss_kind
from autocal_cli.config.model import LossTerm, TrainingConfig
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.probing.model import LossProbe, ProbeFingerprint, Unmeasured, weighed
from autocal_cli.runtime import schedule, track

NETWORK = NetworkFingerprint("paragonsr2_nano", "paragonsr2", "nano", 2, 10595, 26822.0, "built-in", "ab")
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


def chosen(probe: ProbeFingerprint | None, settings=None):
    return calibrate(a_config(), NETWORK, None, load_presets(), settings, probe)


def test_noise_sets_the_threshold_and_the_baseline():
    parameters = chosen(a_probe(mssim=0.45)).parameters
    # 2 x 0.45 sqrt(0.3 / 1.7) of MS-SSIM; the adversarial loss scatters more, but never drifts
    assert parameters["adaptation_threshold"].value == pytest.approx(0.9 * math.sqrt(0.3 / 1.7), rel=5e-3)
    # (0.45 / 0.1)^2 = 20.3 probes: 10 in the first 10 steps, then one every 5
    assert parameters["baseline_iterations"].value == 65
    steps = [parameters[name].trail for name in ("adaptation_threshold", "baseline_iterations")]
    measured = [step for trail in steps for step in trail if step.code.startswith("probe-")]
    assert [step.source for step in measured] == ["measured: --probe 20"] * 2
    assert "mssim scatters by 0.45" in measured[0].reason


def test_little_noise_never_shortens_the_baseline():
    """The noise is that of the untrained network: it cannot say how fast gradients change in the first steps."""
    found, without = (chosen(probe).parameters["baseline_iterations"] for probe in (a_probe(mssim=0.01), None))
    assert found.value == without.value
    assert "the baseline is long enough" in next(s for s in found.trail if s.code == "probe-baseline").reason


@pytest.mark.parametrize(
    "probe",
    [None, a_probe(batches=7), a_probe(l1=None, mssim=None), a_probe(l1=0.0, mssim=0.0)],
    ids=["no probe", "too few batches", "no noise known", "no noise at all"],
)
def test_without_noise_that_is_known_nothing_changes(probe):
    assert chosen(probe).parameters == chosen(None).parameters


def test_other_parameters_do_not_listen_to_noise():
    with_probe, without = chosen(a_probe()).parameters, chosen(None).parameters
    for name in ("momentum", "adaptation_rate", "min_weight", "max_weight"):
        assert with_probe[name] == without[name]


@pytest.mark.parametrize(("noise", "threshold"), [(0.001, 0.01), (9.0, 0.5)])
def test_a_measured_threshold_stays_within_its_bounds(noise, threshold):
    assert chosen(a_probe(mssim=noise)).parameters["adaptation_threshold"].value == threshold


def test_what_is_written_by_hand_wins_over_what_was_measured():
    settings = {("adaptation_threshold",): 0.3, ("baseline_iterations",): 33}
    parameters = chosen(a_probe(), settings).parameters
    assert (parameters["adaptation_threshold"].value, parameters["baseline_iterations"].value) == (0.3, 33)


@pytest.mark.parametrize(
    ("images", "batch_size", "factor"), [(16, 16, 1.0), (4, 16, 0.5), (8, None, 1.0), (1, 100, 0.1)]
)
def test_noise_is_that_of_the_trainings_batches(images, batch_size, factor):
    probe = a_probe(images=images, batch_size=batch_size)
    assert step_noise(probe.losses[1], probe) == pytest.approx(0.2 * factor)


@pytest.mark.parametrize("momentum", [0.0, 0.7, 0.85, 0.97])
def test_smoothed_noise_is_that_of_an_exponential_mean(momentum):
    weights = [(1 - momentum) * momentum**age for age in range(2000)]
    assert smoothed(2.0, 1 - momentum) == pytest.approx(2.0 * math.sqrt(sum(w * w for w in weights)))
    assert smoothed(2.0, 1 - momentum) == pytest.approx(2.0 * math.sqrt((1 - momentum) / (1 + momentum)))


@given(st.floats(0.001, 2.0), st.floats(0.005, 0.5), st.booleans())
def test_a_baseline_has_just_the_probes_that_it_needs(noise, within, adversarial):
    steps = baseline_for(noise, within, adversarial)
    probes = sum(schedule.probe_due(step, adversarial) for step in range(1, steps + 1))
    if steps < measured_noise.LONGEST:
        assert noise / math.sqrt(probes) <= within * (1 + 1e-9)
        assert probes == 1 or noise / math.sqrt(probes - 1) > within * (1 - 1e-9)


def test_the_formulas_use_the_runtimes_own_numbers():
    assert measured_noise.PROBE_MEMORY == track.PROBE_MEMORY
    for pure, runtime in (
        (measured_noise.PROBES, schedule.PROBES),
        (measured_noise.PROBES_ADVERSARIAL, schedule.PROBES_ADVERSARIAL),
    ):
        assert pure[:-1] == runtime[:-1]
        assert pure[-1][1] == runtime[-1][1]


def told(weights: dict[str, float], unmeasured: tuple[Unmeasured, ...] = ()) -> list[tuple[str, int | None]]:
    probe = a_probe()
    probe = replace(probe, losses=weighed(probe.losses, {**WEIGHTS, **weights}), unmeasured=unmeasured)
    return [(found.code, found.place.line) for found in probe_findings(probe, a_config(**weights))]


@pytest.mark.parametrize(
    ("weights", "findings"),
    [
        ({}, []),
        ({"gan": 1.0}, [("probe-share-high", 12)]),
        ({"gan": 100.0}, [("probe-share-low", 10), ("probe-share-low", 11), ("probe-share-high", 12)]),
        ({"mssim": 0.001}, [("probe-share-low", 11)]),
        ({"gan": 1e-7}, []),  # against a discriminator that has learnt nothing
    ],
)
def test_a_share_near_all_or_nothing_is_said_at_its_loss(weights, findings):
    assert told(weights) == findings


@pytest.mark.parametrize(("kind", "severity"), [("adversarial", "warning"), ("perceptual", "info")])
def test_beside_a_dominant_perceptual_loss_shares_are_a_notice_as_in_published_recipes(kind, severity):
    weights = {**WEIGHTS, "gan": 100.0}
    losses = [replace(loss, kind=kind) if loss.label == "gan" else loss for loss in a_probe().losses]
    probe = replace(a_probe(), losses=weighed(tuple(losses), weights))
    found = probe_findings(probe, a_config(gan=100.0))
    assert {finding.severity for finding in found} == {severity}
    assert len(found) == 3


def test_a_loss_that_is_alone_has_all_of_the_pull_and_that_is_no_finding():
    probe = a_probe()
    alone = replace(probe, losses=weighed(probe.losses[:1], WEIGHTS))
    assert alone.losses[0].share == 1.0
    assert probe_findings(alone, a_config()) == ()


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


positive = st.floats(1e-6, 1e3)


@given(st.lists(st.tuples(positive, positive), min_size=2, max_size=5), st.data())
def test_suggested_weights_give_the_named_shares(sizes, data):
    names = [f"loss{i}" for i in range(len(sizes))]
    weights = dict(zip(names, (weight for weight, _ in sizes), strict=True))
    losses = weighed(
        [LossProbe(n, n, "pixel", 1.0, 1.0, None, g, None, 0.0) for n, (_, g) in zip(names, sizes, strict=True)],
        weights,
    )
    parts = data.draw(st.lists(st.floats(0.05, 1.0), min_size=len(names), max_size=len(names)))
    wanted = {name: part / sum(parts) for name, part in zip(names, parts, strict=True)}
    if data.draw(st.booleans()) and all(loss.share > 0.0 for loss in losses):
        del wanted[names[-1]]  # which then has the rest
    suggested = suggested_weights(losses, wanted)
    given_shares = {loss.label: loss.share for loss in weighed(losses, suggested)}
    assert given_shares == pytest.approx({**given_shares, **wanted}, rel=2e-3)
    assert suggested[names[0]] == weights[names[0]]


def test_losses_that_are_not_named_keep_their_proportions():
    losses = a_probe().losses
    suggested = suggested_weights(losses, {"gan": 0.1})
    assert suggested["l1"] == 1.0  # the first pixel loss stays
    assert suggested["mssim"] == pytest.approx(0.1)
    shares = {loss.label: loss.share for loss in weighed(losses, suggested)}
    assert shares["gan"] == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize(
    ("shares", "why"),
    [
        ({"style": 0.1}, "No loss style"),
        ({"l1": 0.6, "gan": 0.4}, "leave something"),
        ({"l1": 0.6, "mssim": 0.3, "gan": 0.3}, "add up to 1"),
    ],
)
def test_shares_that_no_weights_give_are_refused(shares, why):
    with pytest.raises(AutocalError, match=why):
        suggested_weights(a_probe().losses, shares)
