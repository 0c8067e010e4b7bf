"""The guard: what is too much is brought to its ceiling at once, what is sane is left exactly alone. When it looks."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from runtime_runs import feed, new

from autocal_cli.calibration.model import Phase
from autocal_cli.runtime.guard import guard_goals, share_goals, shares
from autocal_cli.runtime.probe import gradient_norms
from autocal_cli.runtime.schedule import phase_at, probe_due
from autocal_cli.runtime.settings import default_ceilings

CEILING = default_ceilings()["adversarial"]


def test_a_share_above_its_ceiling_comes_down_at_the_first_probe(engine):
    losses = {"pixel": 1.0, "gan": 5.0}
    first = feed(new(engine, losses), [{"pixel": 0.1, "gan": 0.7, "pixel!": 1.0, "gan!": 1.0}])[0]
    assert first["pixel"] == 1.0
    assert 5.0 * first["gan"] / (1.0 + 5.0 * first["gan"]) == pytest.approx(CEILING, rel=1e-5)


def test_sane_shares_are_left_exactly_alone(engine):
    row = {"pixel": 0.1, "mse": 0.02, "gan": 0.7, "pixel!": 1.0, "mse!": 0.5, "gan!": 1.0}
    assert all(set(step.values()) == {1.0} for step in feed(new(engine), [row] * 150))


# Shares in published recipes (benchmarks/RESULTS.md): medians; traiNNer-redux's with its highest adversarial share
@pytest.mark.parametrize(
    "pulls",
    [
        {"l1": 0.00065, "perceptual": 0.99904, "gan": 0.00029},
        {"l1": 0.00001, "perceptual": 0.9885, "gan": 0.0115},
        {"mssim": 0.12, "perceptual": 0.72, "hsluv": 0.11, "gan": 0.05},
    ],
)
def test_published_recipes_are_left_exactly_alone(engine, pulls):
    row = {**dict.fromkeys(pulls, 0.1), **{f"{name}!": pull for name, pull in pulls.items()}}
    assert all(set(step.values()) == {1.0} for step in feed(new(engine, dict.fromkeys(pulls, 1.0)), [row] * 12))


def test_min_weight_is_the_floor_of_the_guard(engine):
    row = {"pixel": 0.1, "gan": 0.7, "pixel!": 1.0, "gan!": 1e6}
    for floor in (1e-3, 1e-2):
        assert feed(new(engine, {"pixel": 1.0, "gan": 1.0}, min_weight=floor), [row])[0]["gan"] == pytest.approx(floor)


def test_a_ceiling_holds_for_all_losses_of_a_kind_together(engine):
    """Two adversarial losses, one of them in two components: together they have its share, in proportion."""
    losses = {"l1": 1.0, "gan": 2.0, "r3gan": 2.0}
    output = torch.ones(1, 2, requires_grad=True)
    scheduler = new(engine, losses)
    pull = output.sum()
    scheduler({"l1": pull, "gan": {"a": pull, "b": 3.0 * pull}, "r3gan": pull}, 1, output)
    shares = scheduler.get_monitoring_stats()["shares"]
    assert shares == pytest.approx(
        {"l1": 1.0 - CEILING, "gan/a": 0.2 * CEILING, "gan/b": 0.6 * CEILING, "r3gan": 0.2 * CEILING}, rel=1e-4
    )


def test_later_the_guard_slews(engine):
    rows = [{"pixel": 0.1, "gan": 0.7, "pixel!": 1.0, "gan!": 1.0 if step < 120 else 1e3} for step in range(250)]
    gan = [step["gan"] for step in feed(new(engine), rows)]
    assert gan[119] == 1.0 > gan[-1]
    assert min(after / before for before, after in itertools.pairwise(gan)) >= math.exp(-0.05) * 0.9999


def test_a_loss_that_joins_late_is_guarded_at_once(engine):
    """As an adversarial loss with a start_iter: probed when it comes, and brought to its ceiling with that probe."""
    before, after = {"pixel": 0.1, "pixel!": 1.0}, {"pixel": 0.1, "gan": 0.7, "pixel!": 1.0, "gan!": 1.0}
    steps = feed(new(engine, {"pixel": 1.0, "gan": 5.0}), [before] * 302 + [after] * 3)
    assert [step["gan"] for step in steps[302:]] == pytest.approx([CEILING / (1.0 - CEILING) / 5.0] * 3, rel=1e-5)


def test_the_guard_does_not_lag_behind_a_gradient_that_grows(engine):
    rows = [{"pixel": 0.1, "gan": 0.7, "pixel!": 1.0, "gan!": 1.0 if step < 120 else 2.0} for step in range(149)]
    gan = feed(new(engine, {"pixel": 1.0, "gan": 0.5}), rows)[-1]["gan"]
    assert 0.5 * 2.0 * gan / (1.0 + 0.5 * 2.0 * gan) == pytest.approx(CEILING, rel=1e-5)


def test_gradient_shares_hold_in_both_directions(engine):
    wanted = {"pixel": 0.6, "mse": 0.3, "gan": 0.1}
    weights = {"pixel": 1.0, "mse": 9.0, "gan": 0.01}
    row = {"pixel": 0.1, "mse": 0.02, "gan": 0.7, "pixel!": 1.0, "mse!": 1.0, "gan!": 1.0}
    first = feed(new(engine, weights, gradient_shares=wanted), [row])[0]
    pull = {name: weights[name] * first[name] for name in weights}
    assert {name: value / sum(pull.values()) for name, value in pull.items()} == pytest.approx(wanted, rel=1e-4)
    assert first["gan"] > 1.0 > first["mse"]


@pytest.mark.parametrize(
    ("pull", "ceilings", "expected"),
    [
        ([1.0, 1.0], [1.0, 0.35], [0.65, 0.35]),
        ([9.0, 1.0], [1.0, 0.35], [0.9, 0.1]),
        ([0.0, 1.0], [1.0, 0.35], [0.0, 1.0]),  # alone: nothing to be brought back to
        ([1.0, 30.0, 4.0], [1.0, 0.9, 0.35], [1 / 31, 0.9, 4 / 35]),
        ([0.0, 0.0], [1.0, 0.35], [0.0, 0.0]),
    ],
)
def test_guard_goals(pull, ceilings, expected):
    pulls = torch.tensor(pull)
    found = shares(pulls * guard_goals(pulls, torch.tensor(ceilings), math.log(1e-6)).exp()).tolist()
    if len(pull) == 3:
        assert all(share <= ceiling + 1e-3 for share, ceiling in zip(found, ceilings, strict=True))
    else:
        assert found == pytest.approx(expected, abs=1e-5)


def test_share_goals_leave_the_unnamed_alone():
    goals = share_goals(torch.tensor([2.0, 1.0]), torch.tensor([0.0, 0.2]), math.log(1e-6))
    assert goals.exp().tolist() == pytest.approx([1.0, 0.5])


def test_gradient_norms():
    output = torch.ones(2, 3, requires_grad=True)
    values = [output.mean(), (output**2).sum() * 2.0, torch.tensor(1.0), torch.ones(1, requires_grad=True).sum()]
    norms = gradient_norms(values, output).tolist()
    assert norms == pytest.approx([3**0.5 / 6, 4 * 3**0.5, 0.0, 0.0])
    assert output.grad is None


def test_probe_due():
    due = [step for step in range(1, 1301) if probe_due(step)]
    assert due == [*range(1, 11), *range(15, 101, 5), *range(125, 1001, 25), 1100, 1200, 1300]
    often = [step for step in range(1, 1101) if probe_due(step, adversarial=True)]
    assert often == [*range(1, 11), *range(15, 101, 5), *range(110, 1001, 10), *range(1025, 1101, 25)]


def test_phase_at():
    phases = (Phase("early", 0.1, 0.5, 0.5), Phase("middle", 0.8, 1.0, 1.0), Phase("late", 1.0, 0.25, 1.0))
    table = {0: "early", 99: "early", 100: "middle", 799: "middle", 800: "late", 1000: "late", 5000: "late"}
    assert {step: phase_at(phases, step, 1000).name for step in table} == table
    assert phase_at(phases, 0, None).name == "middle"
