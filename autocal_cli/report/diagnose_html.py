"""A run as one self-contained page: the verdict, the findings, the checkpoints, and its curves with one linked cursor.

Nothing is loaded from anywhere; the curves are SVG drawn here, so that only the cursor needs its few lines of script.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from jinja2 import Environment

from autocal_cli.diagnose.drawing import (
    HEIGHT,
    WIDTH,
    Chart,
    band_path,
    charts_of,
    iteration_ticks,
    line_path,
    merged,
    place_x,
    scale_of,
    span_of,
)
from autocal_cli.diagnose.model import Diagnosis
from autocal_cli.report.console import one_line

GENERATOR = "autocal diagnose"


def diagnosis_page(found: Diagnosis, other: Diagnosis | None = None) -> str:
    """The page of a run; of two where there is another, whose curves are drawn dashed in the same charts."""
    sides = 2 if other else 1
    charts = charts_of(found.log, _marks(found), 0, sides)
    if other:
        charts = merged(charts, charts_of(other.log, (), 1, sides))
    span = span_of(charts)
    drawn = [_drawn(chart, span) for chart in charts]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_PAGE).render(
        generator=GENERATOR,
        style=_STYLE,
        script=_SCRIPT,
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


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="{{ generator }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ runs[0].log.facts.get("name", "run") }} - autocal diagnose</title>
<style>{{ style|safe }}</style>
</head>
<body>
<h1>{% for run in runs %}<span class="side{{ loop.index0 }}">{{ line(run.log.facts.get("name", "run")) }}</span>
{% if not loop.last %} and {% endif %}{% endfor %}</h1>
{% for run in runs %}
<section class="run">
{% if runs|length > 1 %}<h2>{{ line(run.log.facts.get("name", "run")) }}</h2>{% endif %}
<p class="health {{ run.health }}">{{ run.health }}</p>
<table class="verdict">
{% for one in run.lines %}
<tr class="{{ one.severity }}"><th>{{ one.topic }}</th><td>{{ line(one.text) }}</td></tr>
{% endfor %}
</table>
{% if run.findings %}
<h2>Findings</h2>
<table class="findings">
<tr><th>since</th><th>what</th><th>evidence</th><th>next</th></tr>
{% for one in run.findings %}
<tr class="{{ one.severity }}"><td>{{ "{:,}".format(one.iteration) if one.iteration is not none else "" }}</td>
<td><b>{{ one.code }}</b>{% if one.loss %}<br>{{ line(one.loss) }}{% endif %}</td>
<td>{{ line(one.evidence) }}</td><td>{{ line(one.next) }}</td></tr>
{% endfor %}
</table>
{% endif %}
{% if run.checkpoints %}
<h2>Checkpoints</h2>
<div class="scroll"><table class="checkpoints">
<tr><th>iteration</th>{% for one in run.metrics %}<th>{{ line(one.name) }}</th>{% endfor %}<th></th></tr>
{% for one in run.checkpoints[-200:]|reverse %}
<tr{% if run.keep and one.iteration == run.keep.checkpoint.iteration %} class="keep"{% endif %}>
<td>{{ "{:,}".format(one.iteration) if one.iteration is not none else "latest" }}</td>
{% for metric in run.metrics %}
<td>{{ metric.shown(one.metrics[metric.name]) if metric.name in one.metrics else "" }}</td>
{% endfor %}
<td>{% if run.keep and one.iteration == run.keep.checkpoint.iteration %}keep: {{ run.keep.reason }}
{% elif one.tied %}not to be told from it{% elif one.pareto %}beaten by none{% endif %}
{% if not one.exists %} (no file seen){% endif %}</td></tr>
{% endfor %}
{% if run.metrics %}
<tr><td>noise</td>{% for one in run.metrics %}<td>{{ "%.2g"|format(one.noise) if one.noise is not none else "?" }}</td>
{% endfor %}<td></td></tr>
{% endif %}
</table></div>
{% endif %}
{% for text in run.unknown %}<p class="dim">Cannot be told: {{ line(text) }}</p>{% endfor %}
</section>
{% endfor %}
<h2>Curves</h2>
<p class="dim">The line is the mean of each bucket, the band its least and greatest value. Vertical lines: where
something began.{% if runs|length > 1 %} Dashed: {{ line(runs[1].log.facts.get("name", "the other")) }}.{% endif %}
 Move over a chart to read all of them at one iteration.</p>
<div class="charts" id="charts" data-first="{{ span[0] }}" data-last="{{ span[1] }}">
{% for chart in charts %}
<figure>
<figcaption><b>{{ line(chart.title) }}</b>{% if chart.logarithmic %} <span class="dim">logarithmic</span>{% endif %}
<ul>{% for curve in chart.curves %}<li class="c{{ curve.colour }}{{ " other" if curve.side }}">
{{ line(curve.label) }} <output></output></li>{% endfor %}</ul></figcaption>
<svg viewBox="-52 -8 {{ width + 80 }} {{ height + 30 }}" role="img" aria-label="{{ line(chart.title) }}">
{% for y, text in chart.ticks %}
<line class="grid" x1="0" x2="{{ width }}" y1="{{ "%.1f"|format(y) }}" y2="{{ "%.1f"|format(y) }}"/>
<text x="-6" y="{{ "%.1f"|format(y + 4) }}" text-anchor="end">{{ text }}</text>
{% endfor %}
{% for _, x, text in ticks %}
<text x="{{ "%.1f"|format(x) }}" y="{{ height + 16 }}" text-anchor="middle">{{ text }}</text>
{% endfor %}
{% for x, at, text in chart.marks %}
<line class="mark" x1="{{ "%.1f"|format(x) }}" x2="{{ "%.1f"|format(x) }}" y1="0" y2="{{ height }}">
<title>{{ "{:,}".format(at) }}: {{ line(text) }}</title></line>
{% endfor %}
{% for curve in chart.curves %}
{% if curve.band %}<path class="band c{{ curve.colour }}" d="{{ curve.band }}"/>{% endif %}
<path class="curve c{{ curve.colour }}{{ " other" if curve.side }}" d="{{ curve.line }}"/>
{% endfor %}
<line class="cursor" x1="-99" x2="-99" y1="0" y2="{{ height }}"/>
</svg>
</figure>
{% endfor %}
</div>
<p class="dim at" id="at"></p>
<script type="application/json" id="data">{{ data|safe }}</script>
<script>{{ script|safe }}</script>
</body>
</html>
"""

_STYLE = """
:root { color-scheme: light dark; --paper: #fdfdfc; --card: #fff; --ink: #1f2328; --dim: #626a73; --line: #dcdfe3;
  --warn: #9a4d00; --bad: #b3261e; --good: #1b6e3c; --keep: #e8f3ea;
  --c0: #2b6cc4; --c1: #c2571a; --c2: #26804b; --c3: #8a4fbf; --c4: #b3322f; --c5: #00798c; --c6: #8a6d00;
  --c7: #b0418a; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --card: #1c2024; --ink: #e4e7ea; --dim: #9aa3ad; --line: #33393f;
    --warn: #ffb35c; --bad: #ff8a80; --good: #7ccf9a; --keep: #1e3226;
    --c0: #6aa5f0; --c1: #f0925a; --c2: #66c48a; --c3: #c096ea; --c4: #ef7f7a; --c5: #4fc0d0; --c6: #d6b64c;
    --c7: #e58bc4; }
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1240px;
  margin: 2rem auto; padding: 0 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.8rem 0 .5rem; }
.health { display: inline-block; margin: 0 0 .8rem; padding: .1rem .7rem; border-radius: 1rem; border: 1px solid; }
.healthy { color: var(--good); } .unknown, .no-gan { color: var(--dim); } .collapsed { color: var(--bad); }
.discriminator-blind, .discriminator-dominates { color: var(--warn); }
.dim { color: var(--dim); } p { max-width: 60rem; margin: .3rem 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
th { font-weight: 600; white-space: nowrap; color: var(--dim); } .verdict th { width: 1%; }
.error td, .error th { color: var(--bad); } .warning td, .warning th { color: var(--warn); }
.findings td:first-child, .checkpoints td { font-variant-numeric: tabular-nums; }
.findings td:nth-child(2) { white-space: nowrap; }
.keep td { background: var(--keep); font-weight: 600; }
.scroll { max-height: 24rem; overflow: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(34rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; min-width: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .7rem .9rem .4rem; }
figcaption ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0 1.1rem; margin: .1rem 0; padding: 0;
  font-size: .85rem; }
figcaption li { min-width: 8rem; } output { font-variant-numeric: tabular-nums; color: var(--ink); }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--dim); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--line); } .mark { stroke: var(--dim); stroke-dasharray: 2 3; }
.cursor { stroke: var(--ink); stroke-width: .7; } .cursor[x1="-99"] { display: none; }
.curve { fill: none; stroke: currentColor; stroke-width: 1.4; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; }
.curve.other { stroke-dasharray: 5 3; } li.other { font-style: italic; }
.band { fill: currentColor; opacity: .22; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
.c4 { color: var(--c4); } .c5 { color: var(--c5); } .c6 { color: var(--c6); } .c7 { color: var(--c7); }
.at { position: fixed; bottom: .6rem; right: 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: .1rem .6rem; } .at:empty { display: none; }
@media (max-width: 620px) {
  .findings th { display: none; } .findings td { display: block; padding: .1rem 0; }
  .findings td:not(:last-child) { border: 0; } .findings td:first-child::before { content: "since "; }
  .findings td:first-child:empty { display: none; } svg { overflow: visible; } svg text { font-size: 17px; }
}
"""

_SCRIPT = """
const box = document.getElementById("charts"), data = JSON.parse(document.getElementById("data").textContent);
const first = +box.dataset.first, last = +box.dataset.last, figures = [...box.querySelectorAll("figure")];
const show = v => Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5 || v === 0 ? String(v) : v.toExponential(3);
function nearest(at, wanted) {
  let low = 0, high = at.length - 1;
  while (low < high) { const mid = low + high >> 1; if (at[mid] < wanted) low = mid + 1; else high = mid; }
  return low && wanted - at[low - 1] < at[low] - wanted ? low - 1 : low;
}
function move(x) {
  const iteration = Math.round(first + (last - first) * Math.min(1, Math.max(0, x / 640)));
  document.getElementById("at").textContent = "iteration " + iteration.toLocaleString("en");
  figures.forEach((figure, i) => {
    const line = figure.querySelector(".cursor");
    line.setAttribute("x1", x); line.setAttribute("x2", x);
    figure.querySelectorAll("output").forEach((out, j) => {
      const [at, values] = data[i][j];
      out.textContent = at.length ? show(values[nearest(at, iteration)]) : "";
    });
  });
}
figures.forEach(figure => {
  const svg = figure.querySelector("svg");
  svg.addEventListener("pointermove", event => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    move(Math.min(640, Math.max(0, point.x)));
  });
});
"""
