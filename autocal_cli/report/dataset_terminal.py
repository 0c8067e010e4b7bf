"""A scanned dataset as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from autocal_cli.dataset.record import DatasetFingerprint
from autocal_cli.dataset.report_record import NATIVE, OVERALL, DatasetReport, Extreme, NativeSharpness
from autocal_cli.dataset.sharpness import FULL_SCALE
from autocal_cli.report.health_text import SHOWN_FAILURES, health_lines, short_name
from autocal_cli.report.output import one_line
from autocal_cli.report.sparkline import sparkline
from autocal_cli.report.terminal import METRIC_LABELS, interval, of_how_many

_SPARKS = 10  # characters of a histogram
_WIDEST = 200  # columns, more than the table of metrics ever takes
LABELS = {**METRIC_LABELS, OVERALL: "overall complexity", NATIVE: "native sharpness"}


def dataset_view(report: DatasetReport, blocks: bool = True) -> list[RenderableType]:
    """The metrics with their histograms, what was read, the health, the extremes, and what could not be read.

    `blocks`: whether the terminal can show block characters.
    """
    dataset = report.fingerprint
    return [
        _Metrics(report, blocks),
        Text(),
        Text(one_line(counts(dataset))),
        Text(f"{dataset.seconds:.1f} s on {dataset.device}; 0.5 is an ordinary photograph", style="dim"),
        Text(about_sharpness(report.sharpness), style="dim"),
        Text(),
        _health(report),
        Text(),
        _extremes(report),
        *_failures(dataset),
    ]


def counts(dataset: DatasetFingerprint) -> str:
    """How many images were read of how many, and what else was met."""
    text = f"{of_how_many(dataset)}, {len(dataset.failures):,} failed"
    skipped = ", ".join(f"{count:,} {reason}" for reason, count in dataset.skipped.items())
    return f"{text}; {sum(dataset.skipped.values()):,} other files skipped ({skipped})" if skipped else text


def about_sharpness(sharpness: NativeSharpness) -> str:
    """What the number is: a share, where the others are percentiles."""
    return f"native sharpness: share of edges in unscaled crops of {sharpness.crop}; bars end at {FULL_SCALE:g}"


@dataclass(frozen=True, slots=True)
class _Metrics:
    """The table of metrics; where it does not fit, its histograms go, before a number is cut short."""

    report: DatasetReport
    blocks: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        table = _metrics(self.report, self.blocks)
        if console.measure(table, options=options.update(width=_WIDEST)).maximum > options.max_width:
            table.columns.pop()
        yield table


def _metrics(report: DatasetReport, blocks: bool) -> Table:
    dataset = report.fingerprint
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric", overflow="fold")
    for column in ("score", "95% interval", "p5", "median", "p95"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("0 to 1", no_wrap=True)
    for name, summary in dataset.metrics.items():
        spread = (f"{quantile:.2f}" for quantile in (summary.p5, summary.median, summary.p95))
        bars = sparkline(report.histograms[name], _SPARKS, blocks)
        table.add_row(METRIC_LABELS[name], f"{summary.score:.3f}", interval(summary.ci95), *spread, bars)
    overall = (f"{dataset.overall_complexity:.3f}", interval(dataset.overall_ci95), "", "", "")
    table.add_row(LABELS[OVERALL], *overall, sparkline(report.histograms[OVERALL], _SPARKS, blocks), style="bold")
    native = report.sharpness
    spread = (f"{share:.2f}" for share in (native.p5, native.median, native.p95))
    bars = sparkline(native.histogram, _SPARKS, blocks)
    table.add_row(LABELS[NATIVE], f"{native.mean:.3f}", interval(native.ci95), *spread, bars)
    return table


def _health(report: DatasetReport) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for line in health_lines(report.health, report.fingerprint.roots):
        names = line.named()
        table.add_row(line.label, Text(one_line(f"{line.text}: {names}" if names else line.text)))
    return table


def _extremes(report: DatasetReport) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, extremes in report.extremes.items():
        table.add_row(LABELS[name], "lowest", _named(extremes.lowest, report.fingerprint.roots))
        if report.health.images > 1:
            table.add_row("", "highest", _named(extremes.highest, report.fingerprint.roots))
    return table


def _named(extremes: tuple[Extreme, ...], roots: tuple[str, ...]) -> Text:
    return Text(one_line(", ".join(f"{short_name(one.path, roots)} {one.score:.2f}" for one in extremes)))


def _failures(dataset: DatasetFingerprint) -> list[RenderableType]:
    failures = dataset.failures
    lines = [f"failed: {issue.path}: {issue.reason}" for issue in failures[:SHOWN_FAILURES]]
    if len(failures) > SHOWN_FAILURES:
        lines.append(f"... and {len(failures) - SHOWN_FAILURES:,} more failed; --json lists all.")
    return [*([Text()] if lines else []), *(Text(one_line(line), style="yellow") for line in lines)]
