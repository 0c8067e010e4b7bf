"""A scanned dataset as one self-contained page: no scripts, nothing loaded from anywhere, under 2 MB."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from autocal_cli.dataset.facts import FULL_SCALE
from autocal_cli.dataset.model import (
    NATIVE,
    OVERALL,
    PAGE_GENERATOR,
    DatasetFingerprint,
    DatasetReport,
    Extreme,
    MetricSummary,
    NativeSharpness,
)
from autocal_cli.dataset.sampling import OVERALL_WEIGHTS
from autocal_cli.report.calibration import METRIC_LABELS, interval
from autocal_cli.report.console import one_line
from autocal_cli.report.dataset import LABELS, HealthLine, counts, health_lines, short_name

_MADE_OF = " + ".join(
    f"{weight:g} {name}" for weight, name in zip(OVERALL_WEIGHTS, METRIC_LABELS.values(), strict=True)
)
_SHOWN_FAILURES = 500
_LONGEST_NAME = 160  # characters of a path; its end tells most


def dataset_page(report: DatasetReport) -> str:
    """The page. All text that comes from files is escaped, and shortened where it would swell the page."""
    dataset = report.fingerprint
    parts = [
        f'<h1>{_text(", ".join(dataset.roots))}</h1>\n<p>{_text(counts(dataset))}.<br><span class="dim">'
        f"{_text(_how(dataset))}</span></p>",
        f'<h2>Complexity</h2>\n<div class="cards">{"".join(_card(report, name) for name in report.histograms)}'
        f"{_sharpness_card(report)}</div>",
        f"<h2>Health</h2>\n<table>{''.join(map(_health_row, health_lines(report.health, dataset.roots)))}</table>",
        "<h2>Lowest and highest</h2>",
        *(_strips(report, name) for name in report.extremes),
        *([_failures(dataset)] if dataset.failures else []),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="generator" content="{PAGE_GENERATOR}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>autocal analyze-dataset</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _how(dataset: DatasetFingerprint) -> str:
    whole = "all crops that could be drawn" if dataset.crops else "the whole folder"
    sampled = f"; the interval (95%) is that of the mean over {whole}" if _is_sample(dataset) else ""
    return f"Scores are percentiles among ordinary photographs, so 0.5 is an ordinary one{sampled}"


def _is_sample(dataset: DatasetFingerprint) -> bool:
    return dataset.crops is not None or dataset.read + len(dataset.failures) < dataset.found


def _card(report: DatasetReport, name: str) -> str:
    dataset = report.fingerprint
    if name == OVERALL:
        mean, ci95, told = dataset.overall_complexity, dataset.overall_ci95, _MADE_OF
    else:
        summary = dataset.metrics[name]
        mean, ci95 = summary.score, summary.ci95
        told = _spread(summary)
    drawing = histogram_svg(report.histograms[name], mean, ci95, f"Histogram of {LABELS[name]}")
    return _framed(name, mean, ci95, told, drawing)


def _sharpness_card(report: DatasetReport) -> str:
    native = report.sharpness
    told = f"{_spread(native)}; share of edges in unscaled crops of {native.crop}, no percentile"
    drawing = histogram_svg(native.histogram, native.mean, native.ci95, f"Histogram of {LABELS[NATIVE]}", FULL_SCALE)
    return _framed(NATIVE, native.mean, native.ci95, told, drawing)


def _spread(summary: MetricSummary | NativeSharpness) -> str:
    return f"5% under {summary.p5:.2f}, half under {summary.median:.2f}, 95% under {summary.p95:.2f}"


def _framed(name: str, mean: float, ci95: tuple[float, float], told: str, drawing: str) -> str:
    known = interval(ci95) if ci95[0] < ci95[1] else "mean of all images that can be read"
    score = f'<span class="score">{mean:.3f}</span><span class="dim">{known}</span>'
    return (
        f'\n<div class="card"><h3>{LABELS[name].capitalize()}</h3>{score}<div class="dim">{told}</div>{drawing}</div>'
    )


def _health_row(line: HealthLine) -> str:
    unlisted = f"<li>and {line.count - len(line.names):,} more</li>" if line.count > len(line.names) else ""
    names = "".join(f"<li>{_text(name)}</li>" for name in line.names) + unlisted
    listed = f"<details><summary>{_text(line.named())}</summary><ul>{names}</ul></details>" if names else ""
    style = ' class="warn"' if names else ""
    return f"\n<tr><th>{_text(line.label)}</th><td><span{style}>{_text(line.text)}</span>{listed}</td></tr>"


def _strips(report: DatasetReport, name: str) -> str:
    extremes, roots = report.extremes[name], report.fingerprint.roots
    rows = [("lowest", extremes.lowest), ("highest", extremes.highest)]
    strips = "".join(
        f'\n<div class="strip"><span>{label}</span>{"".join(_figure(one, roots) for one in found)}</div>'
        for label, found in rows
    )
    return f"<h3>{LABELS[name].capitalize()}</h3>{strips}"


def _figure(one: Extreme, roots: Sequence[str]) -> str:
    data, name = b64encode(one.jpeg).decode("ascii"), _text(short_name(one.path, roots))
    image = f'<img alt="" src="data:image/jpeg;base64,{data}">'
    return f"<figure>{image}<figcaption><b>{one.score:.2f}</b> {name}</figcaption></figure>"


def _failures(dataset: DatasetFingerprint) -> str:
    shown, count = dataset.failures[:_SHOWN_FAILURES], len(dataset.failures)
    rows = "".join(
        f"\n<tr><td>{_text(short_name(issue.path, dataset.roots))}</td><td>{_text(issue.reason)}</td></tr>"
        for issue in shown
    )
    more = f'\n<p class="dim">... and {count - len(shown):,} more; --csv lists all.</p>' if count > len(shown) else ""
    return f'<h2>Could not be read</h2>\n<table class="failed">{rows}</table>{more}'


def _text(text: str) -> str:
    line = one_line(text)
    return escape(line if len(line) <= _LONGEST_NAME else f"...{line[-_LONGEST_NAME:]}")


# How the page of a dataset looks, in light and in dark.


STYLE = """
:root { color-scheme: light dark; --paper: #fdfdfc; --card: #fff; --ink: #1f2328; --dim: #626a73; --line: #dcdfe3;
  --bar: #3b7dd8; --band: #f0a94a55; --mean: #b45f06; --warn: #9a4d00; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --card: #1c2024; --ink: #e4e7ea; --dim: #9aa3ad; --line: #33393f;
    --bar: #6aa5f0; --band: #f0a94a44; --mean: #ffbf69; --warn: #ffb35c; }
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1060px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: .95rem; margin: 1.2rem 0 .4rem; }
p { margin: 0; max-width: 52rem; }
.dim { color: var(--dim); overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1.1rem .7rem; }
.card h3 { margin: 0; }
.score { font-size: 1.6rem; font-weight: 600; font-variant-numeric: tabular-nums; margin-right: .6rem; }
svg { display: block; width: 100%; height: auto; margin-top: .6rem; }
svg text { fill: var(--dim); font: 11px system-ui, sans-serif; }
.bar { fill: var(--bar); } .band { fill: var(--band); }
.axis { stroke: var(--line); } .mean { stroke: var(--mean); stroke-width: 1.5; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem 1rem .35rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; width: 1%; }
td { overflow-wrap: anywhere; }
details { color: var(--dim); } summary { cursor: pointer; } details ul { margin: .3rem 0; padding-left: 1.2rem; }
.strip { display: grid; grid-template-columns: 4rem repeat(5, minmax(0, 1fr)); gap: .7rem; margin: .4rem 0; }
.strip > span { color: var(--dim); padding-top: .2rem; }
figure { margin: 0; min-width: 0; }
figure img { display: block; width: 100%; height: 6.5rem; object-fit: contain; object-position: left bottom; }
figcaption { font-size: .8rem; line-height: 1.3; color: var(--dim); overflow-wrap: anywhere; margin-top: .25rem; }
figcaption b { color: var(--ink); font-variant-numeric: tabular-nums; }
.failed td:first-child { width: 50%; } .warn { color: var(--warn); }
@media (max-width: 620px) {
  .strip { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .strip > span { grid-column: 1 / -1; }
}
"""


# A histogram of scores as an inline SVG that takes its colours from the page.


WIDTH, HEIGHT, FOOT = 300, 84, 16  # units of the drawing; the foot holds the axis
GAP = 2.0


def histogram_svg(counts: Sequence[int], mean: float, ci95: tuple[float, float], label: str, end: float = 1.0) -> str:
    """Bars over 0..`end`, the mean as a line, its interval as a band. `label`, plain ASCII words, names it."""
    step, most = WIDTH / len(counts), max(1, *counts)
    told = [_told(end / len(counts), end * i / len(counts), count) for i, count in enumerate(counts)]
    bars = [_bar(i * step, step, HEIGHT * count / most, told[i]) for i, count in enumerate(counts)]
    low, high = (WIDTH * min(bound, end) / end for bound in ci95)
    middle = WIDTH * min(mean, end) / end
    ticks = [
        f'<text x="{x}" y="{HEIGHT + FOOT - 2}" text-anchor="{anchor}">{value}</text>'
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
