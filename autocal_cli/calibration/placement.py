"""Where a network stands among the presets: exactly on one, or between two by its capacity.

Capacity is log(parameters). Between two presets each parameter is interpolated linearly in the space in which
it acts: log(1 - momentum), log(adaptation_rate), log(max_weight), log(min_weight); adaptation_threshold and
baseline_iterations as they are. Beyond the smallest and the largest preset the values stay as theirs. MACs choose
nothing: where they place the network elsewhere by more than a preset, a finding says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from autocal_cli.calibration.model import PRESET_PARAMETERS, Number, Placement, Preset, Presets, Step
from autocal_cli.errors import Finding
from autocal_cli.network.model import NetworkFingerprint

Space = tuple[Callable[[float], float], Callable[[float], float]]

FAR = 1.0  # presets between the places by parameters and by MACs that are worth a word; chosen, untested

_LOG: Space = (math.log, math.exp)
_LINEAR: Space = (float, float)
_SPACES: Mapping[str, Space] = {
    "momentum": (lambda momentum: math.log(1 - momentum), lambda space: 1 - math.exp(space)),
    "adaptation_rate": _LOG,
    "min_weight": _LOG,
    "max_weight": _LOG,
    "adaptation_threshold": _LINEAR,
    "baseline_iterations": _LINEAR,
}


Placed = tuple[Placement, dict[str, Step], tuple[Finding, ...]]


def place(network: NetworkFingerprint, presets: Presets) -> Placed:
    """The preset values for a network: its placement, the first step of every parameter's trail, and what to tell."""
    axis = axis_at(presets, network.scale)
    placement, steps, findings = _placed(network, axis, presets)
    placement = replace(placement, axis=axis.names)
    if network.macs_per_pixel is not None:
        low, high = axis.span_of(network.macs_per_pixel)
        placement = replace(placement, macs_span=(round(low, 3), round(high, 3)))
    return placement, steps, (*findings, *_about_macs(network, placement))


def scale_key(scale: int | None) -> str:
    """How presets/budgets.toml names a scale."""
    return "unknown_scale" if scale is None else f"x{scale}"


def budget_step(scale: int | None, presets: Presets) -> Step:
    """The first step of the fidelity budget's trail: by the scale of the super-resolution."""
    known = scale if scale in presets.budgets else None
    reason = "The scale is not known." if known is None else f"The budget of x{known}."
    short = "scale not known" if known is None else f"x{known}"
    source = presets.sources[f"budgets.{scale_key(known)}"]
    return Step("budget", source, None, presets.budgets[known], reason, short=short)


def _placed(network: NetworkFingerprint, axis: Axis, presets: Presets) -> Placed:
    exact = next((p for p in axis.presets if (p.family, p.variant) == (network.family, network.variant)), None)
    if exact is not None:
        reason = f"{network.type} is the preset {exact.variant} itself."
        placement = Placement(exact.variant, "exact", reason, position=float(axis.presets.index(exact)))
        return placement, _steps(exact, presets, reason), ()
    if network.parameters is None:
        fallback = next(preset for preset in presets.presets if preset.variant == presets.fallback)
        reason = f"The network was not measured; {fallback.variant} stands in for it."
        steps = _steps(fallback, presets, reason, f"{fallback.variant} (network not measured)")
        return Placement(fallback.variant, "fallback", reason), steps, (_fallback_finding(fallback),)
    if axis.parameters[0] <= network.parameters <= axis.parameters[-1]:
        return _between(network.parameters, axis, presets)
    return _beyond(network, network.parameters, axis, presets)


def _steps(preset: Preset, presets: Presets, reason: str, short: str = "") -> dict[str, Step]:
    """The first step of every trail, for a network that takes a preset as it is."""
    short = short or preset.variant
    return {
        name: Step(f"preset.{preset.variant}", presets.sources[name], None, preset.values[name], reason, short=short)
        for name in PRESET_PARAMETERS
    }


def _between(parameters: int, axis: Axis, presets: Presets) -> Placed:
    position = axis.place_of(parameters)
    index = min(int(position), len(axis.presets) - 2)
    t = position - index  # 0..1 on the way from the smaller preset to the larger
    (low, low_size), (high, high_size) = ((axis.presets[i], axis.parameters[i]) for i in (index, index + 1))
    nearest, size = (low, low_size) if t < 0.5 else (high, high_size)
    reason = (
        f"{parameters:,} parameters stand between {low.variant} ({low_size:,}) and {high.variant} ({high_size:,}), "
        f"{t:.0%} of the way; {_distance(nearest, size, parameters)}."
    )
    source = "{} at both ends; between them: chosen, misses a left-out preset by at most 23%"
    steps = {}
    for name in PRESET_PARAMETERS:
        ends = low.values[name], high.values[name]
        told = (
            f"{t:.0%} of the way from {low.variant} ({ends[0]:g}) to {high.variant} ({ends[1]:g}) by log(parameters)."
        )
        value = _interpolate(name, *ends, t)
        short = f"{low.variant} to {high.variant}"
        steps[name] = Step("preset.interpolated", source.format(presets.sources[name]), None, value, told, short=short)
    return Placement(nearest.variant, "interpolated", reason, position=round(position, 3)), steps, ()


def _distance(nearest: Preset, size: int, parameters: int) -> str:
    if size == parameters:
        return f"{nearest.variant} has as many"
    how = f"{_against(size, parameters)} {'smaller' if size < parameters else 'larger'}"
    return f"the nearest, {nearest.variant}, is {how}"


def _against(one: int, other: int) -> str:
    """How much more or less one size is than another: `1.24 times`, or `0.4%` where they are close."""
    factor = max(one, other) / min(one, other)
    return f"{abs(one - other) / other:.1%}" if factor < 1.1 else f"{factor:.3g} times"


def _beyond(network: NetworkFingerprint, parameters: int, axis: Axis, presets: Presets) -> Placed:
    index, where = (0, "below the smallest") if parameters < axis.parameters[0] else (-1, "above the largest")
    preset, size = axis.presets[index], axis.parameters[index]
    factor = max(parameters, size) / min(parameters, size)
    reason = (
        f"{parameters:,} parameters are {_against(parameters, size)} {where} preset, {preset.variant} ({size:,}); "
        "its values are kept."
    )
    steps = _steps(preset, presets, reason)
    finding = Finding("network-out-of-range", "info", f"{network.type}: {reason}")
    placement = Placement(preset.variant, "clamped", reason, position=axis.place_of(parameters))
    return placement, steps, (finding,) if factor > 1.1 else ()


def _interpolate(name: str, low: Number, high: Number, t: float) -> float:
    if low == high:
        return low
    into, back = _SPACES[name]
    return back((1 - t) * into(low) + t * into(high))


def _about_macs(network: NetworkFingerprint, placement: Placement) -> tuple[Finding, ...]:
    """A variant is its preset whatever it costs; of any other network, the places must not lie far apart."""
    position, span = placement.position, placement.macs_span
    if placement.match == "exact" or position is None or span is None or gap(position, span) <= FAR:
        return ()
    message = (
        f"{network.type}: its parameters stand {in_words(placement.axis, position)}, its MACs "
        f"{span_in_words(placement.axis, span)}, {gap(position, span):.1f} presets apart. "
        "The values follow the parameters."
    )
    return (Finding("network-macs-apart", "info", message, "Set by hand what should rather follow its cost."),)


def _fallback_finding(fallback: Preset) -> Finding:
    return Finding(
        "network-not-measured",
        "warning",
        f"The network's capacity is unknown, so the values start from the preset of ParagonSR2 {fallback.variant}.",
        "Check them against a network of the size you know yours to have, or set them by hand.",
    )


# The axis of the presets, in order of their parameters: 0 the smallest, 1 the next, and so on to the largest.
#
# By parameters a network has one place on it. By MACs it may have several, since a larger preset need not cost more
# (m attends and l doesn't): it has the span from the first to the last place on the axis where that many MACs are
# spent. Both ends of the span grow with the MACs, every preset lies within its own span, and where the presets' MACs
# grow, the span is a single place.


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
