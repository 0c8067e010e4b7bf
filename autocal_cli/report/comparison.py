"""Two schedules side by side as a person reads them in a terminal."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from autocal_cli.calibration.comparison import SECTIONS, Difference, Schedule, Section, StepPair
from autocal_cli.config.model import Value
from autocal_cli.report.calibration import number
from autocal_cli.report.console import one_line


def comparison_view(a: Schedule, b: Schedule, shown: Sequence[Difference]) -> RenderableType:
    """Which two are compared, and every value in `shown`, below a parameter the steps of its trails that differ."""
    head = [
        Text.assemble((f"{label}  ", "bold"), one_line(side.path), (f"  {origin(side)}", "dim"))
        for label, side in (("A", a), ("B", b))
    ]
    if not shown:
        return Group(*head, Text(), Text("No difference."))
    rows = [Row("", "A", "B", "dim"), *(row for section in SECTIONS for row in _section(section, shown))]
    widths = [max(cell_len(getattr(row, name)) for row in rows) for name in ("name", "a", "b")]
    lines: list[RenderableType] = []
    for row in rows:
        name = set_cell_size(row.name, widths[0])
        sides = (" " * (width - cell_len(side)) + side for width, side in zip(widths[1:], (row.a, row.b), strict=True))
        lines.append(Text("  ".join([name, *sides]), style=row.style))
        lines += [Padding(row.why, (0, 0, 0, 6))] if row.why else []
    return Group(*head, Text(), *lines)


@dataclass(frozen=True, slots=True)
class Row:
    """A value on both sides, and below it, over the whole width, why."""

    name: str
    a: str = ""
    b: str = ""
    style: str = ""
    why: Text | None = None


def _section(section: Section, shown: Sequence[Difference]) -> Iterator[Row]:
    missing, style = ("not set", "bold") if section == "parameters" else ("none", "")
    found = [one for one in shown if one.section == section]
    if found:
        yield from (Row(""), Row(section, style="bold"))
    for one in found:
        yield Row(one_line(one.name), shown_value(one.a, missing), shown_value(one.b, missing), style)
        for pair in one.steps:
            codes = {step.code for step in (pair.a, pair.b) if step}
            left, right = ("none" if step is None else number(step.after) for step in (pair.a, pair.b))
            code = one_line(codes.pop() if len(codes) == 1 else "preset")
            yield Row(f"  {code}", left, right, why=why(pair))


def origin(side: Schedule) -> str:
    """Where a schedule comes from, and what is known of its images."""
    if side.origin == "by hand":
        return "set by hand: autocal chose nothing"
    dataset = side.calibration.dataset
    images = "images not measured" if dataset is None else f"{dataset.read:,} of {dataset.found:,} images read"
    how = "resolved, told from its record" if side.origin == "record" else "calibrated for this comparison"
    return f"{how}; {images}"


def why(pair: StepPair) -> Text:
    """The reasons of both sides with their sources; what both have in common once."""
    sides = [(label, step) for label, step in (("A: ", pair.a), ("B: ", pair.b)) if step]
    one_source = len({step.source for _, step in sides}) == 1
    one_reason = len({step.reason for _, step in sides}) == 1
    sides = [("", sides[0][1])] if one_source and one_reason else sides
    lines = [Text.assemble(label, one_line(step.reason)) for label, step in sides]
    for line, (_, step) in [*zip(lines, sides, strict=True)][-1 if one_source else 0 :]:
        line.append(f" [{one_line(step.source)}]", style="dim")
    return Text("\n").join(lines)


def shown_value(value: Value, missing: str = "none") -> str:
    """A value in a cell: counts with separators, floats as short as they can be read back."""
    if value is None:
        return missing
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else one_line(str(value))


def unified_diff(before: bytes, after: bytes, name: str, resolved_name: str) -> str:
    """What a calibration changed: two UTF-8 texts, line endings shown as they are; empty when they are equal."""
    # `splitlines` would end lines at form feeds and the like too
    old, new = (list(io.StringIO(text.decode("utf-8"), newline="\n")) for text in (before, after))
    lines = difflib.unified_diff(old, new, name, resolved_name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
