"""A scanned dataset as one self-contained page: no scripts, nothing loaded from anywhere, under 2 MB."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from autocal_cli.dataset.record import DatasetFingerprint, MetricSummary
from autocal_cli.dataset.report_record import NATIVE, OVERALL, PAGE_GENERATOR, DatasetReport, Extreme, NativeSharpness
from autocal_cli.dataset.sampling import OVERALL_WEIGHTS
from autocal_cli.dataset.sharpness import FULL_SCALE
from autocal_cli.report.dataset_style import STYLE
from autocal_cli.report.dataset_terminal import LABELS, counts
from autocal_cli.report.health_text import HealthLine, health_lines, short_name
from autocal_cli.report.histogram_svg import histogram_svg
from autocal_cli.report.output import one_line
from autocal_cli.report.terminal import METRIC_LABELS, interval

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
