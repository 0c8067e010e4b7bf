"""Where a network stands among the presets, drawn with characters; 69 columns wide at most."""

from __future__ import annotations

from autocal_cli.calibration.record import Placement

STEP = 8  # columns from one preset to the next: eight presets and a label fit into 80 columns, indented by 9


def axis_drawing(placement: Placement, blocks: bool) -> list[str]:
    """The axis with the network's place by parameters, the presets' names, and its span by MACs where it is known.

    Nothing where no place is known. Without `blocks`, in ASCII alone.
    """
    if placement.position is None or len(placement.axis) < 2:
        return []
    tick, line, mark = ("┼", "─", "●") if blocks else ("+", "-", "#")
    ticks = [tick if column % STEP == 0 else line for column in range(STEP * (len(placement.axis) - 1) + 1)]
    if blocks:
        ticks[0], ticks[-1] = "├", "┤"
    ticks[_column(placement.position)] = mark
    width = len(ticks) + 2
    lines = [f"{''.join(ticks):<{width}}parameters", _labels(placement.axis)]
    if placement.macs_span is not None:
        lines.append(f"{_bar(*placement.macs_span, blocks):<{width}}MACs")
    return lines


def _column(position: float) -> int:
    return round(STEP * position)


def _bar(low: float, high: float, blocks: bool) -> str:
    """One mark for a place, a bar for a span."""
    first, last = _column(low), _column(high)
    if first == last:
        return " " * first + ("▲" if blocks else "^")
    left, line, right = ("├", "─", "┤") if blocks else ("[", "-", "]")
    return " " * first + left + line * (last - first - 1) + right


def _labels(names: tuple[str, ...]) -> str:
    """Each name centred under its tick, the first and the last kept within the axis."""
    end = STEP * (len(names) - 1) + 1
    text = ""
    for index, name in enumerate(names):
        start = min(max(STEP * index - len(name) // 2, 0), end - len(name))
        text = text.ljust(start) + name
    return text
