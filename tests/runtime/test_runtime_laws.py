"""What holds for every run, whatever its losses do; and three runs whose end is known by arithmetic."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime_runs import BLOCK, LOSSES, feed, new, noisy

from autocal_cli.runtime.settings import default_ceilings

CEILING = default_ceilings()["adversarial"]

ODD = [math.nan, math.inf, -math.inf, 0.0, -0.3, 1e-30, 1e30]
runs = st.builds(
    lambda seed, odd, probed, trend: [
        {**row, **{name: value for step, name, value in odd if step == number}}
        for number, row in enumerate(noisy(90, seed, probed, trend))
    ],
    st.integers(0, 10_000),
    st.lists(
        st.tuples(st.integers(0, 89), st.sampled_from(["pixel", "mse", "gan", "mse!", "gan!"]), st.sampled_from(ODD)),
        max_size=6,
    ),
    st.just(True),
    st.floats(-6.0, 6.0),
)
engines = st.sampled_from(["host", "device"])


@settings(max_examples=25, deadline=None)
@given(runs, engines, st.floats(1e-4, 0.5), st.floats(1.1, 20.0))
def test_multipliers_stay_within_bounds_and_nothing_that_is_not_finite_enters_the_state(rows, engine, low, high):
    scheduler = new(engine, min_weight=low, max_weight=high)
    for multipliers in feed(scheduler, rows):
        for multiplier in multipliers.values():
            assert low * 0.9999 <= multiplier <= high * 1.0001
    state = scheduler.state_dict()["engine"]
    assert all(torch.isfinite(column).all() for column in state["tracks"].values())


@settings(max_examples=15, deadline=None)
@given(runs, engines, st.sampled_from(sorted(LOSSES)), st.integers(-6, 6))
def test_scaling_a_loss_while_dividing_its_weight_changes_nothing(rows, engine, name, power):
    """By powers of two, so that the pulls are the same to the bit. A loss that was negative is judged by its size."""
    rows = [{key: value for key, value in row.items() if not (key in LOSSES and value in ODD[3:])} for row in rows]
    scaled = [{**row, **{key: row[key] * 2.0**power for key in (name, name + "!") if key in row}} for row in rows]
    weights = {**LOSSES, name: LOSSES[name] / 2.0**power}
    for one, other in zip(feed(new(engine), rows), feed(new(engine, weights), scaled), strict=True):
        assert one == pytest.approx(other, rel=2e-3)


@settings(max_examples=15, deadline=None)
@given(runs, engines, st.permutations(sorted(LOSSES)))
def test_the_order_of_losses_does_not_matter(rows, engine, order):
    turned = [{key + mark: row[key + mark] for key in order for mark in ("", "!")} for row in rows]
    for one, other in zip(feed(new(engine), rows), feed(new(engine), turned), strict=True):
        assert one == pytest.approx(other, rel=2e-3)


@settings(max_examples=15, deadline=None)
@given(engines, st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(0.01, 0.9 * CEILING))
def test_constant_losses_with_sane_weights_never_move(engine, value, gradient, share):
    """The adversarial loss has a share below its ceiling: not one multiplier leaves 1, not by one bit."""
    pull = share / (1.0 - share) * gradient
    row = {"pixel": value, "gan": 0.7, "pixel!": gradient, "gan!": pull}
    for multipliers in feed(new(engine, {"pixel": 1.0, "gan": 1.0}), [row] * 80):
        assert set(multipliers.values()) == {1.0}


@settings(max_examples=15, deadline=None)
@given(engines, st.floats(1.0, 1e5), st.integers(0, 100))
def test_a_share_above_its_ceiling_is_brought_to_it_and_held(engine, weight, seed):
    """Whatever the weight: after the first probe the share is the ceiling, and noise of 5% does not lift it far."""
    rows = noisy(60, seed, probed=True)
    weights = {"pixel": 1.0, "mse": 0.5, "gan": weight}
    for row, multipliers in zip(rows, feed(new(engine, weights, min_weight=1e-6), rows), strict=True):
        pull = {name: weights[name] * multipliers[name] * row[name + "!"] for name in weights}
        # Probed and unprobed gradients differ by at most a third; beside the others that is the same at every ceiling.
        assert pull["gan"] / (pull["pixel"] + pull["mse"]) <= CEILING / (1.0 - CEILING) * 4.0 / 3.0


QUIET = {"max_weight": 10.0, "cusum_h": 1e9, "spike_z": 1e9}


def moving(factor, steps=1500, over=400):
    """An MSE that changes by a factor between steps 50 and 50 + over, beside an L1 that stays."""
    return [{"pixel": 0.1, "mse": 0.02 * factor ** min(1.0, max(0.0, (step - 50) / over))} for step in range(steps)]


@pytest.mark.parametrize("factor", [0.01, 100.0])
def test_a_loss_that_falls_or_rises_a_hundredfold(engine, factor):
    """r = a (b - s) = -0.5 ln(factor) for the MSE and 0 for L1; the targets are +-r/2; the dead band stops short."""
    stability = {name: QUIET[name] for name in ("cusum_h", "spike_z")}
    last = feed(new(engine, max_weight=10.0, stability=stability), moving(factor))[-1]
    target = -0.25 * math.log(factor)
    stop = target - math.copysign(BLOCK["adaptation_threshold"], target)
    assert last["mse"] == pytest.approx(math.exp(stop), rel=1e-3)
    assert last["pixel"] == pytest.approx(math.exp(-stop), rel=1e-3)


def test_a_loss_that_rises_without_end_is_named_as_diverging(engine):
    scheduler = new(engine, max_weight=10.0)
    feed(scheduler, moving(100.0))
    told = {(event.loss, event.cause) for event in scheduler.events()}
    assert ("mse", "divergence") in told
    assert {loss for loss, _ in told} == {"mse"}


def test_one_spike_leaves_no_trace(engine):
    """Its step moves the mean by three deviations of 1% at most, times 1 - momentum: 0.3%, and forgets it."""
    rows = moving(1.0, 200)
    rows[120] = {"pixel": 0.1, "mse": 2.0}
    scheduler = new(engine)
    assert all(set(step.values()) == {1.0} for step in feed(scheduler, rows))
    assert [(event.iteration, event.cause) for event in scheduler.events()] == [(121, "spike")]
    shift = scheduler.state_dict()["engine"]["tracks"]["mean"][1].item() - math.log(0.02)
    assert abs(shift) < 0.003 * BLOCK["momentum"] ** 70


SPIKED = noisy(260, seed=2, trend=3.0)
for _step in (100, 150, 175):
    SPIKED[_step] |= {"pixel": 2.0}
for _step in range(180, 260):
    SPIKED[_step] |= {"mse": SPIKED[_step]["mse"] * 1.05 ** (_step - 180)}


@pytest.mark.parametrize(
    ("name", "value"),
    [("spike_z", 1e6), ("cusum_k", 3.0), ("cusum_h", 200.0), ("freeze_steps", 2), ("recovery_steps", 30)],
)
def test_every_number_of_the_stability_guard_matters(engine, name, value):
    plain, changed = new(engine, max_weight=1.3), new(engine, max_weight=1.3, stability={name: value})
    assert feed(plain, SPIKED) != feed(changed, SPIKED)


@pytest.mark.parametrize(
    "change",
    [{"ceilings": {"adversarial": 0.5 * CEILING}}, {"kinds": {"gan": "pixel"}}, {"gradient_shares": {"gan": 0.2}}],
)
def test_every_number_of_the_guard_matters(engine, change):
    row = {"pixel": 0.1, "gan": 0.7, "pixel!": 1.0, "gan!": 3.0}
    losses = {"pixel": 1.0, "gan": 1.0}
    assert feed(new(engine, losses), [row]) != feed(new(engine, losses, **change), [row])
