"""A progress bar for scans, on standard error, that leaves no trace when the scan has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autocal_cli.report.output import console

if TYPE_CHECKING:
    from autocal_cli.dataset.scan import ScanProgress


@contextmanager
def scan_progress(quiet: bool) -> Iterator[Callable[[ScanProgress], None] | None]:
    """Yields the callback that moves the bar; None when nothing is to be shown, as where there is no terminal."""
    target = console(stderr=True)
    if quiet or not target.is_terminal:
        yield None
        return
    columns = (TextColumn("scanning"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[sure]}"))
    bar = Progress(*columns, TimeRemainingColumn(), console=target, transient=True)
    task = bar.add_task("scan", total=None, sure="")

    def advance(state: ScanProgress) -> None:
        failed = f", {state.failed:,} failed" if state.failed else ""
        sure = f"+-{state.half_width:.3f}{failed}" if state.half_width is not None else failed.removeprefix(", ")
        bar.update(task, completed=state.done, total=state.found, sure=sure)
        bar.start()  # not before there is something to show

    try:
        yield advance
    finally:
        bar.stop()
