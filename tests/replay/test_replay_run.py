"""The scheduler over a log."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from run_logs import course, run_log
from run_logs import settings as scheduler_settings

from autocal_cli.replay.phase_spans import phase_spans
from autocal_cli.replay.record import LoggedLoss, LoggedPoint
from autocal_cli.replay.run import at_pace, replay
from autocal_cli.runtime.schedule import phase_at
from autocal_cli.runtime.scheduler import DynamicLossScheduler

WEIGHTS = {"l_g_mse": 1.0, "l_g_l1": 1.0, "l_g_gan": 0.1}
LOSSES = tuple(LoggedLoss(label, None, label, label.removeprefix("l_g_"), weight) for label, weight in WEIGHTS.items())


def multipliers(run):
    return {loss.name: [*loss.multipliers, loss.final] for loss in run.losses}


@settings(max_examples=20)
@given(st.lists(st.tuples(*[st.floats(1e-4, 10.0)] * 3), min_size=1, max_size=80), st.sampled_from([None, 50, 1000]))
def test_with_a_point_a_step_it_is_the_scheduler_itself(values, total_iter):
    rows = [dict(zip(WEIGHTS, row, strict=True)) for row in values]
    run = replay(run_log(rows), LOSSES, scheduler_settings(), total_iter)

    direct = DynamicLossScheduler(
        {loss.label: {"type": loss.type, "loss_weight": loss.weight} for loss in LOSSES},
        scheduler_settings(), total_iter, engine="host",
    )  # fmt: skip
    steps = []
    for iteration, row in enumerate([*rows, rows[0]], 1):  # one more call closes the last step
        raw = {name: torch.tensor(row[name] / WEIGHTS[name], dtype=torch.float64) for name in WEIGHTS}
        steps.append({name: float(m) for name, m in direct(raw, iteration).items()})
    assert multipliers(run) == {name: [step[name] for step in steps] for name in WEIGHTS}
    assert run.events == tuple(direct.events())


@given(st.sampled_from([2.0, 0.25, 1024.0]), st.integers(1, 20))
@settings(max_examples=10)
def test_weight_and_logged_value_scaled_together_change_nothing(factor, every):
    rows = course(60)
    scaled_rows = [{name: value * factor for name, value in row.items()} for row in rows]
    scaled = tuple(replace(loss, weight=loss.weight * factor) for loss in LOSSES)
    run = replay(run_log(rows, every), LOSSES, scheduler_settings(), 6000)
    other = replay(run_log(scaled_rows, every), scaled, scheduler_settings(), 6000)
    assert multipliers(run) == multipliers(other)
    assert [loss.raw for loss in run.losses] == [loss.raw for loss in other.losses]


@pytest.mark.parametrize("averaged", [True, False])
@pytest.mark.parametrize("every", [1, 20])
@pytest.mark.parametrize("seed", range(4))
def test_a_spike_is_an_event_at_its_iteration_and_noise_is_none(averaged, every, seed):
    rows = course(200, seed)
    quiet = replay(run_log(rows, every, averaged), LOSSES, scheduler_settings(), 200 * every)
    assert quiet.events == ()
    rows[120]["l_g_l1"] *= 10.0
    run = replay(run_log(rows, every, averaged), LOSSES, scheduler_settings(), 200 * every)
    assert [(event.iteration, event.loss, event.cause) for event in run.events] == [(121 * every, "l_g_l1", "spike")]


def test_a_value_that_is_not_finite_is_one_event():
    rows = course(50)
    rows[30]["l_g_gan"] = math.nan
    run = replay(run_log(rows, every=100), LOSSES, scheduler_settings(), 5000)
    assert [(event.iteration, event.loss, event.cause) for event in run.events] == [(3100, "l_g_gan", "not finite")]


def test_more_events_than_are_kept_are_counted():
    run = replay(run_log([{"l_g_mse": math.nan, "l_g_l1": 1.0, "l_g_gan": 1.0}] * 300), LOSSES, scheduler_settings())
    assert (len(run.events), run.events_in_all) == (256, 300)
    assert any("Of 300 events the newest 256 are kept" in limit for limit in run.limits)


def test_a_falling_mse_is_lifted_against_the_others_and_the_adversarial_loss_stays():
    run = replay(run_log(course(200), every=100), LOSSES, scheduler_settings(), 20_000)
    mse, l1, gan = run.losses
    assert 1.5 < mse.final <= 3.0
    assert l1.final == pytest.approx(1.0 / mse.final)
    assert (gan.lowest, gan.final, gan.highest) == (1.0, 1.0, 1.0)
    assert (mse.lowest, mse.highest) == (min(multipliers(run)["l_g_mse"]), max(multipliers(run)["l_g_mse"]))
    assert [(loss.drifts, loss.signals) for loss in run.losses] == [(True, True), (True, False), (False, False)]


def test_a_loss_logged_by_components_is_replayed_by_components():
    rows = [{"l_g_p_a": 0.5, "l_g_p_b": 0.1} for _ in range(60)]
    rows[40]["l_g_p_b"] = 5.0
    losses = [LoggedLoss("l_g_p", part, f"l_g_p_{part}", "PerceptualLoss", 0.5) for part in ("a", "b")]
    run = replay(run_log(rows), losses, scheduler_settings())
    assert [loss.name for loss in run.losses] == ["l_g_p/a", "l_g_p/b"]
    assert [(event.iteration, event.loss) for event in run.events] == [(41, "l_g_p/b")]
    assert len(run.events_of(run.losses[1])) == 1


@pytest.mark.parametrize(
    ("scales", "events"),
    [
        ([65536.0] * 6, []),
        ([65536.0, 131072.0, 262144.0, 262144.0], []),  # growth is ordinary
        ([65536.0, 32768.0, 65536.0, 32768.0, 65536.0, 32768.0, 32768.0], []),  # one back-off in two hundred steps
        ([65536.0, 65536.0, 4096.0, 4096.0], [302]),  # four in a row: three are a signal
        ([2.0972e6, 2.0972e6, 1.0486e6, 1.0486e6], []),  # 2 ** 21 and 2 ** 20 as printed
    ],
)
def test_repeated_back_offs_of_the_loss_scale_are_an_event(scales, events):
    log = run_log([{"l_g_l1": 1.0, "scale_g": scale} for scale in scales], every=100)
    run = replay(log, LOSSES[1:2], scheduler_settings())
    found = [event.iteration for event in run.events if event.cause == "loss-scale back-offs"]
    assert found == events


def test_settings_are_restated_for_points_only_where_values_come_more_rarely():
    given_ = scheduler_settings()
    assert at_pace(given_, run_log(course(5), 1)) == given_
    means = at_pace(given_, run_log(course(5), 7))
    assert (means.momentum, means.baseline_iterations) == (pytest.approx(0.9**7), 20)
    samples = at_pace(given_, run_log(course(5), 100, averaged=False))
    assert (samples.momentum, samples.baseline_iterations) == (0.9, 100)


def test_the_phases_are_those_of_the_iterations_in_the_log():
    spans = {
        (phase.name, phase.first, phase.last)
        for phase in replay(run_log(course(10), 50), LOSSES, scheduler_settings(), 1000).phases
    }
    assert spans == {("early", 1, 99), ("middle", 100, 500)}
    assert replay(run_log(course(3)), LOSSES, scheduler_settings(), None).phases == ()


@given(st.integers(1, 3000), st.integers(1, 2000), st.integers(0, 2000))
def test_every_iteration_is_in_the_phase_that_the_scheduler_is_in(total_iter, first, length):
    phases = scheduler_settings().phases
    spans = list(phase_spans(phases, total_iter, first, first + length))
    in_spans = [span.name for span in spans for _ in range(span.first, span.last + 1)]
    assert in_spans == [phase_at(phases, step, total_iter).name for step in range(first, first + length + 1)]
    assert len({span.name for span in spans}) == len(spans)


def said(run) -> str:
    return " ".join(run.limits)


def test_what_cannot_be_known_depends_on_the_log():
    rows = course(30)
    means = replay(run_log(rows, 100), LOSSES, scheduler_settings(), 3000)
    samples = replay(run_log(rows, 100, averaged=False), LOSSES, scheduler_settings(), 3000)
    steps = replay(run_log(rows, 1), LOSSES, scheduler_settings(), 30)
    scaled = replay(run_log([{**row, "scale_g": 2.0} for row in rows], 100), LOSSES, scheduler_settings(), 3000)
    assert all("Gradients are not logged" in said(run) for run in (means, samples, steps))
    assert "A point is a mean over 100 steps" in said(means)
    assert "it was stretched to 100" in said(means)
    assert "A point is one step of 100" in said(samples)
    assert "A point is" not in said(steps)
    assert "stretched" not in said(steps)
    assert "up to iteration 2,000" in said(means)
    assert ("No loss scale" in said(means), "No loss scale" in said(scaled)) == (True, False)


def test_where_no_loss_can_drift_that_is_said():
    alone = replay(run_log(course(30)), LOSSES[1:], scheduler_settings(), 30)
    assert "Here no loss can drift by its value" in said(alone)
    assert all(loss.lowest == loss.highest == 1.0 for loss in alone.losses)
    assert "only l_g_mse calls for a drift; l_g_l1 moves against it" in said(
        replay(run_log(course(30)), LOSSES, scheduler_settings(), 30)
    )


def test_progress_is_told():
    told: list[tuple[int, int]] = []
    log = replace(run_log([]), points=(LoggedPoint(2500, {"l_g_l1": 1.0}),))
    replay(log, LOSSES[1:2], scheduler_settings(), on_progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 2500), (1000, 2500), (2000, 2500)]
