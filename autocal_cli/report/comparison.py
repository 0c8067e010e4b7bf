"""Two schedules side by side as a person reads them in a terminal."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autocal_cli.calibration.comparison import Difference, Schedule, StepPair
from autocal_cli.calibration.model import Step
from autocal_cli.config.model import Value
from autocal_cli.report.calibration import number
from autocal_cli.report.console import one_line


def comparison_view(a: Schedule, b: Schedule, shown: Sequence[Difference]) -> RenderableType:
    """Which two are compared, and every value in `shown`, a parameter with the steps of its trails that differ."""
    parts: list[RenderableType] = [_told("A", a), _told("B", b), Text()]
    return Group(*parts, _table(shown) if shown else Text("No difference."))


def _told(label: str, side: Schedule) -> Text:
    return Text.assemble((f"{label}  ", "bold"), one_line(side.path), (f"  {origin(side)}", "dim"))


def origin(side: Schedule) -> str:
    """Where a schedule comes from, and what is known of its images."""
    if side.origin == "by hand":
        return "set by hand: autocal chose nothing"
    dataset = side.calibration.dataset
    images = "images not measured" if dataset is None else f"{dataset.read:,} of {dataset.found:,} images read"
    return (
        f"{'resolved, told from its record' if side.origin == 'record' else 'calibrated for this comparison'}; {images}"
    )


def _table(shown: Iterable[Difference]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("A", justify="right", overflow="fold")
    table.add_column("B", justify="right", overflow="fold")
    table.add_column("why", ratio=1)
    section = ""
    for difference in shown:
        if difference.section != section:
            if section:
                table.add_row()
            section = difference.section
            table.add_row(Text(section, style="bold"))
        _add(table, difference)
    return table


def _add(table: Table, difference: Difference) -> None:
    missing = "not set" if difference.section == "parameters" else "none"
    style = "bold" if difference.section == "parameters" else ""
    values = [Text(shown_value(value, missing), style=style) for value in (difference.a, difference.b)]
    table.add_row(Text(one_line(difference.name), style=style), *values)
    for pair in difference.steps:
        sides = ["none" if step is None else number(step.after) for step in (pair.a, pair.b)]
        table.add_row(f"  {one_line(_code(pair))}", *sides, _why(pair))


def shown_value(value: Value, missing: str = "none") -> str:
    """A value in a cell: counts with separators, floats as short as they can be read back."""
    if value is None:
        return missing
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else one_line(str(value))


def _code(pair: StepPair) -> str:
    codes = {step.code for step in (pair.a, pair.b) if step}
    return codes.pop() if len(codes) == 1 else "preset"


def _why(pair: StepPair) -> Text:
    """The reasons of both sides with their sources; what both have in common once."""
    sides = [(label, step) for label, step in (("A: ", pair.a), ("B: ", pair.b)) if step]
    reasons = {step.reason for _, step in sides}
    sources = {step.source for _, step in sides}
    if len(sources) > 1:
        return Text("\n").join(Text.assemble(label, _reason(step), _source(step)) for label, step in sides)
    if len(reasons) > 1:
        told = Text("\n").join(Text.assemble(label, _reason(step)) for label, step in sides)
    else:
        told = Text(_reason(sides[0][1]))
    return told.append_text(_source(sides[0][1]))


def _reason(step: Step) -> str:
    return one_line(step.reason)


def _source(step: Step) -> Text:
    return Text(f" [{one_line(step.source)}]", style="dim")


# What a calibration changed in a config, as a unified diff.


def unified_diff(before: bytes, after: bytes, name: str, resolved_name: str) -> str:
    """A diff of two UTF-8 texts, line endings shown as they are; empty when they are equal."""
    lines = difflib.unified_diff(_lines(before), _lines(after), name, resolved_name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: bytes) -> list[str]:
    """Lines that end at a line feed only; `splitlines` would also end them at form feeds and the like."""
    return list(io.StringIO(text.decode("utf-8"), newline="\n"))
