"""The axis of the presets, in order of their parameters: 0 the smallest, 1 the next, and so on to the largest.

By parameters a network has one place on it. By MACs it may have several, since a larger preset need not cost more
(m attends and l doesn't): it has the span from the first to the last place on the axis where that many MACs are
spent. Both ends of the span grow with the MACs, every preset lies within its own span, and where the presets' MACs
grow, the span is a single place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autocal_cli.calibration.record import Preset, Presets

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """The presets at one scale, smallest first: each one's parameters, and its MACs per input pixel."""

    presets: tuple[Preset, ...]
    parameters: tuple[int, ...]
    macs: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(preset.variant for preset in self.presets)

    def place_of(self, parameters: int) -> float:
        """Linear over log(parameters) between two presets; clamped to the ends."""
        return _first(self.parameters, parameters)

    def span_of(self, macs_per_pixel: float) -> Span:
        """Linear over log(MACs) between two presets; clamped to the ends."""
        return _first(self.macs, macs_per_pixel), _last(self.macs, macs_per_pixel)


def axis_at(presets: Presets, scale: int | None) -> Axis:
    """The axis at a scale; at a scale that a preset lacks, with its numbers at the nearest one."""
    known = [(preset, _nearest_scale(preset, scale)) for preset in presets.presets]
    known.sort(key=lambda entry: entry[0].parameters[entry[1]])
    return Axis(
        presets=tuple(preset for preset, _ in known),
        parameters=tuple(preset.parameters[at] for preset, at in known),
        macs=tuple(preset.macs_per_pixel[at] for preset, at in known),
    )


def gap(place: float, span: Span) -> float:
    """How many presets lie between a place and the nearest end of a span; 0 inside it."""
    return max(span[0] - place, place - span[1], 0.0)


def in_words(names: Sequence[str], place: float) -> str:
    """A place as a person says it: at a preset, or between two.

    >>> in_words(("nano", "micro"), 0.4), in_words(("nano", "micro"), 1.0)
    ('between nano and micro', 'at micro')
    """
    low = math.floor(place)
    return f"at {names[low]}" if place == low else f"between {names[low]} and {names[low + 1]}"


def span_in_words(names: Sequence[str], span: Span) -> str:
    """A span as a person says it; a single place where both ends say the same."""
    low, high = (in_words(names, end) for end in span)
    return low if low == high else f"anywhere from {low.removeprefix('at ')} to {high.removeprefix('at ')}"


def _first(values: Sequence[float], wanted: float) -> float:
    """The first place where the line through the values reaches `wanted`."""
    above = next((index for index, value in enumerate(values) if value >= wanted), None)
    if above is None:
        return float(len(values) - 1)
    return above - 1 + _share(values, above - 1, wanted) if above else 0.0


def _last(values: Sequence[float], wanted: float) -> float:
    """The last place where the line through the values is no higher than `wanted`."""
    below = next((index for index in reversed(range(len(values))) if values[index] <= wanted), None)
    if below is None:
        return 0.0
    return below + _share(values, below, wanted) if below + 1 < len(values) else float(below)


def _share(values: Sequence[float], index: int, wanted: float) -> float:
    """t = log(wanted / low) / log(high / low): 0 at `values[index]`, 1 at the next."""
    low, high = values[index], values[index + 1]
    return math.log(wanted / low) / math.log(high / low)


def _nearest_scale(preset: Preset, scale: int | None) -> int:
    return min(preset.parameters, key=lambda known: (abs(known - (scale or 4)), known))
