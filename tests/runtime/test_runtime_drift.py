"""The drift: what moves it, what does not, how far; and that both engines tell the same."""

from __future__ import annotations

import math

import pytest
import torch
from runtime_runs import BLOCK, feed, new, noisy

HARSH = noisy(300, seed=3, probed=True, trend=1.0)
for step, change in {60: {"mse": 5.0}, 90: {"gan": math.nan}, 91: {"gan": math.inf}, 120: {"pixel": 0.0}}.items():
    HARSH[step] |= change
for step in range(200, 240):
    HARSH[step] |= {"pixel": 3.0, "gan": -0.2}


@pytest.mark.parametrize("rows", [HARSH, noisy(300, seed=1, trend=1.0)], ids=["harsh", "values only"])
@pytest.mark.parametrize("shares", [{}, {"pixel": 0.6, "mse": 0.3, "gan": 0.1}], ids=["ceilings", "shares"])
def test_host_and_device_agree(rows, shares):
    host, device = (new(kind, total_iter=400, gradient_shares=shares) for kind in ("host", "device"))
    for a, b in zip(feed(host, rows), feed(device, rows), strict=True):
        assert a == pytest.approx(b, rel=1e-4)
    told = [[(event.iteration, event.loss, event.cause) for event in s.events()] for s in (host, device)]
    assert told[0] == told[1]


def test_multipliers_stay_within_bounds(engine):
    rows = noisy(250, probed=True, trend=3.0)
    for row in rows[100:]:
        row["gan!"] = 1e6
    for multipliers in feed(new(engine), rows):
        for multiplier in multipliers.values():
            assert 1e-3 / 3.0 * 0.999 <= multiplier <= 3.0 * 1.001


def test_the_drift_reaches_its_bound(engine):
    rows = [{"pixel": 0.1, "mse": 0.02, "pixel!": 1.0, "mse!": 1.0 if step < 30 else 1e-3} for step in range(500)]
    last = feed(new(engine), rows)[-1]
    assert last["mse"] == pytest.approx(3.0, rel=1e-5)
    assert last["pixel"] == pytest.approx(1 / 3.0, rel=1e-5)


def test_constant_losses_never_move(engine):
    rows = [{"pixel": 0.1, "mse": 0.02, "gan": 0.7}] * 300
    assert all(set(step.values()) == {1.0} for step in feed(new(engine), rows))


def test_a_falling_mse_is_held_by_its_value(engine):
    rows = [{"pixel": 0.1, "mse": 0.02 * 0.99 ** max(0, step - 20)} for step in range(200)]
    last = feed(new(engine), rows)[-1]
    assert last["mse"] > 1.2 > 1.0 > last["pixel"]


@pytest.mark.parametrize("fault", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_named_and_left_out(engine, fault):
    scheduler = new(engine)
    rows = noisy(60)
    rows[30] |= {"gan": fault}
    feed(scheduler, rows)
    assert ("gan", "not finite") in [(event.loss, event.cause) for event in scheduler.events()]
    assert all(torch.isfinite(column).all() for column in scheduler.state_dict()["engine"]["tracks"].values())


def test_a_spike_is_named_and_freezes(engine):
    scheduler = new(engine)
    rows = noisy(200, trend=3.0)
    rows[100] |= {"pixel": 2.0}
    steps = feed(scheduler, rows)
    assert [(event.iteration, event.loss, event.cause) for event in scheduler.events()] == [(101, "pixel", "spike")]
    assert steps[101] == steps[120]
    assert steps[95] != steps[100]
    assert steps[125] != steps[140]


def test_the_order_of_losses_does_not_matter(engine):
    rows = noisy(200, probed=True, trend=1.0)
    one, other = feed(new(engine), rows), feed(new(engine), [dict(reversed(row.items())) for row in rows])
    assert one[-1] == pytest.approx(other[-1], rel=1e-4)


def test_scaling_a_loss_and_its_weight_changes_nothing(engine):
    rows = noisy(200, probed=True, trend=1.0)
    scaled = [{**row, "mse": 8 * row["mse"], "mse!": 8 * row["mse!"]} for row in rows]
    one = feed(new(engine), rows)[-1]
    other = feed(new(engine, losses={"pixel": 1.0, "mse": 0.5 / 8, "gan": 0.1}), scaled)[-1]
    assert one == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("momentum", 0.5),
        ("adaptation_rate", 0.005),
        ("adaptation_threshold", 0.3),
        ("max_weight", 1.1),
        ("baseline_iterations", 60),
    ],
)
def test_every_knob_of_the_drift_matters(engine, knob, value):
    rows = noisy(150, trend=3.0)
    assert value != BLOCK[knob]
    assert feed(new(engine), rows)[-1] != feed(new(engine, **{knob: value}), rows)[-1]


def test_phases_change_rate_and_range(engine):
    rows = noisy(150, trend=3.0)
    plain, early = (feed(new(engine, max_weight=1.5, total_iter=total), rows) for total in (None, 100_000))
    always = {name: {"rate": 1.0, "range": 1.0} for name in ("early", "middle", "late")}
    assert plain == feed(new(engine, max_weight=1.5, total_iter=100_000, phases=always), rows)
    assert 1.0 < early[60]["mse"] < plain[60]["mse"]
    assert early[-1]["mse"] <= 1.5**0.5 * 1.0001
    assert plain[-1]["mse"] > 1.5**0.5
