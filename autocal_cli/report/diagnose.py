"""What happened in a training, for the terminal: ten lines; and two runs side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from autocal_cli.check.rule import Rule
from autocal_cli.config.model import Value
from autocal_cli.diagnose.faults import FAULTS
from autocal_cli.diagnose.model import Diagnosis
from autocal_cli.report.console import SEVERITY_STYLE, one_line
from autocal_cli.report.json import plain

_MARKS = {"error": "✗", "warning": "!", "info": "·"}


def diagnosis_view(found: Diagnosis) -> Table:
    """The verdict: one row a topic, the gravest of it as its mark."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for line in found.lines:
        style = SEVERITY_STYLE[line.severity] if line.severity != "info" else ""
        mark = Text(_MARKS[line.severity], style=style)
        table.add_row(mark, Text(line.topic, style="bold" if style else "dim"), Text(one_line(line.text), style=style))
    return table


def verdict_texts(found: Diagnosis) -> tuple[str, ...]:
    """The same lines as plain texts, for a run that is followed."""
    return tuple(f"{_MARKS[line.severity]} {line.topic}: {one_line(line.text)}" for line in found.lines)


def unknown_view(found: Diagnosis) -> Iterator[Text]:
    """What the logs cannot tell."""
    for text in found.unknown:
        yield Text(f"cannot be told: {one_line(text)}", style="dim")


def comparison_of_runs(a: Diagnosis, b: Diagnosis, names: tuple[str, str]) -> Table:
    """Two verdicts side by side, topic by topic."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    table.add_column("")
    for name in names:
        table.add_column(one_line(name), ratio=1, overflow="fold")
    sides = [{line.topic: line for line in found.lines} for found in (a, b)]
    for topic in dict.fromkeys([*sides[0], *sides[1]]):
        cells = []
        for side in sides:
            line = side.get(topic)
            style = SEVERITY_STYLE[line.severity] if line and line.severity != "info" else ""
            cells.append(Text(one_line(line.text) if line else "", style=style))
        table.add_row(Text(topic, style="dim"), *cells)
    return table


def training_rules() -> dict[str, Rule]:
    """The codes of `diagnose` as `autocal explain` and the docs tell them."""
    return {
        one.code: Rule(
            one.code, "training", one.title, one.severity, one.rationale, one.source, when="A run's log shows it."
        )
        for one in FAULTS.values()
    }


def diagnosis_json(found: Diagnosis) -> dict[str, Value]:
    """A diagnosis as plain data: what `--json` prints."""
    log = found.log
    return {
        "run": {
            "name": log.facts.get("name"),
            "trainer": log.facts.get("trainer"),
            "source": log.source,
            "files": list(log.files),
            "truncated": list(log.truncated),
            "first": log.first,
            "last": log.last,
            "total_iter": log.total_iter,
            "interval": log.interval,
            "superseded": log.superseded,
            "sessions": [
                {key: value for key, value in asdict(one).items() if key != "file"} for one in log.sessions
            ],
            "noise": {one.name: one.noise for one in found.metrics},
            "cannot_tell": list(found.unknown),
        },
        "findings": plain(found.findings),
        "health": found.health,
        "checkpoints": plain(found.checkpoints),
        "keep": {**asdict(found.keep.checkpoint), "reason": found.keep.reason} if found.keep else None,
    }  # fmt: skip
