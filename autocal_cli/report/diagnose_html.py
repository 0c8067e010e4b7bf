"""A run as one self-contained page that loads nothing: `templates/diagnose.html`, filled, and the curves drawn here.

A curve of a million points is drawn as a band between the least and the greatest value of each bucket, with its mean as
a line: nothing that was logged lies outside what is drawn. The curves are SVG, so that only the linked cursor needs a
few lines of script.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader

from autocal_cli.diagnose.model import DATA_TIME, LEARNING_RATE, STEP_TIME, Diagnosis, RunLog
from autocal_cli.diagnose.view import FARTHEST, Reduced, reduce_track, within
from autocal_cli.report.console import one_line

GENERATOR = "autocal diagnose"
WIDTH, HEIGHT = 640.0, 150.0  # of a chart's plane, in the units of its view box
NUMBERS = 60_000  # on a page in all: about 1.2 MB with their paths
FEWEST, MOST = 60, 600  # buckets of a curve


def diagnosis_page(found: Diagnosis, other: Diagnosis | None = None) -> str:
    """The page of a run; of two where there is another, whose curves are drawn dashed in the same charts."""
    sides = 2 if other else 1
    charts = charts_of(found.log, _marks(found), 0, sides)
    if other:
        charts = merged(charts, charts_of(other.log, (), 1, sides))
    span = span_of(charts)
    drawn = [_drawn(chart, span) for chart in charts]
    environment = Environment(
        loader=PackageLoader("autocal_cli", "report/templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("diagnose.html").render(
        generator=GENERATOR,
        runs=[one for one in (found, other) if one],
        charts=drawn,
        ticks=[(tick, place_x(tick, span), f"{tick:,}") for tick in iteration_ticks(span)],
        width=WIDTH,
        height=HEIGHT,
        span=span,
        data=_data(charts),
        line=one_line,
    )


def _marks(found: Diagnosis) -> tuple[tuple[int, str], ...]:
    """Where something began, was resumed, or the scheduler acted."""
    shown = [one for one in found.findings if one.severity != "info" or one.code in ("resumed", "spike")]
    marks = [(one.iteration, f"{one.code}: {one.evidence}") for one in shown if one.iteration is not None]
    events = [one for one in found.log.events if one.kind == "scheduler"][:200]
    marks += [(one.iteration, f"scheduler: {one.loss}: {one.cause}") for one in events]
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
                "colour": labels.index(curve.points.label) % _COLOURS,
                "band": band_path(curve, scale, span),
                "line": line_path(curve, scale, span),
            }
            for curve in chart.curves
        ],
        "ticks": [(scale.place(tick), _number(tick)) for tick in scale.ticks() if scale.low <= tick <= scale.high],
        "marks": [(place_x(at, span), at, text) for at, text in chart.marks],
    }  # fmt: skip


_COLOURS = 8


def _data(charts: Sequence[Chart]) -> str:
    """The numbers for the cursor: per chart and curve the iterations and the means, four digits each."""
    rows = [
        [[list(curve.points.iterations), [_short(value) for value in curve.points.means]] for curve in chart.curves]
        for chart in charts
    ]
    return json.dumps(rows, separators=(",", ":")).replace("<", "\\u003c")


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
    """The charts of a run: losses, each validation metric, discriminator, scheduler, rate, gradients, scales, time."""
    groups: dict[str, list[str]] = {}
    for label in log.tracks:
        if label != "autocal/events":  # their number: each of them is a mark
            groups.setdefault(_group(label), []).append(label)
    metrics = sorted({f"{one.dataset}/{name}" for one in log.validations for name in one.metrics})
    count = len(log.tracks) + len(metrics)
    buckets = max(FEWEST, min(MOST, NUMBERS // (3 * sides * max(count, 1))))
    charts = []
    for group in _ORDER:
        if group == "metrics":
            charts += [_metric_chart(log, name, marks, side) for name in metrics]
        elif group in groups:
            found = [reduce_track(log.tracks[label], buckets) for label in groups[group]]
            curves = tuple(Curve(one, side) for one in found if len(one) > 1)
            if curves:
                charts.append(Chart(group, curves, group in _LOGARITHMIC and _positive(curves), tuple(marks)))
    return charts


_ORDER = ("generator's losses", "metrics", "discriminator's losses", "discriminator's outputs", "separation",
          "cost, dB", "multipliers",
          "learning rate", "norms of gradients", "loss scale", "seconds a step")  # fmt: skip
_LOGARITHMIC = ("generator's losses", "discriminator's losses", "learning rate", "norms of gradients", "loss scale")


def _group(label: str) -> str:
    if label.startswith("l_d_"):
        return "discriminator's losses"
    if label.startswith("l_"):
        return "generator's losses"
    if label.startswith("out_d_"):
        return "discriminator's outputs"
    if label.startswith("grad_norm_"):
        return "norms of gradients"
    if label.startswith("scale_"):
        return "loss scale"
    if label.startswith("autocal/"):
        return {"autocal/cost": "cost, dB"}.get(label, "separation")
    if label in (STEP_TIME, DATA_TIME):
        return "seconds a step"
    return "learning rate" if label == LEARNING_RATE else "multipliers"


def _metric_chart(log: RunLog, name: str, marks: Sequence[tuple[int, str]], side: int) -> Chart:
    points = [
        (one.iteration, one.metrics[metric])
        for one in log.validations
        for metric in one.metrics
        if f"{one.dataset}/{metric}" == name and math.isfinite(one.metrics[metric])
    ][-2_000:]
    iterations, values = tuple(at for at, _ in points), tuple(value for _, value in points)
    curve = Curve(Reduced(name, iterations, values, values, values, len(values)), side)
    return Chart(name, (curve,), False, tuple(marks))


def _positive(curves: Sequence[Curve]) -> bool:
    return all(min(curve.points.lows) > 0.0 for curve in curves)


def merged(charts: Sequence[Chart], others: Sequence[Chart]) -> list[Chart]:
    """The charts of two runs, those of the same title laid over each other."""
    known = {chart.title: chart for chart in others}
    both = [
        Chart(
            chart.title,
            chart.curves + (known[chart.title].curves if chart.title in known else ()),
            chart.logarithmic and (chart.title not in known or known[chart.title].logarithmic),
            chart.marks,
        )
        for chart in charts
    ]
    titles = {chart.title for chart in charts}
    return both + [chart for chart in others if chart.title not in titles]


def scale_of(chart: Chart) -> Scale:
    """From the least to the greatest value of all its curves; of a flat one, a little around it."""
    low = min((min(curve.points.lows) for curve in chart.curves if curve.points.lows), default=0.0)
    high = max((max(curve.points.highs) for curve in chart.curves if curve.points.highs), default=1.0)
    low, high = within(low), within(high)
    if high - low <= 1e-12 * abs(high) or high - low < 1.0 / FARTHEST:
        room = max(abs(low) * 0.05, 1.0 / FARTHEST) if low else 1.0
        low, high = low - room, high + room
    if chart.logarithmic and low <= 0.0:
        return Scale(low, high, logarithmic=False)
    return Scale(low, high, chart.logarithmic)


def span_of(charts: Sequence[Chart]) -> tuple[int, int]:
    """First and last iteration over all charts."""
    ends = [
        at
        for chart in charts
        for curve in chart.curves
        for at in curve.points.iterations[:1] + curve.points.iterations[-1:]
    ]
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
    return [f"{_x(at, span):.1f} {scale.place(y):.1f}" for at, y in zip(curve.points.iterations, values, strict=True)]


def _x(iteration: int, span: tuple[int, int]) -> float:
    return WIDTH * (iteration - span[0]) / (span[1] - span[0])


def place_x(iteration: int, span: tuple[int, int]) -> float:
    """Where an iteration stands, 0..WIDTH."""
    return max(0.0, min(WIDTH, _x(iteration, span)))


def iteration_ticks(span: tuple[int, int]) -> list[int]:
    return [int(value) for value in _round_steps(float(span[0]), float(span[1])) if value == int(value)]
