"""What a replay cannot know, in sentences. ReplayedRun -> text. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from autocal_cli.replay.record import MULTIPLIER_PREFIX, OWN_PREFIX, SCALE_LABEL, ReplayedRun
from autocal_cli.runtime.track import WARM_UP


def limits_of(run: ReplayedRun) -> tuple[str, ...]:
    """The limits that hold for this log, the most important first."""
    return (*_by_design(run), *_by_sampling(run), *_by_watch(run))


def _by_design(run: ReplayedRun) -> Iterator[str]:
    yield (
        "Gradients are not logged. The ceilings on each loss's share and the drift by gradients need them, so only the "
        "drift by value and the watch on the values are replayed; in training, multipliers may move that stay at 1 "
        "here."
    )
    yield _by_value(run)
    yield (
        "The losses are those of the run as it was. Other multipliers would have led to another run, so this shows "
        "how the scheduler would have begun to act, not what would have come of it."
    )
    yield (
        "Weights are divided out as the config has them. Where they changed during the run (warm-up, decay, an edited "
        "config) the raw values are off by that factor."
    )
    if any(label.startswith((MULTIPLIER_PREFIX, OWN_PREFIX)) for label in run.log.labels):
        yield (
            "A scheduler was at work and logged its multipliers. They are divided out too; for means this is "
            "exact only as long as they stand still between two points."
        )


def _by_value(run: ReplayedRun) -> str:
    """Which losses can move at all here."""
    moving = [loss.name for loss in run.losses if loss.signals]
    against = [loss.name for loss in run.losses if loss.drifts and not loss.signals]
    never = [loss.name for loss in run.losses if not loss.drifts]
    if not moving or len(moving) + len(against) < 2:
        return (
            "Here no loss can drift by its value: that takes one like MSE, whose gradient falls with it, and another "
            "that drifts. Every multiplier stays at 1, and only the watch has something to say."
        )
    text = f"By value only {', '.join(moving)} calls for a drift"
    text += f"; {', '.join(against)} moves against it, since a drift is relative to the mean of all" if against else ""
    return f"{text}{'; adversarial losses never drift: ' + ', '.join(never) if never else ''}."


def _by_sampling(run: ReplayedRun) -> Iterator[str]:
    steps = run.log.interval
    if run.log.averaged:
        yield "traiNNer-redux skips a step whose total is not finite before it is logged, so such steps do not show."
    if steps == 1:
        return
    if run.log.averaged:
        yield (
            f"A point is a mean over {steps:,} steps: spikes within it are hidden, and it varies less than single "
            "steps do."
        )
    else:
        yield f"A point is one step of {steps:,}, as BasicSR logs it: of the steps between nothing is known."
    configured, used = run.baseline_iterations
    if used > configured:
        yield f"The baseline of {configured:,} steps ends before the first point; it was stretched to {used:,}."


def _by_watch(run: ReplayedRun) -> Iterator[str]:
    points = run.log.points
    if run.events_in_all > len(run.events):
        yield f"Of {run.events_in_all:,} events the newest {len(run.events)} are kept; the counts are of these."
    until = f", up to iteration {points[WARM_UP - 1].iteration:,}" if len(points) > WARM_UP else ", which is all of it"
    yield f"Spikes and divergence are told from {WARM_UP} values on; in the first {WARM_UP} points{until}, none shows."
    if SCALE_LABEL in run.log.labels:
        yield "The loss scale is seen at the logged points only; back-offs made good in between are missed."
    else:
        yield f"No loss scale ({SCALE_LABEL}) was logged, so its back-offs cannot be replayed."
