"""Progress bars for scans and replays, on standard error, that leave no trace when these have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autocal_cli.report.output import console

if TYPE_CHECKING:
    from autocal_cli.dataset.sample import ScanProgress


@contextmanager
def scan_progress(quiet: bool) -> Iterator[Callable[[ScanProgress], None] | None]:
    """Yields the callback that moves the bar; None when nothing is to be shown, as where there is no terminal."""
    with calibration_progress(quiet) as (advance, _):
        yield advance


@contextmanager
def calibration_progress(
    quiet: bool,
) -> Iterator[tuple[Callable[[ScanProgress], None] | None, Callable[[int, int], None] | None]]:
    """As `scan_progress`, with a second callback that moves the same bar by batches of a probe: done, and in all."""
    target = console(stderr=True)
    if quiet or not target.is_terminal:
        yield None, None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[sure]}"))
    bar = Progress(*columns, TimeRemainingColumn(), console=target, transient=True)
    task = bar.add_task("scanning", total=None, sure="")

    def advance(state: ScanProgress) -> None:
        if state.listing:
            bar.update(task, description=f"listing ... {state.found:,} files")
            bar.start()
            return
        failed = f", {state.failed:,} failed" if state.failed else ""
        sure = f"+-{state.half_width:.3f}{failed}" if state.half_width is not None else failed.removeprefix(", ")
        bar.update(task, description="scanning", completed=state.done, total=state.found, sure=sure)
        bar.start()  # not before there is something to show

    def advance_probe(done: int, total: int) -> None:
        bar.update(task, description="probing", completed=done, total=total, sure="")
        bar.start()

    try:
        yield advance, advance_probe
    finally:
        bar.stop()


@contextmanager
def replay_progress(quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Yields the callback that moves the bar, with steps done and steps in all; None when nothing is to be shown."""
    with _counting("replaying", quiet) as advance:
        yield advance


@contextmanager
def networks_progress(quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """As `replay_progress`, for networks that are built."""
    with _counting("building", quiet) as advance:
        yield advance


@contextmanager
def _counting(what: str, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    target = console(stderr=True)
    if quiet or not target.is_terminal:
        yield None
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=target, transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)
