"""A scanned dataset as one self-contained page that loads nothing, under 2 MB: `templates/dataset.html`, filled."""

from __future__ import annotations

import tomllib
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any, TypeVar

from markupsafe import Markup

from autocal_cli.dataset.facts import FULL_SCALE
from autocal_cli.dataset.model import (
    NATIVE,
    OVERALL,
    PAGE_GENERATOR,
    DatasetFingerprint,
    DatasetReport,
    MetricSummary,
    NativeSharpness,
)
from autocal_cli.dataset.plan import Cost, Curve
from autocal_cli.dataset.sampling import OVERALL_WEIGHTS
from autocal_cli.errors import Finding
from autocal_cli.packaged import preset_text
from autocal_cli.report.calibration import METRIC_LABELS, interval
from autocal_cli.report.console import filled, one_line
from autocal_cli.report.dataset import (
    LABELS,
    LEVELS,
    bound_of,
    counts,
    health_lines,
    not_judged,
    short_detail,
    short_name,
    where,
)
from autocal_cli.version import __version__

_LONGEST_NAME = 160  # characters of a path; its end tells most
_WIDTH, _HEIGHT = 300, 84  # units of a drawing without its foot, as the template has them

# Bytes of the page, of which each part gets its share, so that it stays below 2 MB.
_NAMES_BYTES = 300_000  # all names to copy
_TABLE_BYTES = 300_000  # the table of images
_GROUPS_BYTES = 75_000  # the names of copies, or of images that look alike
_EXAMPLES_BYTES = 450_000  # pictures of all reasons
_EXTREMES_BYTES = 600_000  # pictures of the lowest and the highest

Item = TypeVar("Item")


def dataset_page(
    report: DatasetReport, costs: Sequence[Cost] = (), findings: Iterable[Finding] = (), date: str = ""
) -> str:
    """The page: what to do, the images it is about, distributions, findings, extremes; `costs` are the plan's.

    All text that comes from files is escaped, and shortened where it would swell the page.
    """
    dataset, curation = report.fingerprint, report.curation
    images, images_told = _images(report)
    page = filled(
        "dataset.html",
        generator=PAGE_GENERATOR,
        roots=_text(", ".join(root if Path(root).name else str(Path(root).absolute()) for root in dataset.roots)),
        folder=_folder(dataset.roots),
        counts=shorten(one_line(counts(report)), 1_000, placeholder=" ..."),
        not_judged=not_judged(report),
        made=_text(", ".join(filter(None, (date, f"autocal {__version__}", where(dataset))))),
        totals=[
            (verdict, f"{count:,}", f"to {'look at' if verdict == 'look' else verdict}")
            for verdict, count in curation.totals.items()
        ],
        reasons=list(_reasons(report, {cost.reason: cost for cost in costs})),
        images=images,
        images_told=images_told,
        about_scores=_about_scores(dataset),
        cards=list(_cards(report)),
        facts=[
            {
                "label": line.label,
                "text": line.text,
                "first": _text(line.named()),
                "names": _grouped(line.groups(False)),
            }
            for line in health_lines(report)
            if line.label not in curation.by_reason()
        ],
        findings=[
            {"severity": one.severity, "message": _text(one.message, 2000), "fix": _text(one.fix or "", 2000)}
            for one in findings
        ],
        extremes=list(_extremes(report)),
    )
    return f"{page}\n"


def _folder(roots: Sequence[str]) -> str:
    """The address below which the names on the page lie, so that a link opens the image."""
    one = Path(roots[0]) if len(roots) == 1 and Path(roots[0]).is_dir() else Path.cwd()
    return f"{one.absolute().as_uri().rstrip('/')}/"


def _reasons(report: DatasetReport, costs: Mapping[str, Cost]) -> Iterator[dict[str, Any]]:
    meanings = tomllib.loads(preset_text("curation.toml"))["meaning"]
    roots, found = report.fingerprint.roots, report.curation.by_reason()
    # One example of each reason, then a second one of each, and so on, as many as fit.
    turns = sorted((turn, code) for code in found for turn in range(len(report.examples.get(code, ()))))
    fitting = _fitting(turns, lambda one: 4 * len(report.examples[one[1]][one[0]].jpeg) // 3 + 1_004, _EXAMPLES_BYTES)
    shown = Counter(code for _, code in fitting)
    for code, levels in found.items():
        cost = costs.get(code)
        lists = []
        for level, word in LEVELS.items():
            if total := levels[level].count:
                names = (short_name(path, roots) for path in levels[level].paths)
                listed, count = _names(names, _NAMES_BYTES // (2 * len(found)))
                some = "" if count == total else f": {count:,} of {total:,}; --csv has all"
                lists.append({"level": level, "head": f"{total:,} to {word}", "some": some, "names": listed})
        examples = report.examples.get(code, ())[: shown[code]]
        pictures = [(one.path, short_detail(one.detail, roots), one.jpeg) for one in examples]
        yield {
            "code": code,
            "meaning": meanings.get(code, ""),
            "alone": f", {cost.alone:,} for this alone" if cost and cost.alone else "",
            "pictures": _pictures(pictures, roots, _EXAMPLES_BYTES),
            "curves": [_curve(one) for one in cost.curves if len(one.points) > 1] if cost else [],
            "lists": lists,
        }


def _curve(curve: Curve) -> dict[str, str]:
    """How many images a reason would drop at each bound, the one in force marked."""
    bounds, dropped = zip(*curve.points, strict=True)
    span, most = (bounds[-1] - bounds[0]) or 1.0, max(1, *dropped)
    across = [f"{_WIDTH * (bound - bounds[0]) / span:.1f}" for bound in (*bounds, curve.bound)]
    down = [f"{_HEIGHT - _HEIGHT * count / most:.1f}" for count in dropped]
    return {
        "here": across.pop(),
        "points": " ".join(f"{x},{y}" for x, y in zip(across, down, strict=True)),
        "first": bound_of(bounds[0]),
        "last": bound_of(bounds[-1]),
        "bound": f"{bound_of(curve.bound)}: {dict(curve.points).get(curve.bound, 0):,}",
        "measure": curve.measure,
        "most": f"{most:,}",
    }


def _images(report: DatasetReport) -> tuple[list[dict[str, str]], str]:
    """The images with a reason, those to drop first, as many as fit; and how many that are."""
    curation, roots = report.curation, report.fingerprint.roots

    def row(path: str) -> dict[str, str]:
        why = "; ".join(f"{reason.code}: {short_detail(reason.detail, roots)}" for reason in curation.reasons[path])
        return {"verdict": curation.verdict(path), "name": _text(short_name(path, roots)), "why": _text(why)}

    paths = [*curation.named("drop"), *curation.named("look")]
    rows = _fitting(map(row, paths), lambda one: sum(map(_bytes, one.values())) + 60, _TABLE_BYTES)
    if len(rows) == len(paths):
        return rows, f"{len(rows):,} image{'' if len(rows) == 1 else 's'} with a reason."
    return rows, f"The first {len(rows):,} of {len(paths):,} images with a reason; --csv lists all."


def _about_scores(dataset: DatasetFingerprint) -> str:
    whole = "all crops that could be drawn" if dataset.crops else "the whole folder"
    is_sample = dataset.crops is not None or dataset.read + len(dataset.failures) < dataset.found
    sampled = f"; the interval (95%) is that of the mean over {whole}" if is_sample else ""
    return f"Scores are percentiles among ordinary photographs, so 0.5 is an ordinary one{sampled}."


def _cards(report: DatasetReport) -> Iterator[dict[str, Any]]:
    """Each metric with its mean, its interval, its spread and its histogram; the native sharpness at last."""
    dataset, native = report.fingerprint, report.sharpness
    for name, bars in report.histograms.items():
        if name == OVERALL:
            weights = zip(OVERALL_WEIGHTS, METRIC_LABELS.values(), strict=True)
            told = " + ".join(f"{weight:g} {label}" for weight, label in weights)
            yield _card(name, dataset.overall_complexity, dataset.overall_ci95, told, bars)
        else:
            summary = dataset.metrics[name]
            yield _card(name, summary.score, summary.ci95, _spread(summary), bars)
    told = f"{_spread(native)}; share of edges in unscaled crops of {native.crop}, no percentile"
    yield _card(NATIVE, native.mean, native.ci95, told, native.histogram, FULL_SCALE)


def _spread(summary: MetricSummary | NativeSharpness) -> str:
    return f"5% under {summary.p5:.2f}, half under {summary.median:.2f}, 95% under {summary.p95:.2f}"


def _card(
    name: str, mean: float, ci95: tuple[float, float], told: str, counts: Sequence[int], end: float = 1.0
) -> dict[str, Any]:
    """The histogram has bars over 0..`end`, the mean as a line, its interval as a band."""
    step, share, most = _WIDTH / len(counts), end / len(counts), max(1, *counts)
    digits, gap = 2 if share >= 0.05 else 3, 2.0
    low, high, middle = (_WIDTH * min(bound, end) / end for bound in (*ci95, mean))
    bars = []
    for i, count in enumerate(counts):
        first = end * i / len(counts)
        says = f"{first:.{digits}f} to {first + share:.{digits}f}: {count:,}"
        bars.append((f"{i * step + gap / 2:.1f}", f"{step - gap:.1f}", _HEIGHT * count / most, says))
    return {
        "title": LABELS[name].capitalize(),
        "score": f"{mean:.3f}",
        "interval": interval(ci95) if ci95[0] < ci95[1] else "mean of all images that can be read",
        "told": told,
        "bars": {
            "name": LABELS[name],
            "counts": bars,
            "low": f"{low:.1f}",
            "wide": f"{high - low:.1f}",
            "mean": f"{middle:.1f}",
            "end": end,
        },
    }


def _extremes(report: DatasetReport) -> Iterator[dict[str, Any]]:
    share, roots = _EXTREMES_BYTES // (2 * max(1, len(report.extremes))), report.fingerprint.roots
    for name, found in report.extremes.items():
        strips = [
            (label, _pictures([(one.path, f"{one.score:.2f}", one.jpeg) for one in several], roots, share))
            for label, several in (("lowest", found.lowest), ("highest", found.highest))
        ]
        yield {"title": LABELS[name].capitalize(), "strips": strips}


def _pictures(pictures: Iterable[tuple[str, str, bytes]], roots: Sequence[str], most: int) -> list[dict[str, str]]:
    """Pictures with their words, as many as fit."""
    shown = (
        {"data": b64encode(jpeg).decode("ascii"), "told": _text(told), "name": _text(short_name(path, roots))}
        for path, told, jpeg in pictures
    )
    return _fitting(shown, lambda one: len(one["data"]) + 1_000, most)


def _names(names: Iterable[str], most: int = _GROUPS_BYTES) -> tuple[str, int]:
    """As many as fit, one a line, and how many these are."""
    shown = _fitting(map(one_line, names), lambda name: _bytes(name) + 1, most)
    return "\n".join(shown), len(shown)


def _grouped(groups: Iterable[Iterable[str]]) -> str:
    """As many names as fit, one a line, and an empty line between groups."""
    return _names(name for group in groups for name in (*group, ""))[0].rstrip()


def _fitting(items: Iterable[Item], size_of: Callable[[Item], int], most: int) -> list[Item]:
    """The first items that together take no more than so many bytes."""
    shown, size = [], 0
    for item in items:
        size += size_of(item)
        if size > most:
            break
        shown.append(item)
    return shown


def _bytes(text: str) -> int:
    return len(Markup.escape(text).encode())


def _text(text: str, most: int = _LONGEST_NAME) -> str:
    line = one_line(text)
    return line if len(line) <= most else f"...{line[-most:]}"
