"""A scanned dataset as a person reads it in a terminal, and as a table for `--csv`."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from heapq import merge
from itertools import islice
from typing import Any

from rich.columns import Columns
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from autocal_cli.dataset.curation import FIXED, load_policy
from autocal_cli.dataset.facts import FULL_SCALE
from autocal_cli.dataset.model import (
    CSV_COLUMNS,
    METRIC_NAMES,
    NATIVE,
    OF,
    OVERALL,
    PAIR_NUMBERS,
    Curation,
    DatasetFingerprint,
    DatasetReport,
    Duplicates,
    ImageRow,
    Named,
    PairsSummary,
    Severity,
    Variety,
)
from autocal_cli.dataset.plan import Choice, Cost, Curve
from autocal_cli.packaged import preset_text
from autocal_cli.report.calibration import METRIC_LABELS, interval, of_how_many
from autocal_cli.report.console import FirstThatFits, one_line, table, table_without_head

_SPARKS = 10  # characters of a histogram
LABELS = {**METRIC_LABELS, OVERALL: "overall complexity", NATIVE: "native sharpness"}


def dataset_view(report: DatasetReport, blocks: bool = True, verbose: bool = False) -> Iterator[RenderableType]:
    """The metrics with their histograms, what was read, the health, the extremes, and what could not be read.

    `blocks`: whether the terminal can show block characters. `verbose`: every name, one a line, which may be a million,
    so that these come block by block; else the first few.
    """
    dataset, native = report.fingerprint, report.sharpness
    whole, without, shortest = (_metrics(report, blocks) for _ in range(3))
    del without.columns[6:], shortest.columns[3:]  # the histograms, then the spread, before a number is cut short
    about_native = f"share of edges in unscaled crops of {native.crop}; bars end at {FULL_SCALE:g}"
    yield from (FirstThatFits(whole, without, shortest), Text(), Text(one_line(counts(report))))
    yield Text(f"{dataset.seconds:.1f} s on {where(dataset)}; 0.5 is an ordinary photograph", style="dim")
    yield from (Text(f"native sharpness: {about_native}", style="dim"), Text(), _health(report), Text())
    yield _extremes(report)
    yield from _names(report, verbose)


def counts(report: DatasetReport) -> str:
    """How many images were read of how many, and what else was met."""
    dataset = report.fingerprint
    failed = sum(issue.code == "unreadable" for issue in dataset.failures)
    text = f"{of_how_many(dataset)}, {failed:,} failed"
    if left_out := len(dataset.failures) - failed:
        text += f", {left_out:,} left out for {'its' if left_out == 1 else 'their'} size"
    if unread := len(unread_lq(report)):
        text += f", {unread:,} LQ image{'' if unread == 1 else 's'} failed"
    skipped = ", ".join(f"{count:,} {reason}" for reason, count in dataset.skipped.items())
    return f"{text}; {sum(dataset.skipped.values()):,} other files skipped ({skipped})" if skipped else text


def unread_lq(report: DatasetReport) -> dict[str, str]:
    """By GT image that could be read, why its LQ image could not be."""
    failed = {issue.path for issue in report.fingerprint.failures}
    several = ((path, one) for path, reasons in report.curation.reasons.items() for one in reasons)
    return {path: one.detail for path, one in several if one.code == "unreadable" and path not in failed}


def not_judged(report: DatasetReport) -> str | None:
    """How many images a sample left unjudged, why, and what judges them; None where every image was judged."""
    dataset = report.fingerprint
    if not (unread := dataset.found - dataset.read - len(dataset.failures)):
        return None
    widest = max(high - low for low, high in (dataset.overall_ci95, *(one.ci95 for one in dataset.metrics.values())))
    whole = "without --batches, --all" if dataset.crops else "--all"
    known = f"the sample of {dataset.read:,} tells every mean to +-{widest / 2:.3f}"
    return f"{unread:,} of {dataset.found:,}, since {known}; {whole} judges every one"


def where(dataset: DatasetFingerprint) -> str:
    """The device, and why it was chosen where nobody named one."""
    return f"{dataset.device} ({dataset.device_reason})" if dataset.device_reason else dataset.device


def _metrics(report: DatasetReport, blocks: bool) -> Table:
    dataset, native = report.fingerprint, report.sharpness
    heads = ("metric", "score", "95% interval", "p5", "median", "p95", "0 to 1")
    shown = table(*heads, header="bold", right=range(1, 6), wraps=(0,))

    def add(name: str, mean: float, ci95: tuple[float, float], bars: Sequence[int], *spread: float) -> None:
        quantiles = [f"{value:.2f}" for value in spread] or [""] * 3
        drawn = sparkline(bars, _SPARKS, blocks)
        style = None if spread else "bold"
        shown.add_row(LABELS[name], f"{mean:.3f}", interval(ci95), *quantiles, drawn, style=style)

    for name, summary in dataset.metrics.items():
        add(name, summary.score, summary.ci95, report.histograms[name], summary.p5, summary.median, summary.p95)
    add(OVERALL, dataset.overall_complexity, dataset.overall_ci95, report.histograms[OVERALL])
    add(NATIVE, native.mean, native.ci95, native.histogram, native.p5, native.median, native.p95)
    return shown


def _health(report: DatasetReport) -> Table:
    table, before = table_without_head("bold", None), ""
    for line in health_lines(report):
        names = line.named()
        label = "" if line.label == before else line.label
        table.add_row(label, Text(one_line(f"{line.text}: {names}" if names else line.text)))
        before = line.label
    table.add_row("verdict", Text(verdicts(report.curation), style="bold"))
    if unjudged := not_judged(report):
        table.add_row("not judged", Text(unjudged, style="yellow"))
    return table


def _extremes(report: DatasetReport) -> Table:
    table = table_without_head("bold", "dim", None)
    for name, found in report.extremes.items():
        ends = (("lowest", found.lowest), ("highest", found.highest))
        for label, several in ends[: report.health.images]:  # of a single image the lowest is the highest
            named = (f"{short_name(one.path, report.fingerprint.roots)} {one.score:.2f}" for one in several)
            table.add_row(LABELS[name] if label == "lowest" else "", label, Text(one_line(", ".join(named))))
    return table


def _names(report: DatasetReport, verbose: bool) -> Iterator[Text]:
    """What could not be read, and where all names are; with `verbose` all names, and what they did not tell of that."""
    lines, named = health_lines(report), report.curation.reasons if verbose else {}
    failures = [told for path, told in _failures(report) if path not in named]
    most = len(failures) if verbose else SHOWN_FAILURES
    for line in lines if verbose else ():
        if line.count:
            yield from (Text(), Text(f"{line.label}: {line.text}"))
            told = (one_line(f"  {' = '.join(group)}") for group in line.groups(True))
            while block := list(islice(told, _BLOCK)):
                yield Text("\n".join(block))
    yield from [Text()] if failures else []
    yield from (Text(one_line(told), style="yellow") for told in failures[:most])
    if len(failures) > most:
        yield Text(f"... and {len(failures) - most:,} more failed", style="yellow")
    if len(failures) > most or not (verbose or all(line.is_short for line in lines)):
        all_of = f" {report.curation.images:,} judged" if not_judged(report) else ""
        yield from (Text(), Text(f"Not every name stands here: --verbose, --csv and --json have all{all_of}."))


def _failures(report: DatasetReport) -> Iterator[tuple[str, str]]:
    """What was not read, in words: images, and LQ images of those that were."""
    for one in report.fingerprint.failures:
        what = "failed" if one.code == "unreadable" else "left out"
        yield one.path, f"{what}: {one.path}: {one.reason}"
    for path, reason in unread_lq(report).items():
        yield path, f"failed: {path}: {reason}"


# The health of a dataset and the verdicts on its images in words, for the terminal and the page.

SHOWN_FAILURES = 20
_FEW = 3  # names shown on a line
_BLOCK = 1000  # names shown at once, one a line


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One thing that was looked at, what was seen, and in how many images or groups: `groups` names them anew at each
    call, those that are the same together, and with its measure each image that has a reason where that is wanted.
    """

    label: str
    text: str
    count: int = 0
    groups: Callable[[bool], Iterator[Sequence[str]]] = lambda _: iter(())

    def named(self) -> str:
        """The first few names, and how many more there are."""
        shown = ", ".join(_equal(group[:_FEW], len(group)) for group in islice(self.groups(False), _FEW))
        return f"{shown} and {self.count - _FEW:,} more" if self.count > _FEW else shown

    @property
    def is_short(self) -> bool:
        """Whether `named` tells all."""
        return self.count <= _FEW and all(len(group) <= _FEW for group in self.groups(False))


def health_lines(report: DatasetReport) -> list[HealthLine]:
    """Sizes, what each reason drops or has looked at, and groups of images that are the same."""
    curation = report.curation
    smallest, median, largest = (
        f"{one.width} x {one.height}" for one in (report.health.smallest, report.health.median, report.health.largest)
    )
    several = f"{smallest} to {largest}, median {median}"
    lines = [HealthLine("size", f"all {smallest}" if smallest == largest else several)]
    if report.health.images > 1:
        lines.append(HealthLine("variety", about_variety(report.variety)))
    if (scores := report.model_scores) and (file := report.fingerprint.model):
        spread = f"5% under {scores.p5:.3g}, half under {scores.median:.3g}, 95% under {scores.p95:.3g}"
        by = f"{file.path} ({file.sha256[:12]})"
        lines.append(HealthLine("model", f"mean {scores.mean:.3g} by {by}; {spread}"))
    for pairs in curation.pairs:
        of_root = f"{pairs.root}: " if len(curation.pairs) > 1 else ""
        lines.append(HealthLine("pairs", of_root + _pairs(pairs)))
    for code, levels in curation.by_reason().items():
        for level, word in LEVELS.items():
            if count := levels[level].count:
                text = f"{count:,} to {word} ({share(count, curation.images)})"
                lines.append(HealthLine(code, text, count, partial(_images_of, report, code, levels[level])))
    alike = {"copies": report.health.exact_duplicates, "look alike": report.health.near_duplicates}
    for (label, found), code in zip(alike.items(), ("duplicate", "near-duplicate"), strict=True):
        if count := len(found.groups):
            text = f"{'1 group' if count == 1 else f'{count:,} groups'}, {found.surplus:,} more than one of each"
            lines.append(HealthLine(label, text, count, partial(_alike, report, code, found)))
    return lines


LEVELS: Mapping[Severity, str] = {"drop": "drop", "look": "look at"}


def _images_of(report: DatasetReport, code: str, named: Named, measured: bool) -> Iterator[Sequence[str]]:
    roots = report.fingerprint.roots
    for path in named.paths:
        detail = next(reason.detail for reason in report.curation.reasons[path] if reason.code == code)
        yield (short_name(path, roots) + (f": {short_detail(detail, roots)}" if measured else ""),)


def _alike(report: DatasetReport, code: str, found: Duplicates, _measured: bool) -> Iterator[Sequence[str]]:
    """The groups, in each the one that stays first, where others go for being its equal."""
    roots, curation = report.fingerprint.roots, report.curation
    for group in found.groups:
        going = {path for path in group.paths if code in (one.code for one in curation.reasons.get(path, ()))}
        staying = [path for path in group.paths if going and path not in going and curation.verdict(path) != "drop"]
        rest = (short_name(path, roots) for path in group.paths if path not in staying)
        yield (*(f"{short_name(path, roots)} (stays)" for path in staying), *rest)


def verdicts(curation: Curation) -> str:
    """How many images are kept, looked at and dropped."""
    totals = curation.totals
    return f"keep {totals['keep']:,}, look at {totals['look']:,}, drop {totals['drop']:,}"


def short_name(path: str, roots: Sequence[str]) -> str:
    """A path without the one root that all images stand under; whole where there are several."""
    root = roots[0].rstrip("/\\") if len(roots) == 1 else ""
    inside = root and path.startswith(root) and path[len(root) : len(root) + 1] in ("/", "\\")
    return path[len(root) + 1 :] if inside else path


def short_detail(detail: str, roots: Sequence[str]) -> str:
    """A reason's detail, the image that it names shortened."""
    return OF + short_name(detail.removeprefix(OF), roots) if detail.startswith(OF) else detail


def share(count: int, of: int) -> str:
    """A share as a person says it, `33%` or `under 1%`; never 0% or 100% unless it is."""
    if 0 < count < of:
        percent = 100 * count / of
        return "under 1%" if percent < 1 else "over 99%" if percent > 99 else f"{percent:.0f}%"
    return "100%" if count else "0%"


def bound_of(number: float) -> str:
    """A bound as --threshold takes it, without powers of ten."""
    return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def _equal(names: Sequence[str], count: int) -> str:
    """
    >>> _equal(["a", "b"], 2), _equal(["a", "b"], 5)
    ('a = b', 'a = b (5 in all)')
    """
    return " = ".join(names) + (f" ({count:,} in all)" if count > len(names) else "")


def about_variety(variety: Variety) -> str:
    """
    >>> about_variety(Variety(140, 61.2, 0.41))
    '140 kinds of image, as varied as 61 equally frequent ones; the ten fullest hold 41%'
    """
    if variety.kinds == 1:
        return _kinds(1)
    fullest = f"; the ten fullest hold {variety.fullest:.0%}" if variety.kinds > 10 else ""
    return f"{_kinds(variety.kinds)}, as varied as {variety.effective:.0f} equally frequent ones{fullest}"


def _kinds(count: int) -> str:
    return f"{count:,} kind{'' if count == 1 else 's'} of image"


def _pairs(pairs: PairsSummary) -> str:
    """
    >>> _pairs(PairsSummary("hr", 4, 2.0, -0.001, 0.25, 0.0, "box", 0.75))
    'GT and LQ show the same in 4, x2; LQ lies 0.00 pixels right and 0.25 below (medians); kernel: box in 75%, another or not recognised in the rest'
    """  # noqa: E501
    if not pairs.count:
        return "no LQ image shows what its GT image shows"
    plain = share(round(pairs.kernel_share * pairs.count), pairs.count)
    rest = "" if plain == "100%" else ", another or not recognised in the rest"
    kernel = f"kernel: {pairs.kernel} in {plain}{rest}" if pairs.kernel else "kernel not recognised"
    across, down = (f"{round(shift, 2) + 0.0:.2f}" for shift in (pairs.across, pairs.down))
    place = f"LQ lies {across} pixels right and {down} below (medians)"
    return f"GT and LQ show the same in {pairs.count:,}, x{pairs.scale:.3g}; {place}; {kernel}"


# What each reason is, for `autocal explain` and the docs.


def told_reasons() -> dict[str, list[str]]:
    """By reason what it means, and for each of its rules the bounds, the measure with its unit, and the source."""
    table, told = tomllib.loads(preset_text("curation.toml")), dict[str, list[str]]()
    for code, meaning in table["meaning"].items():
        rules = [rule for rule in table["rule"] if rule["reason"] == code]
        named = [f"{rule['measure']}: " if len(rules) > 1 else "" for rule in rules]
        bounds = (_told(rule, table["unit"][rule["measure"]]) for rule in rules)
        told[code] = [meaning, *map("".join, zip(named, bounds, strict=True))]
        if not rules:
            told[code].append({"drop": "Drop.", "look": "Look at."}[FIXED.get(code, "drop")])
    return told


def _told(rule: Mapping[str, Any], unit: str) -> str:
    levels = {"look": "look at", "drop": "drop"}
    bounds = [f"{told} {rule['when']} {rule[level]:g}" for level, told in levels.items() if level in rule]
    only = " Not of drawings." if rule.get("photographs") else ""
    wide = (
        f" At least {rule['deviations']} robust standard deviations from the set's median."
        if "deviations" in rule
        else ""
    )
    return f"{', '.join(bounds).capitalize() or 'No bound'}: {unit}.{only}{wide} Source: {rule['source']}."


def reason_view(code: str, told: Sequence[str]) -> list[RenderableType]:
    """A reason as a person reads it in a terminal."""
    head = f"{code}: why `autocal analyze-dataset` drops an image or has it looked at"
    if code == "surplus":
        change = "--choose N sets how many images are kept."
    elif code in FIXED and code != "small":
        change = f"--threshold {code}=look, drop or off sets what it comes to."
    else:
        measures = [rule.measure for rule in load_policy().rules if rule.reason == code]
        named = " or ".join(f"{name}=NUMBER" for name in (measures if len(measures) > 1 else [code]))
        change = THRESHOLDS.replace("REASON=NUMBER", named).replace("REASON", code)
    return [Text(line) for line in (head, "", *told, "", change)]


THRESHOLDS = "--threshold REASON=NUMBER sets the bound of dropping, REASON=look, drop or off what it comes to."


# What each bound would cost, for `--plan`.


def plan_view(report: DatasetReport, costs: Sequence[Cost], offers: Sequence[Choice] = ()) -> list[RenderableType]:
    """A line a reason: what it drops, and what for this reason alone. A line a measure: what it would drop at other
    bounds. And what is left of the variety in a choice of fewer images.
    """
    shown = table("reason", "look at", "drop", "for this alone", header="bold", right=(1, 2, 3))
    bounds = table_without_head("bold", None)
    for cost in costs:
        shown.add_row(cost.reason, f"{cost.look:,}", f"{cost.drop:,}", f"{cost.alone:,}")
        for curve in cost.curves:
            bounds.add_row(curve.measure, Columns(_told_curve(curve), padding=(0, 2), equal=True))
    told = f"{verdicts(report.curation)} of {report.curation.images:,}; nothing was written"
    lines = [
        f"--choose {offer.count}: {_kinds(offer.kinds)} (the {offer.count:,} most complex: {offer.complex:,})"
        for offer in offers
    ]
    head = Text("dropped at other bounds of --threshold, the one in force in brackets:")
    others = (Text(), head, bounds) if bounds.row_count else ()
    variety = Text(f"variety: {about_variety(report.variety)}")
    return [shown, *others, Text(), variety, *map(Text, lines), Text(), Text(told, style="bold")]


def _told_curve(curve: Curve) -> Iterator[str]:
    for bound, count in curve.points:
        told = f"{bound_of(bound)}: {count:,}"
        yield f"({told})" if bound == curve.bound else told


# A histogram in one line of text.

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#%"  # as many levels, for terminals without block characters


def sparkline(counts: Sequence[int], width: int, blocks: bool = True) -> str:
    """Counts as `width` characters, neighbours added together, as ` ▁▄█`; the fullest is as high as can be."""
    size = len(counts) // width
    sums = [sum(counts[i * size : (i + 1) * size]) for i in range(width)]
    levels, most = BLOCKS if blocks else ASCII, max(1, *sums)
    return "".join(levels[-(-count * (len(levels) - 1) // most)] for count in sums)  # rounded up: what is there is seen


# A table, one row an image, read or not.


def dataset_csv(report: DatasetReport) -> Iterator[str]:
    """The lines of the table, in order of path, each with its line feed. What is not known of an image is empty."""
    failures = report.fingerprint.failures
    failed = ({"path": one.path, "status": "failed", "reason": one.reason} for one in failures)
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for line in merge(map(_csv_row, report.rows), failed, key=lambda line: str(line["path"])):
        yield text.getvalue()
        text.truncate(text.seek(0))
        path = str(line["path"])
        found = report.curation.reasons.get(path, ())
        reasons = " ".join(reason.code for reason in found)
        drops = " ".join(reason.code for reason in found if reason.severity == "drop")
        verdict = report.curation.verdict(path)
        writer.writerow({**line, "verdict": verdict, "reasons": reasons, "drop_reasons": drops})
    yield text.getvalue()


def _csv_row(row: ImageRow) -> dict[str, Any]:
    facts, pair = row.facts, row.facts.pair
    names = ("path", NATIVE, "grey", "alpha", "deviation", "entropy", "sha256", "model")
    known: dict[str, Any] = {name: getattr(facts, name) for name in names} | asdict(facts.traces)
    known |= {"status": "read", "width": row.width, "height": row.height, OVERALL: row.overall}
    known |= {f"{name}_raw": value for name, value in zip(METRIC_NAMES, row.raw, strict=True)}
    known |= zip((*METRIC_NAMES, "red", "green", "blue"), (*row.scores, *facts.mean), strict=True)
    known |= {name: str(known[name]).lower() for name in ("grey", "alpha", "drawn")}
    known["perceptual_hash"] = f"{facts.perceptual_hash:016x}"
    if pair and pair.lq:
        known["lq"] = pair.lq
        known |= {f"lq_{name}": getattr(pair, name) for name in PAIR_NUMBERS if not pair.problem}
    return known
