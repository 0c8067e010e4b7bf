"""A progress bar for scans, on standard error, that leaves no trace when the scan has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from autocal_cli.dataset.scan import ScanProgress


@contextmanager
def scan_progress(console: Console, quiet: bool) -> Iterator[Callable[[ScanProgress], None] | None]:
    """Yields the callback that moves the bar; None when nothing is to be shown."""
    if quiet:
        yield None
        return
    columns = (TextColumn("scanning"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[sure]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("scan", total=None, sure="")

        def advance(state: ScanProgress) -> None:
            failed = f", {state.failed:,} failed" if state.failed else ""
            sure = f"+-{state.half_width:.3f}{failed}" if state.half_width is not None else failed.removeprefix(", ")
            progress.update(task, completed=state.done, total=state.found, sure=sure)

        yield advance
