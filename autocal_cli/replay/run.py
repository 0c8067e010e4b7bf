"""RunLog + settings -> ReplayedRun: the runtime's own scheduler, run on the CPU over what was logged.

How the scheduler is stepped between logged points. It takes every step of the run, so that everything it counts in
steps (baseline, phases, slew, freezes, recovery, loss-scale back-offs) keeps its length. A logged value is shown to it
once, at the iteration under which it was logged; at the steps between, the losses count as not seen (a value of 0),
so that its deviations are those between points. Showing the value again at each of the N steps that it stands for
would be wrong: nothing varies in between, the deviation that the scheduler learns shrinks towards 0, and then new
points look like spikes (measured: 99 alarms in 200 points of plain noise, each shown 100 times; shown once, none).

Two settings depend on how often values come, and are restated:

    momentum              m^N where the log holds means: an EMA that is shown one value N times moves as far as one
                          shown it once with momentum m^N. As it is where the log holds single steps (BasicSR): such a
                          value is as noisy as any step, and stays smoothed over as many values.
    baseline_iterations   at least up to the first point, or there would be no baseline.

With N = 1 both are as configured, and the replay is the run of the scheduler itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from autocal_cli.replay.limits import limits_of
from autocal_cli.replay.loss_scale import LoggedScale
from autocal_cli.replay.phase_spans import phase_spans
from autocal_cli.replay.raw_values import raw_value
from autocal_cli.replay.record import SCALE_LABEL, LoggedLoss, LoggedPoint, ReplayedLoss, ReplayedRun, RunLog
from autocal_cli.runtime.losses import LossDescription, describe_losses
from autocal_cli.runtime.scheduler import DynamicLossScheduler
from autocal_cli.runtime.settings import SchedulerSettings

OnProgress = Callable[[int, int], None]  # steps done, steps in all

_SHOW_EVERY = 1000  # steps between two calls of OnProgress


def replay(
    log: RunLog,
    losses: Sequence[LoggedLoss],
    settings: SchedulerSettings,
    total_iter: int | None = None,
    on_progress: OnProgress | None = None,
) -> ReplayedRun:
    """Runs the scheduler over a log. `losses` say what the log's labels are; `total_iter` counts optimiser steps."""
    paced = at_pace(settings, log)
    configured = {loss.label: {"type": loss.type, "loss_weight": loss.weight} for loss in losses}
    scheduler = DynamicLossScheduler(configured, paced, total_iter, engine="host")
    with _unsaid():
        courses = _run(scheduler, log, losses, on_progress)
    described = describe_losses(configured, settings.kinds)
    run = ReplayedRun(
        log=log,
        losses=tuple(_replayed(loss, described[loss.label], courses[loss.name]) for loss in losses),
        phases=(),
        events=tuple(scheduler.events()),
        events_in_all=scheduler.get_monitoring_stats()["events"],
        total_iter=total_iter,
        baseline_iterations=(settings.baseline_iterations, paced.baseline_iterations),
        momentum=(settings.momentum, paced.momentum),
    )
    run = replace(run, phases=tuple(phase_spans(settings.phases, total_iter, run.first, run.last)))
    return replace(run, limits=limits_of(run))


def at_pace(settings: SchedulerSettings, log: RunLog) -> SchedulerSettings:
    """The settings for values that come once in `log.interval` steps; see above."""
    steps = log.interval
    momentum = settings.momentum**steps if log.averaged else settings.momentum
    return replace(settings, momentum=momentum, baseline_iterations=max(settings.baseline_iterations, steps))


@dataclass(slots=True)
class _Course:
    """What became of one loss, as it is gathered."""

    iterations: list[int] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    multipliers: list[float] = field(default_factory=list)
    lowest: float = 1.0
    highest: float = 1.0
    now: float = 1.0

    def take(self, multiplier: float) -> None:
        self.now = multiplier
        self.lowest, self.highest = min(self.lowest, multiplier), max(self.highest, multiplier)


def _run(
    scheduler: DynamicLossScheduler, log: RunLog, losses: Sequence[LoggedLoss], on_progress: OnProgress | None
) -> dict[str, _Course]:
    """Steps the scheduler from the first step that the log stands for to one past the last, which closes that one."""
    courses = {loss.name: _Course() for loss in losses}
    points = {point.iteration: point for point in log.points}
    first, last = max(1, log.points[0].iteration - log.interval + 1), log.points[-1].iteration
    unseen = _raw_losses(None, losses)
    scale = scheduler.grad_scaler = LoggedScale()
    known: dict[str, Tensor] = {}
    for iteration in range(first, last + 2):
        point = points.get(iteration)
        scheduler(_raw_losses(point, losses) if point else unseen, iteration)
        known = _follow(scheduler.get_current_weights(), known, courses)
        if point:
            scale.hear(point.values.get(SCALE_LABEL))
            _note(point, losses, courses)
        scale.step()
        if on_progress and (iteration - first) % _SHOW_EVERY == 0:
            on_progress(iteration - first, last - first + 1)
    return courses


def _raw_losses(point: LoggedPoint | None, losses: Sequence[LoggedLoss]) -> dict[str, Any]:
    """Raw losses as a trainer hands them over: by label, those with components as mappings; 0 where not logged."""
    raw: dict[str, Any] = {}
    for loss in losses:
        value = raw_value(point, loss) if point else None
        number = torch.tensor(value or 0.0, dtype=torch.float64)
        if loss.part is None:
            raw[loss.label] = number
        else:
            raw.setdefault(loss.label, {})[loss.part] = number
    return raw


def _follow(now: dict[str, Tensor], known: Mapping[str, Tensor], courses: Mapping[str, _Course]) -> dict[str, Tensor]:
    """Takes in the multipliers in force; the scheduler makes new tensors only where they changed."""
    for name, multiplier in now.items():
        if multiplier is not known.get(name):
            courses[name].take(float(multiplier))
    return now


def _note(point: LoggedPoint, losses: Sequence[LoggedLoss], courses: Mapping[str, _Course]) -> None:
    for loss in losses:
        value = raw_value(point, loss)
        if value is not None:
            course = courses[loss.name]
            course.iterations.append(point.iteration)
            course.raw.append(value)
            course.multipliers.append(course.now)


def _replayed(loss: LoggedLoss, described: LossDescription, course: _Course) -> ReplayedLoss:
    return ReplayedLoss(
        name=loss.name,
        logged=loss.logged,
        type=loss.type,
        kind=described.kind,
        weight=loss.weight,
        drifts=described.drifts,
        signals=described.drifts and described.exponent != 0.0,
        iterations=tuple(course.iterations),
        raw=tuple(course.raw),
        multipliers=tuple(course.multipliers),
        final=course.now,
        lowest=course.lowest,
        highest=course.highest,
    )


@contextmanager
def _unsaid() -> Iterator[None]:
    """What the scheduler would log about missing gradients stands, for a replay, in `limits`."""
    logger = logging.getLogger("autocal")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
