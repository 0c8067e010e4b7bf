"""A scanned dataset as a person reads it in a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from autocal_cli.dataset.facts import FULL_SCALE
from autocal_cli.dataset.model import (
    CSV_COLUMNS,
    METRIC_NAMES,
    NATIVE,
    OVERALL,
    DatasetFingerprint,
    DatasetReport,
    Duplicates,
    Extreme,
    FileIssue,
    Health,
    ImageRow,
    Named,
    NativeSharpness,
    SizedImage,
)
from autocal_cli.report.calibration import METRIC_LABELS, interval, of_how_many
from autocal_cli.report.console import one_line

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
        table.add_row(LABELS[name], "lowest", _extremes_line(extremes.lowest, report.fingerprint.roots))
        if report.health.images > 1:
            table.add_row("", "highest", _extremes_line(extremes.highest, report.fingerprint.roots))
    return table


def _extremes_line(extremes: tuple[Extreme, ...], roots: tuple[str, ...]) -> Text:
    return Text(one_line(", ".join(f"{short_name(one.path, roots)} {one.score:.2f}" for one in extremes)))


def _failures(dataset: DatasetFingerprint) -> list[RenderableType]:
    failures = dataset.failures
    lines = [f"failed: {issue.path}: {issue.reason}" for issue in failures[:SHOWN_FAILURES]]
    if len(failures) > SHOWN_FAILURES:
        lines.append(f"... and {len(failures) - SHOWN_FAILURES:,} more failed; --json lists all.")
    return [*([Text()] if lines else []), *(Text(one_line(line), style="yellow") for line in lines)]


# The health of a dataset in words, for the terminal and the page.


SHOWN_FAILURES = 20
_FEW = 3  # names shown on a line
INSTALL_HASH = "not looked for; pip install 'autocal-cli[health]'"


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One thing that was looked at, what was seen, and the first of the `count` images, or groups, it was seen in."""

    label: str
    text: str
    names: tuple[str, ...] = ()
    count: int = 0

    def named(self) -> str:
        """The first few names, and how many more there are."""
        return and_more(self.names, self.count, _FEW)


def health_lines(health: Health, roots: Sequence[str]) -> list[HealthLine]:
    """What there is to say, names shortened by the root that they stand under."""
    named = [("grey", health.grey, health.images), ("flat", health.flat, health.images)]
    named.append(("JPEG blocks", health.blocky, health.blockiness_known))
    lines = [HealthLine("size", _sizes(health))]
    if health.below_crop is not None:
        lines.append(_named(f"under {health.crop} pixels", health.below_crop, health.images, roots))
    lines += [_named(label, images, of, roots) for label, images, of in named]
    return [
        *lines,
        _duplicates("copies", health.exact_duplicates, roots),
        _duplicates("look alike", health.near_duplicates, roots),
    ]


def short_name(path: str, roots: Sequence[str]) -> str:
    """A path without the one root that all images stand under; whole where there are several.

    >>> short_name("hr/a/1.png", ["hr"]), short_name("hr/1.png", ["hr", "more"]), short_name("1.png", ["1.png"])
    ('a/1.png', 'hr/1.png', '1.png')
    """
    root = roots[0].rstrip("/\\") if len(roots) == 1 else ""
    inside = root and path.startswith(root) and path[len(root) : len(root) + 1] in ("/", "\\")
    return path[len(root) + 1 :] if inside else path


def and_more(names: Sequence[str], count: int, most: int, between: str = ", ") -> str:
    """The first names, and how many more there are.

    >>> and_more(["a", "b", "c"], 7, 2)
    'a, b and 5 more'
    """
    shown = list(names[:most])
    more = f" and {count - len(shown):,} more" if count > len(shown) else ""
    return between.join(shown) + more


def share(count: int, of: int) -> str:
    """A share as a person says it; never 0% or 100% unless it is.

    >>> share(0, 9), share(1, 3), share(1, 5000), share(4999, 5000), share(9, 9)
    ('0%', '33%', 'under 1%', 'over 99%', '100%')
    """
    if 0 < count < of:
        percent = 100 * count / of
        return "under 1%" if percent < 1 else "over 99%" if percent > 99 else f"{percent:.0f}%"
    return "100%" if count else "0%"


def _sizes(health: Health) -> str:
    smallest, median, largest = map(_size, (health.smallest, health.median, health.largest))
    return f"all {smallest}" if smallest == largest else f"{smallest} to {largest}, median {median}"


def _size(image: SizedImage) -> str:
    return f"{image.width} x {image.height}"


def _named(label: str, images: Named, of: int, roots: Sequence[str]) -> HealthLine:
    if not of:
        return HealthLine(label, "could not be measured")
    if not images.count:
        return HealthLine(label, "none")
    text = f"{images.count:,} of {of:,} ({share(images.count, of)})"
    return HealthLine(label, text, _short(images.paths, roots), images.count)


def _duplicates(label: str, found: Duplicates | None, roots: Sequence[str]) -> HealthLine:
    if found is None:
        return HealthLine(label, INSTALL_HASH)
    if not found.groups:
        return HealthLine(label, "none")
    groups = "1 group" if found.groups == 1 else f"{found.groups:,} groups"
    listed = tuple(and_more(_short(group.paths, roots), group.count, _FEW, " = ") for group in found.listed)
    return HealthLine(label, f"{groups}, {found.surplus:,} more than one of each", listed, found.groups)


def _short(paths: Iterable[str], roots: Sequence[str]) -> tuple[str, ...]:
    return tuple(short_name(path, roots) for path in paths)


# A histogram in one line of text.


BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#%"  # as many levels, for terminals without block characters


def sparkline(counts: Sequence[int], width: int, blocks: bool = True) -> str:
    """Counts as `width` characters, neighbours added together; the fullest is as high as can be, none in it is blank.

    >>> sparkline([0, 1, 4, 8], 4)
    ' ▁▄█'
    >>> sparkline([0, 1, 4, 8], 2, blocks=False)
    '.%'
    """
    size = len(counts) // width
    sums = [sum(counts[i * size : (i + 1) * size]) for i in range(width)]
    levels, most = BLOCKS if blocks else ASCII, max(1, *sums)
    return "".join(levels[-(-count * (len(levels) - 1) // most)] for count in sums)  # rounded up: what is there is seen


# A scanned dataset as a table, one row an image, read or not, for `--csv`.


def dataset_csv(report: DatasetReport) -> str:
    """The table, rows in order of path, line feeds at the ends. What is not known of an image is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    lines = [_read(row) for row in report.rows] + [_failed(issue) for issue in report.fingerprint.failures]
    writer.writerows(sorted(lines, key=lambda line: str(line["path"])))
    return text.getvalue()


def _read(row: ImageRow) -> dict[str, object]:
    facts = row.facts
    hashed = facts.perceptual_hash
    return {
        "path": facts.path,
        "status": "read",
        "width": row.width,
        "height": row.height,
        **{f"{name}_raw": value for name, value in zip(METRIC_NAMES, row.raw, strict=True)},
        **dict(zip(METRIC_NAMES, row.scores, strict=True)),
        OVERALL: row.overall,
        NATIVE: facts.native_sharpness,
        "grey": str(facts.grey).lower(),
        "deviation": facts.deviation,
        "blockiness": facts.blockiness,
        "perceptual_hash": None if hashed is None else f"{hashed:016x}",
        "sha256": facts.sha256,
    }


def _failed(issue: FileIssue) -> dict[str, object]:
    return {"path": issue.path, "status": "failed", "reason": issue.reason}
