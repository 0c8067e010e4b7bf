"""A replayed run as a person reads it in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autocal_cli.replay.record import PhaseSpan, ReplayedLoss, ReplayedRun
from autocal_cli.report.output import one_line

_SHOWN_EVENTS = 20


def replay_view(run: ReplayedRun) -> RenderableType:
    """What was read, a row a loss, the phases, the events, and what cannot be known."""
    parts: list[RenderableType] = [
        Text.assemble(("log     ", "bold"), one_line(summary(run))),
        Padding(Text(one_line(files(run)), style="dim"), (0, 0, 0, 8)),
        Text.assemble(("phases  ", "bold"), phases(run)),
        Text(),
        loss_table(run),
        Text(),
        *_events(run),
        Text(),
        Text("cannot be known from these logs", style="bold"),
        _bullets(run.limits),
    ]
    return Group(*parts)


def summary(run: ReplayedRun) -> str:
    """One line on what was logged: `100 points, iterations 1 to 10,000, each the mean over 100 steps`."""
    log = run.log
    steps = log.interval
    each = "each one step"
    if steps > 1:
        each = f"each the mean over {steps:,} steps" if log.averaged else f"each one step of {steps:,}"
    points = f"{len(log.points):,} point{'s' if len(log.points) != 1 else ''}"
    of_total = f" of {run.total_iter:,}" if run.total_iter else ""
    return f"{points}, iterations {run.first:,} to {run.last:,}{of_total}, {each}"


def files(run: ReplayedRun) -> str:
    """Which files were read: `2 text logs, the last train_x.log`."""
    names = run.log.files
    if len(names) == 1:
        return f"{run.log.source}: {names[0]}"
    return f"{run.log.source}: {len(names)} files, the last {names[-1]}"


def phases(run: ReplayedRun) -> str:
    if not run.phases:
        return "none, since the length of the run (total_iter) is not known"
    return ", ".join(f"{phase.name} {span(phase)}" for phase in run.phases)


def span(phase: PhaseSpan) -> str:
    return f"{phase.first:,} to {phase.last:,}"


def loss_table(run: ReplayedRun) -> Table:
    """A row a loss. Raw values have the weight divided out; lowest and highest are over all steps."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("loss", no_wrap=True)
    for heading in ("weight", "first raw", "last raw", "multiplier", "lowest", "highest", "events"):
        table.add_column(heading, justify="right", no_wrap=True, style="bold" if heading == "multiplier" else None)
    for loss in run.losses:
        table.add_row(one_line(loss.name), *loss_cells(run, loss))
    return table


def loss_cells(run: ReplayedRun, loss: ReplayedLoss) -> tuple[str, ...]:
    """weight, first and last raw value, final, lowest and highest multiplier, number of events."""
    multipliers = (loss.final, loss.lowest, loss.highest)
    raw = (f"{loss.raw[0]:.4g}", f"{loss.raw[-1]:.4g}")
    return (f"{loss.weight:g}", *raw, *(f"{value:.3f}" for value in multipliers), str(len(run.events_of(loss))))


def _events(run: ReplayedRun) -> list[RenderableType]:
    if not run.events:
        return [Text.assemble(("events  ", "bold"), "none")]
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("  iteration", justify="right", no_wrap=True)
    for heading in ("loss", "cause", "multiplier"):
        table.add_column(heading, no_wrap=True)
    for event in run.events[:_SHOWN_EVENTS]:
        loss = "all" if event.loss == "*" else one_line(event.loss)
        table.add_row(f"{event.iteration:,}", loss, event.cause, change(event.before, event.after))
    parts: list[RenderableType] = [Text.assemble(("events  ", "bold"), f"{len(run.events):,}"), table]
    if len(run.events) > _SHOWN_EVENTS:
        parts.append(Text(f"  ... and {len(run.events) - _SHOWN_EVENTS:,} more; --json lists all.", style="dim"))
    return parts


def _bullets(texts: Iterable[str]) -> Table:
    table = Table.grid(padding=(0, 1))
    for text in texts:
        table.add_row("  -", Text(one_line(text)))
    return table


def change(before: float, after: float) -> str:
    """`held at 1.000`, or `1.200 -> 1.000`: most events freeze the multipliers and change none."""
    if math.isclose(before, after, rel_tol=5e-4):
        return f"held at {before:.3f}"
    return f"{before:.3f} -> {after:.3f}"
