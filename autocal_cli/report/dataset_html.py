"""A scanned dataset as one self-contained page that loads nothing, under 2 MB: `templates/dataset.html`, filled."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from autocal_cli.dataset.curation import Cost
from autocal_cli.dataset.facts import FULL_SCALE
from autocal_cli.dataset.model import (
    NATIVE,
    OF,
    OVERALL,
    PAGE_GENERATOR,
    DatasetFingerprint,
    DatasetReport,
    MetricSummary,
    NativeSharpness,
)
from autocal_cli.dataset.sampling import OVERALL_WEIGHTS
from autocal_cli.errors import Finding
from autocal_cli.report.calibration import METRIC_LABELS, interval
from autocal_cli.report.console import one_line
from autocal_cli.report.dataset import LABELS, HealthLine, counts, health_lines, short_name, where
from autocal_cli.version import __version__

_MADE_OF = " + ".join(
    f"{weight:g} {name}" for weight, name in zip(OVERALL_WEIGHTS, METRIC_LABELS.values(), strict=True)
)
_LONGEST_NAME = 160  # characters of a path; its end tells most

# Bytes of the page, of which each part gets its share, so that it stays below 2 MB.
_NAMES_BYTES = 300_000  # all names to copy
_TABLE_BYTES = 300_000  # the table of images
_GROUPS_BYTES = 75_000  # the names of copies, or of images that look alike
_EXAMPLES_BYTES = 450_000  # pictures of all reasons
_EXTREMES_BYTES = 600_000  # pictures of the lowest and the highest

MEANINGS: Mapping[str, str] = {
    "unreadable": "The file cannot be decoded; training ends, or skips it without a word, where it is drawn.",
    "small": "A side is shorter than the training's crop.",
    "flat": "It shows next to nothing, and teaches nothing.",
    "jpeg-blocks": "Steps along an 8 x 8 grid: a network learns to draw them.",
    "enlarged": "It was enlarged: its resolution holds less detail than it could.",
    "blurred": "Nowhere in it is detail as fine as its resolution could hold: blurred, or enlarged by two.",
    "noise": "Noise even in its quietest places: a network learns to draw it.",
    "halos": "Edges driven into black and white on both sides: sharpened too much.",
    "duplicate": "The same file as another, byte for byte.",
    "near-duplicate": "It looks like another one: resized, recompressed, cropped a little, flipped or turned.",
    "simple": "The network of --model finds it too simple.",
    "surplus": "Not among the images that --choose keeps: there are enough of its kind.",
    "grey": "Without colour, where most others have it.",
    "alpha": "It has transparent pixels, under which trainers see whatever colour was left there.",
    "pair-size": "GT is not the scale times LQ; training ends where it is drawn.",
    "pair-content": "LQ shows something else than GT.",
    "pair-shift": "LQ lies elsewhere on its GT image than in most pairs.",
    "pair-stretch": "LQ shows a larger or smaller part of the scene than GT.",
    "pair-colour": "GT and LQ differ in colour or brightness, more than most do.",
    "pair-kernel": "LQ was made by another kernel than most.",
}


def dataset_page(
    report: DatasetReport, costs: Sequence[Cost] = (), findings: Iterable[Finding] = (), date: str = ""
) -> str:
    """The page: what to do, the images it is about, distributions, findings, extremes; `costs` are the plan's.

    All text that comes from files is escaped, and shortened where it would swell the page.
    """
    environment = Environment(loader=PackageLoader("autocal_cli", "report/templates"), autoescape=True)
    return environment.get_template("dataset.html").render(**_content(report, costs, findings, date)) + "\n"


def _content(report: DatasetReport, costs: Sequence[Cost], findings: Iterable[Finding], date: str) -> dict[str, Any]:
    dataset, curation = report.fingerprint, report.curation
    drop, look = (len(curation.named(verdict)) for verdict in ("drop", "look"))
    images, told = _images(report)
    return {
        "generator": PAGE_GENERATOR,
        "roots": _text(", ".join(dataset.roots)),
        "counts": _text(counts(dataset)),
        "made": _text(", ".join(filter(None, (date, f"autocal {__version__}", where(dataset))))),
        "totals": [
            ("drop", f"{drop:,}", "to drop"),
            ("look", f"{look:,}", "to look at"),
            ("keep", f"{curation.images - drop - look:,}", "to keep"),
        ],
        "reasons": list(_reasons(report, {cost.reason: cost for cost in costs})),
        "images": images,
        "images_told": told,
        "about_scores": _how(dataset),
        "cards": [*(_card(report, name) for name in report.histograms), _sharpness_card(report)],
        "facts": [_fact(line) for line in health_lines(report) if line.label not in curation.by_reason()],
        "findings": [
            {"severity": one.severity, "message": _text(one.message, 2000), "fix": _text(one.fix or "", 2000)}
            for one in findings
        ],
        "extremes": list(_extremes(report)),
    }


def _reasons(report: DatasetReport, costs: Mapping[str, Cost]) -> Iterator[dict[str, Any]]:
    roots, found = report.fingerprint.roots, report.curation.by_reason()
    for code, levels in found.items():
        cost = costs.get(code)
        names = [short_name(path, roots) for path in (*levels["drop"].paths, *levels["look"].paths)]
        shown = _fitting(names, _NAMES_BYTES // len(found))
        yield {
            "code": code,
            "meaning": MEANINGS.get(code, ""),
            "drop": f"{levels['drop'].count:,}" if levels["drop"].count else "",
            "look": f"{levels['look'].count:,}" if levels["look"].count else "",
            "alone": f", {cost.alone:,} for this alone" if cost and cost.alone else "",
            "pictures": _pictures(
                [(one.path, _detail(one.detail, roots), one.jpeg) for one in report.examples.get(code, ())],
                roots,
                _EXAMPLES_BYTES // len(found),
            ),
            "curve": Markup(curve_svg(cost)) if cost and len(cost.curve) > 1 else "",
            "listed": f"{len(names):,}"
            if len(shown) == len(names)
            else f"{len(shown):,} of {len(names):,}; --drop has all",
            "names": "\n".join(shown),
        }


def _detail(detail: str, roots: Sequence[str]) -> str:
    """A reason's detail, the image that it names shortened."""
    return OF + short_name(detail.removeprefix(OF), roots) if detail.startswith(OF) else detail


def _fitting(names: Sequence[str], most: int) -> list[str]:
    """The first names that together take no more than so many bytes, escaped."""
    shown, size = [], 0
    for name in map(one_line, names):
        size += len(Markup.escape(name).encode()) + 1
        if size > most:
            break
        shown.append(name)
    return shown


def _images(report: DatasetReport) -> tuple[list[dict[str, str]], str]:
    """The images with a reason, those to drop first, as many as fit; and how many that are."""
    curation, roots = report.curation, report.fingerprint.roots
    paths = [*curation.named("drop"), *curation.named("look")]
    rows, size = [], 0
    for path in paths:
        why = "; ".join(f"{reason.code}: {_detail(reason.detail, roots)}" for reason in curation.reasons[path])
        row = {"verdict": curation.verdict(path), "name": _text(short_name(path, roots)), "why": _text(why)}
        size += sum(len(Markup.escape(text).encode()) for text in row.values()) + 60
        if size > _TABLE_BYTES:
            break
        rows.append(row)
    told = (
        f"{len(rows):,} images with a reason"
        if len(rows) == len(paths)
        else (f"The first {len(rows):,} of {len(paths):,} images with a reason; --csv lists all")
    )
    return rows, f"{told}."


def _how(dataset: DatasetFingerprint) -> str:
    whole = "all crops that could be drawn" if dataset.crops else "the whole folder"
    sampled = f"; the interval (95%) is that of the mean over {whole}" if _is_sample(dataset) else ""
    return f"Scores are percentiles among ordinary photographs, so 0.5 is an ordinary one{sampled}."


def _is_sample(dataset: DatasetFingerprint) -> bool:
    return dataset.crops is not None or dataset.read + len(dataset.failures) < dataset.found


@dataclass(frozen=True, slots=True)
class _Card:
    title: str
    score: str
    interval: str
    told: str
    drawing: Markup


def _card(report: DatasetReport, name: str) -> _Card:
    dataset = report.fingerprint
    if name == OVERALL:
        mean, ci95, told = dataset.overall_complexity, dataset.overall_ci95, _MADE_OF
    else:
        summary = dataset.metrics[name]
        mean, ci95 = summary.score, summary.ci95
        told = _spread(summary)
    drawing = histogram_svg(report.histograms[name], mean, ci95, f"Histogram of {LABELS[name]}")
    return _framed(name, mean, ci95, told, drawing)


def _sharpness_card(report: DatasetReport) -> _Card:
    native = report.sharpness
    told = f"{_spread(native)}; share of edges in unscaled crops of {native.crop}, no percentile"
    drawing = histogram_svg(native.histogram, native.mean, native.ci95, f"Histogram of {LABELS[NATIVE]}", FULL_SCALE)
    return _framed(NATIVE, native.mean, native.ci95, told, drawing)


def _spread(summary: MetricSummary | NativeSharpness) -> str:
    return f"5% under {summary.p5:.2f}, half under {summary.median:.2f}, 95% under {summary.p95:.2f}"


def _framed(name: str, mean: float, ci95: tuple[float, float], told: str, drawing: str) -> _Card:
    known = interval(ci95) if ci95[0] < ci95[1] else "mean of all images that can be read"
    return _Card(LABELS[name].capitalize(), f"{mean:.3f}", known, told, Markup(drawing))


def _fact(line: HealthLine) -> dict[str, str]:
    names = _fitting(line.names, _GROUPS_BYTES)
    return {"label": line.label, "text": line.text, "first": _text(line.named()), "names": "\n".join(names)}


def _extremes(report: DatasetReport) -> Iterator[dict[str, Any]]:
    share, roots = _EXTREMES_BYTES // (2 * max(1, len(report.extremes))), report.fingerprint.roots
    for name, found in report.extremes.items():
        strips = [
            (label, _pictures([(one.path, f"{one.score:.2f}", one.jpeg) for one in several], roots, share))
            for label, several in (("lowest", found.lowest), ("highest", found.highest))
        ]
        yield {"title": LABELS[name].capitalize(), "strips": strips}


def _pictures(pictures: Iterable[tuple[str, str, bytes]], roots: Sequence[str], most: int) -> list[dict[str, str]]:
    """Pictures with their words, as many as together take no more than so many bytes."""
    shown, size = [], 0
    for path, told, jpeg in pictures:
        data = b64encode(jpeg).decode("ascii")
        size += len(data) + 1_000
        if size > most:
            break
        shown.append({"data": data, "told": _text(told), "name": _text(short_name(path, roots))})
    return shown


def _text(text: str, most: int = _LONGEST_NAME) -> str:
    line = one_line(text)
    return line if len(line) <= most else f"...{line[-most:]}"


def curve_svg(cost: Cost) -> str:
    """How many images a reason would drop at each bound, the one in force marked."""
    bounds, dropped = zip(*cost.curve, strict=True)
    foot = HEIGHT + FOOT - 4
    low, span, most = bounds[0], (bounds[-1] - bounds[0]) or 1.0, max(1, *dropped)
    points = " ".join(
        f"{WIDTH * (bound - low) / span:.1f},{HEIGHT - HEIGHT * count / most:.1f}" for bound, count in cost.curve
    )
    here = WIDTH * (cost.bound - low) / span
    return "\n".join([
        f'<svg viewBox="0 -16 {WIDTH} {HEIGHT + FOOT + 16}" role="img" aria-label="Images dropped by bound">',
        f'<line class="axis" x1="0" y1="{HEIGHT}" x2="{WIDTH}" y2="{HEIGHT}"/>',
        f'<line class="mean" x1="{here:.1f}" y1="-6" x2="{here:.1f}" y2="{HEIGHT}"/>',
        f'<polyline class="line" points="{points}"/>',
        f'<text x="0" y="{foot}">{bounds[0]:.2g}</text>',
        f'<text x="{WIDTH // 2}" y="{foot}" text-anchor="middle">dropped by bound of {cost.measure}</text>',
        f'<text x="{WIDTH}" y="{foot}" text-anchor="end">{bounds[-1]:.2g}</text>',
        f'<text x="0" y="-6">at most {most:,}</text>',
        "</svg>",
    ])  # fmt: skip


# A histogram of scores as an inline SVG that takes its colours from the page.


WIDTH, HEIGHT, FOOT = 300, 84, 18  # units of the drawing; the foot holds the axis
GAP = 2.0


def histogram_svg(counts: Sequence[int], mean: float, ci95: tuple[float, float], label: str, end: float = 1.0) -> str:
    """Bars over 0..`end`, the mean as a line, its interval as a band. `label`, plain ASCII words, names it."""
    step, most = WIDTH / len(counts), max(1, *counts)
    told = [_told(end / len(counts), end * i / len(counts), count) for i, count in enumerate(counts)]
    bars = [_bar(i * step, step, HEIGHT * count / most, told[i]) for i, count in enumerate(counts)]
    low, high = (WIDTH * min(bound, end) / end for bound in ci95)
    middle = WIDTH * min(mean, end) / end
    ticks = [
        f'<text x="{x}" y="{HEIGHT + FOOT - 4}" text-anchor="{anchor}">{value}</text>'
        for x, anchor, value in ((0, "start", "0"), (WIDTH // 2, "middle", f"{end / 2:g}"), (WIDTH, "end", f"{end:g}"))
    ]
    return "\n".join([
        f'<svg viewBox="0 -4 {WIDTH} {HEIGHT + FOOT + 4}" role="img" aria-label="{label}">',
        f'<rect class="band" x="{low:.1f}" y="-4" width="{high - low:.1f}" height="{HEIGHT + 4}"/>',
        *bars,
        f'<line class="axis" x1="0" y1="{HEIGHT}" x2="{WIDTH}" y2="{HEIGHT}"/>',
        f'<line class="mean" x1="{middle:.1f}" y1="-4" x2="{middle:.1f}" y2="{HEIGHT}"/>',
        *ticks,
        "</svg>",
    ])  # fmt: skip


def _bar(left: float, step: float, height: float, told: str) -> str:
    size = f'width="{step - GAP:.1f}" height="{height:.1f}"'
    return f'<rect class="bar" x="{left + GAP / 2:.1f}" y="{HEIGHT - height:.1f}" {size}><title>{told}</title></rect>'


def _told(step: float, first: float, count: int) -> str:
    digits = 2 if step >= 0.05 else 3
    return f"{first:.{digits}f} to {first + step:.{digits}f}: {count:,}"
