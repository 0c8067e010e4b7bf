"""What is said of the shares that a probe measured, and the weights that would give others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.config.losses import loss_kind
from autocal_cli.config.model import LossTerm, TrainingConfig
from autocal_cli.errors import AutocalError, Place
from autocal_cli.probing.model import LossProbe, ProbeFingerprint, Unmeasured, weighed
from autocal_cli.probing.shares import probe_findings, suggested_weights

WEIGHTS = {"l1": 1.0, "mssim": 0.1, "gan": 0.005}


def a_probe() -> ProbeFingerprint:
    losses = [
        LossProbe(name, f"{name}loss", loss_kind(name), WEIGHTS[name], 0.5, 0.1, gradient, 0.2, 0.0)
        for name, gradient in (("l1", 0.002), ("mssim", 0.01), ("gan", 0.1))
    ]
    return ProbeFingerprint(20, 16, 16, 64, "the paired folder", "initial weights", "ab", 0, weighed(losses, WEIGHTS))


def a_config(**weights: float) -> TrainingConfig:
    losses = tuple(
        LossTerm(f"{name}loss", loss_kind(name), weight, Place("train.yml", 10 + i, 7))
        for i, (name, weight) in enumerate({**WEIGHTS, **weights}.items())
    )
    return TrainingConfig("train.yml", "traiNNer-redux", scale=2, total_iter=40000, batch_size=16, losses=losses)


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


def test_shares_among_some_of_the_losses_are_no_warning():
    probe = replace(a_probe(), losses=weighed(a_probe().losses, {**WEIGHTS, "gan": 100.0}))
    missing = Unmeasured("perceptual", "perceptualloss", "no weights")
    found = probe_findings(replace(probe, unmeasured=(missing,)), a_config(gan=100.0, perceptual=1.0))
    assert {finding.severity for finding in found} == {"info"}
    assert all("among the losses measured" in finding.message for finding in found)


def test_what_was_not_measured_is_named():
    missing = Unmeasured("gan", "ganloss", "no discriminator")
    probe = replace(a_probe(), losses=a_probe().losses[:2], unmeasured=(missing,))
    (found,) = probe_findings(probe, a_config())
    assert (found.code, found.severity) == ("probe-unmeasured", "info")
    assert "gan (no discriminator)" in found.message


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
