"""What happened in a training, as a person and a program read it: ten lines, two runs side by side, JSON, a page."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import PurePath

from rich.table import Table
from rich.text import Text

from autocal_cli.diagnose.checkpoints import metric_series
from autocal_cli.diagnose.model import Diagnosis, RunLog
from autocal_cli.diagnose.verdict import FAULTS
from autocal_cli.diagnose.view import FARTHEST, Reduced, reduce_track, within
from autocal_cli.report.console import SEVERITY_STYLE, filled, one_line, table, table_without_head

GENERATOR = "autocal diagnose"
WIDTH, HEIGHT = 640.0, 150.0  # of a chart's plane, in the units of its view box
NUMBERS = 60_000  # on a page in all: about 1.2 MB with their paths
FEWEST, MOST = 60, 600  # buckets of a curve
COLOURS = 8

# The charts in their order: whether they are logarithmic, and how their labels begin, of which the longest counts.
CHARTS: dict[str, tuple[bool, tuple[str, ...]]] = {
    "generator's losses": (True, ("l_",)),
    "metrics": (False, ()),
    "discriminator's losses": (True, ("l_d_",)),
    "discriminator's outputs": (False, ("out_d_",)),
    "separation": (False, ("autocal/",)),
    "cost, dB": (False, ("autocal/cost",)),
    "multipliers": (False, ("",)),
    "learning rate": (True, ("lr",)),
    "norms of gradients": (True, ("grad_norm_",)),
    "loss scale": (True, ("scale_",)),
    "seconds a step": (False, ("time", "data_time")),
}
_MARKS = {"error": "✗", "warning": "!", "info": "·"}


def diagnosis_view(found: Diagnosis) -> Table:
    """The verdict: one row a topic, the gravest of it as its mark."""
    table = table_without_head(None, None, None)
    for line in found.lines:
        style = SEVERITY_STYLE[line.severity] if line.severity != "info" else ""
        mark = Text(_MARKS[line.severity], style=style)
        table.add_row(mark, Text(line.topic, style="bold" if style else "dim"), Text(one_line(line.text), style=style))
    return table


def verdict_texts(found: Diagnosis) -> dict[str, str]:
    """The same lines as plain texts, by topic."""
    return {line.topic: f"{_MARKS[line.severity]} {line.topic}: {one_line(line.text)}" for line in found.lines}


def news(found: Diagnosis, shown: Mapping[str, str], ended: bool) -> dict[str, str]:
    """What to show of a run that is followed: lines of which more than numbers changed, or that a validation moves; at
    its end every line that changed."""
    exact = ("progress", "checkpoint", *(("fidelity",) if found.metrics else ()))

    def said(topic: str, text: str) -> str:
        return text if ended or topic in exact else re.sub(r"[-+]?\d[\d.,e+-]*", "#", text)

    lines = verdict_texts(found).items()
    return {topic: text for topic, text in lines if said(topic, text) != said(topic, shown.get(topic, ""))}


def unknown_view(found: Diagnosis) -> Iterator[Text]:
    """What the logs cannot tell."""
    for text in found.unknown:
        yield Text(f"cannot be told: {one_line(text)}", style="dim")


def comparison_of_runs(a: Diagnosis, b: Diagnosis, names: tuple[str, str]) -> Table:
    """Two verdicts side by side, topic by topic, headed by what their paths do not share."""
    paths = [PurePath(name).parts for name in names]
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(*(parts[:-1] for parts in paths), strict=False))
    shared = len(list(alike))
    heads = [one_line(str(PurePath(*parts[shared:]))) for parts in paths]
    beside = table("", *heads, header="bold", wraps=(0, 1, 2))
    beside.padding = (0, 2, 1, 0)
    sides = [{line.topic: line for line in found.lines} for found in (a, b)]
    for topic in dict.fromkeys([*sides[0], *sides[1]]):
        cells = []
        for side in sides:
            line = side.get(topic)
            style = SEVERITY_STYLE[line.severity] if line and line.severity != "info" else ""
            cells.append(Text(one_line(line.text) if line else "", style=style))
        beside.add_row(Text(topic, style="dim"), *cells)
    return beside


# The page: one self-contained file that loads nothing, `templates/diagnose.html` filled. A curve of a million points is
# drawn as a band between the least and the greatest value of each bucket, with its mean as a line: nothing that was
# logged lies outside what is drawn. The curves are SVG, so that only the linked cursor needs a few lines of script.


def diagnosis_page(found: Diagnosis, other: Diagnosis | None = None) -> str:
    """The page of a run; of two where there is another, whose curves are drawn dashed in the same charts."""
    sides = 2 if other else 1
    charts = charts_of(found.log, _marks(found), 0, sides)
    if other:
        charts = merged(charts, charts_of(other.log, (), 1, sides))
    span = span_of(charts)
    data = [
        [(one.points.iterations, [_short(y) for y in one.points.means]) for one in chart.curves] for chart in charts
    ]
    return filled(
        "diagnose.html",
        generator=GENERATOR,
        runs=[one for one in (found, other) if one],
        charts=[_drawn(chart, span) for chart in charts],
        ticks=[(tick, place_x(tick, span), f"{tick:,}") for tick in iteration_ticks(span)],
        width=WIDTH,
        height=HEIGHT,
        span=span,
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),  # for the cursor
        line=one_line,
        faults=FAULTS,
    )


def _marks(found: Diagnosis) -> tuple[tuple[int, str], ...]:
    """Where something began, was resumed, or the scheduler acted."""
    shown = [one for one in found.findings if one.severity != "info" or one.code in ("resumed", "spike")]
    marks = [(one.iteration, f"{one.code}: {one.evidence}") for one in shown if one.iteration is not None]
    events = [one for one in found.log.events if one.kind == "scheduler"][:200]
    marks += [(one.iteration, f"scheduler: {one.loss}: {one.cause}".replace(" *:", "")) for one in events]
    return tuple(marks)


def _drawn(chart: Chart, span: tuple[int, int]) -> dict[str, object]:
    scale = scale_of(chart)
    labels = list(dict.fromkeys(curve.points.label for curve in chart.curves))
    return {
        "title": chart.title,
        "logarithmic": scale.logarithmic,
        "curves": [
            {
                "label": curve.points.label,
                "side": curve.side,
                "colour": labels.index(curve.points.label) % COLOURS,
                "band": band_path(curve, scale, span),
                "line": line_path(curve, scale, span),
            }
            for curve in chart.curves
        ],
        "ticks": [(scale.place(tick), _number(tick)) for tick in scale.ticks() if scale.low <= tick <= scale.high],
        "marks": [(place_x(at, span), at, text) for at, text in chart.marks],
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _number(value: float) -> str:
    if value and (abs(value) < 1e-3 or abs(value) >= 1e5):
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:,.4g}" if math.isfinite(value) else str(value)


# Curves as coordinates and SVG paths: honest down-sampling, scales, ticks.


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart. `side` is 0 for the run, 1 for the one it is compared with."""

    points: Reduced
    side: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves that share a scale. `marks` are iterations with what happened there."""

    title: str
    curves: tuple[Curve, ...]
    logarithmic: bool
    marks: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic map of values to 0..HEIGHT, upside down as SVG has it."""

    low: float
    high: float
    logarithmic: bool

    def place(self, value: float) -> float:
        low, high, at = (math.log10(x) if self.logarithmic else x for x in (self.low, self.high, max(value, self.low)))
        return HEIGHT * (1.0 - (min(at, high) - low) / (high - low))

    def ticks(self) -> list[float]:
        """Round values, three to six of them."""
        if not self.logarithmic:
            return _round_steps(self.low, self.high)
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        if last - first >= 1:
            step = max(1, (last - first) // 4)
            return [10.0**power for power in range(first, last + 1, step)]
        return [value for value in _round_steps(self.low, self.high) if value > 0.0]


def _round_steps(low: float, high: float) -> list[float]:
    size = 10.0 ** math.floor(math.log10((high - low) / 3.0))
    step = next(size * factor for factor in (1, 2, 5, 10) if (high - low) / (size * factor) <= 5.0)
    first = math.ceil(low / step)
    return [round(index * step, 12) for index in range(first, math.floor(high / step) + 1)]


def charts_of(log: RunLog, marks: Sequence[tuple[int, str]], side: int = 0, sides: int = 1) -> list[Chart]:
    """The charts of a run: one a group of labels, one a validation metric."""
    metrics = sorted(metric_series(log.validations), key=lambda one: one.name)
    buckets = max(FEWEST, min(MOST, NUMBERS // (3 * sides * max(len(log.tracks) + len(metrics), 1))))
    groups: dict[str, list[Curve]] = {title: [] for title in CHARTS}
    for label, track in log.tracks.items():
        points = reduce_track(track, buckets) if label != "autocal/events" else None  # each of them is a mark
        if points and len(points) > 1:
            begins = ((one, title) for title, (_, prefixes) in CHARTS.items() for one in prefixes)
            _, title = max((len(one), title) for one, title in begins if label.startswith(one))
            groups[title].append(Curve(points, side))
    charts = []
    for title, curves in groups.items():
        if title == "metrics":
            for one in metrics:
                iterations, values = one.iterations[-2_000:], one.values[-2_000:]
                curve = Curve(Reduced(one.name, iterations, values, values, values), side)
                charts.append(Chart(one.name, (curve,), logarithmic=False, marks=tuple(marks)))
        elif curves:
            positive = all(min(curve.points.lows) > 0.0 for curve in curves)
            charts.append(Chart(title, tuple(curves), CHARTS[title][0] and positive, tuple(marks)))
    return charts


def merged(charts: Sequence[Chart], others: Sequence[Chart]) -> list[Chart]:
    """The charts of two runs, those of the same title laid over each other."""
    both = {chart.title: chart for chart in charts}
    for chart in others:
        if known := both.get(chart.title):
            both[chart.title] = replace(
                known, curves=known.curves + chart.curves, logarithmic=known.logarithmic and chart.logarithmic
            )
        else:
            both[chart.title] = chart
    return list(both.values())


def scale_of(chart: Chart) -> Scale:
    """From the least to the greatest value of all its curves; of a flat one, a little around it."""
    low = within(min((min(curve.points.lows) for curve in chart.curves), default=0.0))
    high = within(max((max(curve.points.highs) for curve in chart.curves), default=1.0))
    if high - low <= 1e-12 * abs(high) or high - low < 1.0 / FARTHEST:
        room = max(abs(low) * 0.05, 1.0 / FARTHEST) if low else 1.0
        low, high = low - room, high + room
    return Scale(low, high, chart.logarithmic and low > 0.0)


def span_of(charts: Sequence[Chart]) -> tuple[int, int]:
    """First and last iteration over all charts."""
    ends = [curve.points.iterations[end] for chart in charts for curve in chart.curves for end in (0, -1)]
    return (min(ends), max(max(ends), min(ends) + 1)) if ends else (0, 1)


def line_path(curve: Curve, scale: Scale, span: tuple[int, int]) -> str:
    """`M x y L x y ...` through the means."""
    return "M" + "L".join(_places(curve, curve.points.means, scale, span)) if len(curve.points) else ""


def band_path(curve: Curve, scale: Scale, span: tuple[int, int]) -> str:
    """A closed path along the highs and back along the lows; empty where they are the same."""
    if curve.points.highs == curve.points.lows:
        return ""
    there, back = (_places(curve, values, scale, span) for values in (curve.points.highs, curve.points.lows))
    return "M" + "L".join([*there, *reversed(back)]) + "Z"


def _places(curve: Curve, values: Sequence[float], scale: Scale, span: tuple[int, int]) -> list[str]:
    points = zip(curve.points.iterations, values, strict=True)
    return [f"{place_x(at, span):.1f} {scale.place(y):.1f}" for at, y in points]


def place_x(iteration: int, span: tuple[int, int]) -> float:
    """Where an iteration stands, 0..WIDTH."""
    return max(0.0, min(WIDTH, WIDTH * (iteration - span[0]) / (span[1] - span[0])))


def iteration_ticks(span: tuple[int, int]) -> list[int]:
    return [int(value) for value in _round_steps(float(span[0]), float(span[1])) if value == int(value)]
