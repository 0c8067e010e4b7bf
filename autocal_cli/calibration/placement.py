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

from autocal_cli.calibration.model import PRESET_PARAMETERS, Placement, Preset, Presets, Step
from autocal_cli.errors import Finding
from autocal_cli.network.model import NetworkFingerprint

Space = tuple[Callable[[float], float], Callable[[float], float]]

Span = tuple[float, float]
Placed = tuple[Placement, dict[str, Step], tuple[Finding, ...]]

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
    reason, short = "The scale is not known.", "scale not known"
    if known is not None:
        reason, short = f"The budget of x{known}.", f"x{known}"
    source = presets.sources[f"budgets.{scale_key(known)}"]
    return Step("budget", source, None, presets.budgets[known], reason, short=short)


def _placed(network: NetworkFingerprint, axis: Axis, presets: Presets) -> Placed:
    for index, preset in enumerate(axis.presets):
        if (preset.family, preset.variant) == (network.family, network.variant):
            reason = f"{network.type} is the preset {preset.variant} itself."
            placement = Placement(preset.variant, "exact", reason, position=float(index))
            return placement, _steps(preset, presets, reason), ()
    if network.parameters is None:
        preset = next(preset for preset in presets.presets if preset.variant == presets.fallback)
        start = f"so the values start from the preset of ParagonSR2 {preset.variant}"
        message = f"The network's capacity is unknown, {start}."
        fix = "AUTOCAL_TRAINER=DIR has the trainer in DIR measure it; or set the values by hand."
        reason = f"The network was not measured; {preset.variant} stands in for it."
        steps = _steps(preset, presets, reason, f"{preset.variant} (network not measured)")
        finding = Finding("network-not-measured", "warning", message, fix)
        return Placement(preset.variant, "fallback", reason), steps, (finding,)
    if axis.parameters[0] <= network.parameters <= axis.parameters[-1]:
        return _between(network.parameters, axis, presets)
    return _beyond(network, network.parameters, axis, presets)


def _steps(preset: Preset, presets: Presets, reason: str, short: str = "") -> dict[str, Step]:
    """The first step of every trail, for a network that takes a preset as it is."""
    code, short = f"preset.{preset.variant}", short or preset.variant
    return {
        name: Step(code, presets.sources[name], None, preset.values[name], reason, short=short)
        for name in PRESET_PARAMETERS
    }


def _between(parameters: int, axis: Axis, presets: Presets) -> Placed:
    position = axis.place_of(parameters)
    index = min(int(position), len(axis.presets) - 2)
    t = position - index  # 0..1 on the way from the smaller preset to the larger
    (low, low_size), (high, high_size) = ((axis.presets[i], axis.parameters[i]) for i in (index, index + 1))
    nearest, size = (low, low_size) if t < 0.5 else (high, high_size)
    distance = f"the nearest, {nearest.variant}, is {_against(size, parameters)} "
    distance += "smaller" if size < parameters else "larger"
    reason = (
        f"{parameters:,} parameters stand between {low.variant} ({low_size:,}) and {high.variant} ({high_size:,}), "
        f"{t:.0%} of the way; {distance if size != parameters else f'{nearest.variant} has as many'}."
    )
    ends = "at both ends; between them: chosen, misses a left-out preset by at most 23%"
    steps = {}
    for name in PRESET_PARAMETERS:
        one, other = low.values[name], high.values[name]
        into, back = _SPACES[name]
        value = one if one == other else back((1 - t) * into(one) + t * into(other))
        told = f"{t:.0%} of the way from {low.variant} ({one:g}) to {high.variant} ({other:g}) by log(parameters)."
        source, short = f"{presets.sources[name]} {ends}", f"{low.variant} to {high.variant}"
        steps[name] = Step("preset.interpolated", source, None, value, told, short=short)
    return Placement(nearest.variant, "interpolated", reason, position=round(position, 3)), steps, ()


def _against(one: int, other: int) -> str:
    """How much more or less one size is than another: `1.24 times`, or `0.4%` where they are close."""
    factor = max(one, other) / min(one, other)
    return f"{abs(one - other) / other:.1%}" if factor < 1.1 else f"{factor:.3g} times"


def _beyond(network: NetworkFingerprint, parameters: int, axis: Axis, presets: Presets) -> Placed:
    index, where = (0, "below the smallest") if parameters < axis.parameters[0] else (-1, "above the largest")
    preset, size = axis.presets[index], axis.parameters[index]
    far = f"{parameters:,} parameters are {_against(parameters, size)} {where} preset, {preset.variant} ({size:,})"
    reason = f"{far}; its values are kept."
    placement = Placement(preset.variant, "clamped", reason, position=axis.place_of(parameters))
    finding = Finding("network-out-of-range", "info", f"{network.type}: {reason}")
    told = max(parameters, size) > 1.1 * min(parameters, size)
    return placement, _steps(preset, presets, reason), (finding,) if told else ()


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


# The axis of the presets, in order of their parameters: 0 the smallest, 1 the next, and so on to the largest.
#
# By parameters a network has one place on it. By MACs it may have several, since a larger preset need not cost more
# (m attends and l doesn't): it has the span from the first to the last place on the axis where that many MACs are
# spent. Both ends of the span grow with the MACs, every preset lies within its own span, and where the presets' MACs
# grow, the span is a single place.


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

    def nearest(preset: Preset) -> int:
        return min(preset.parameters, key=lambda known: (abs(known - (scale or 4)), known))

    known = sorted(presets.presets, key=lambda preset: preset.parameters[nearest(preset)])
    parameters = tuple(preset.parameters[nearest(preset)] for preset in known)
    return Axis(tuple(known), parameters, tuple(preset.macs_per_pixel[nearest(preset)] for preset in known))


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
    above = next((index for index, value in enumerate(values) if value >= wanted), len(values))
    return float(min(above, len(values) - 1)) if above in (0, len(values)) else _on_the_way(values, above - 1, wanted)


def _last(values: Sequence[float], wanted: float) -> float:
    """The last place where the line through the values is no higher than `wanted`."""
    below = max((index for index, value in enumerate(values) if value <= wanted), default=-1)
    return float(max(below, 0)) if below in (-1, len(values) - 1) else _on_the_way(values, below, wanted)


def _on_the_way(values: Sequence[float], index: int, wanted: float) -> float:
    """index + log(wanted / low) / log(high / low), from `low` at the index to `high` at the next."""
    low, high = values[index], values[index + 1]
    return index + math.log(wanted / low) / math.log(high / low)
