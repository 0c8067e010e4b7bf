"""ReplayedRun -> one figure, as PNG or SVG, through matplotlib (an optional extra).

Above the raw losses, each relative to its first value; below the multipliers; both over the iterations and on
logarithmic scales, one colour a loss. Bands are phases, markers events.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autocal_cli.errors import AutocalError
from autocal_cli.replay.event_files import INSTALL
from autocal_cli.replay.record import ReplayedLoss, ReplayedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from autocal_cli.runtime.events import Event

GENERATOR = "autocal replay"  # in every PNG and page, so that autocal knows its own files

# Eight colours that stay apart for colour-blind eyes. Source: M. Okabe and K. Ito, "Color Universal Design", 2008
# (their yellow, too faint on white, is left out; grey in its place).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
_DASHES = ("-", "--", ":", "-.")  # once the colours are used up
_INK, _GRID, _BANDS = "#333333", "#DDDDDD", ("#FFFFFF", "#F3F5F8")
_SIZE, _DPI = (11.0, 6.4), 130  # inches, pixels an inch
_MOST_POINTS = 2000  # a curve has about as many pixels
_MARKERS = {"spike": "^", "divergence": "D", "not finite": "X", "loss-scale back-offs": "v"}


def figure_as_png(run: ReplayedRun) -> bytes:
    """The figure as a PNG. Raises AutocalError when matplotlib is not installed."""
    return _saved(run, "png", {"Software": GENERATOR})


def figure_as_svg(run: ReplayedRun) -> str:
    """The figure as an `<svg>` element to stand in a page: no prologue, no metadata, letters as outlines."""
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    text = _saved(run, "svg", nothing).decode("utf-8")
    text = text[text.index("<svg") :]
    for namespace in (' xmlns="http://www.w3.org/2000/svg"', ' xmlns:xlink="http://www.w3.org/1999/xlink"'):
        text = text.replace(namespace, "")  # in a page both are known
    return text.replace("<svg ", '<svg role="img" aria-label="raw losses and multipliers over the iterations" ', 1)


def check_drawing() -> None:
    """Raises AutocalError when matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise AutocalError("Drawing needs the package matplotlib.", fix=f"{INSTALL}.") from None


def _saved(run: ReplayedRun, form: str, metadata: dict[str, Any]) -> bytes:
    check_drawing()
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": GENERATOR, "font.family": "DejaVu Sans", "font.size": 10}):
        draw(run).savefig(buffer, format=form, dpi=_DPI, metadata=metadata)
    return buffer.getvalue()


def draw(run: ReplayedRun) -> Figure:
    """The figure: two panels, and the legend to their right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1))
    for axes in (above, below):
        _frame(axes, run)
    styles = _styles(len(run.losses))
    for loss, style in zip(run.losses, styles, strict=True):
        _draw_values(above, run, loss, style)
        _draw_multipliers(below, run, loss, style | _interleaved(loss, run.losses))
    for event in run.events:
        if event.loss == "*":  # concerns all: a mark at the upper edge
            below.axvline(event.iteration, color=_INK, linewidth=0.8, linestyle=":")
            top = below.get_xaxis_transform()
            below.plot(event.iteration, 0.97, _MARKERS[event.cause], color=_INK, markersize=8, transform=top)
    above.set_ylabel("raw loss / its first value")
    below.set_ylabel("multiplier")
    below.set_xlabel("iteration")
    _log_scale(above, [])
    _log_scale(below, [bound for loss in run.losses for bound in (loss.lowest, loss.highest)])
    _name_phases(above, run)
    handles = [*above.get_legend_handles_labels()[0], *_event_handles(run)]
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
    return figure


def _styles(count: int) -> list[dict[str, Any]]:
    number = len(_COLOURS)
    return [
        {"color": _COLOURS[i % number], "linestyle": _DASHES[i // number % len(_DASHES)], "linewidth": 1.5}
        for i in range(count)
    ]


def _frame(axes: Axes, run: ReplayedRun) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for index, phase in enumerate(run.phases):
        axes.axvspan(phase.first, phase.last + 1, color=_BANDS[index % 2], zorder=0, linewidth=0)
    axes.set_xlim(run.first, run.last + 1)
    axes.grid(True, color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _interleaved(loss: ReplayedLoss, losses: Sequence[ReplayedLoss]) -> dict[str, Any]:
    """Multipliers that never differ lie upon one another: each loss gets its turn along the line."""
    twins = [other.name for other in losses if _course(other) == _course(loss)]
    if len(twins) == 1:
        return {}
    dash = 8.0
    return {"linestyle": (-dash * twins.index(loss.name), (dash, dash * (len(twins) - 1))), "linewidth": 2.5}


def _course(loss: ReplayedLoss) -> tuple[float, ...]:
    return (*loss.multipliers, loss.final)


def _draw_values(axes: Axes, run: ReplayedRun, loss: ReplayedLoss, style: dict[str, Any]) -> None:
    first = next((value for value in loss.raw if math.isfinite(value) and value > 0.0), 1.0)
    curve = [value / first if math.isfinite(value) and value > 0.0 else math.nan for value in loss.raw]
    kept = thinned(curve)
    axes.plot([loss.iterations[i] for i in kept], [curve[i] for i in kept], label=loss.name, **style)
    heights = dict(zip(loss.iterations, curve, strict=True))
    _draw_events(axes, [(event, heights[event.iteration]) for event in run.events_of(loss)], style)


def _draw_multipliers(axes: Axes, run: ReplayedRun, loss: ReplayedLoss, style: dict[str, Any]) -> None:
    iterations, curve = (*loss.iterations, run.last + 1), _course(loss)
    kept = thinned(curve)
    axes.plot([iterations[i] for i in kept], [curve[i] for i in kept], **style)
    _draw_events(axes, [(event, event.before) for event in run.events_of(loss)], style)


def _draw_events(axes: Axes, events: Sequence[tuple[Event, float]], style: dict[str, Any]) -> None:
    for event, height in events:
        marker = _MARKERS[event.cause]
        axes.plot(event.iteration, height, marker, color=style["color"], markersize=8, markeredgecolor="white")


def thinned(curve: Sequence[float], most: int = _MOST_POINTS) -> list[int]:
    """Indices that keep the look of a curve: of every stretch its lowest and its highest value, both ends included.

    >>> thinned([1.0, 5.0, 1.0, 1.0, 0.5, 1.0], most=4)
    [0, 1, 3, 4, 5]
    """
    if len(curve) <= most:
        return list(range(len(curve)))
    length = math.ceil(2 * len(curve) / most)
    kept = {0, len(curve) - 1}
    for start in range(0, len(curve), length):
        stretch = range(start, min(start + length, len(curve)))
        finite = [i for i in stretch if math.isfinite(curve[i])] or [start]  # a gap stays one
        kept |= {min(finite, key=curve.__getitem__), max(finite, key=curve.__getitem__)}
    return sorted(kept)


def _log_scale(axes: Axes, bounds: Sequence[float]) -> None:
    """A logarithmic scale with plain numbers; multipliers that hardly leave 1 are shown from 1/2 to 2."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    if bounds:
        axes.set_ylim(min(0.5, *bounds) / 1.15, max(2.0, *bounds) * 1.15)
        axes.axhline(1.0, color=_INK, linewidth=0.8, zorder=1)
    low, high = axes.get_ylim()
    steps = (1, 1.5, 2, 3, 5, 7) if high / low < 10 else (1, 2, 5) if high / low < 1e3 else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=steps, numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _name_phases(axes: Axes, run: ReplayedRun) -> None:
    for phase in run.phases:
        middle = 0.5 * (phase.first + phase.last + 1)
        share = (phase.last + 1 - phase.first) / max(1, run.last + 1 - run.first)
        if share > 0.04:  # a narrower band has no room for its name
            place = (middle, 1.02)
            axes.text(*place, phase.name, transform=axes.get_xaxis_transform(), ha="center", color=_INK, fontsize=9)


def _event_handles(run: ReplayedRun) -> list[Any]:
    """Legend entries for the causes that occurred."""
    from matplotlib.lines import Line2D

    causes = dict.fromkeys(event.cause for event in run.events)
    return [
        Line2D([], [], linestyle="none", marker=_MARKERS[cause], color=_INK, markersize=7, label=cause)
        for cause in causes
    ]
