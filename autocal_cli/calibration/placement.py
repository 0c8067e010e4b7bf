"""Where a network stands among the presets: exactly on one, or between two by its capacity.

Capacity is log(parameters). Between two presets each parameter is interpolated linearly in the space in which
it acts: log(1 - momentum), log(adaptation_rate), log(max_weight), log(min_weight); adaptation_threshold and
baseline_iterations as they are. Beyond the smallest and the largest preset the values stay as theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from autocal_cli.calibration.record import PARAMETERS, Number, Placement, Preset, Presets, Step
from autocal_cli.errors import Finding
from autocal_cli.network.record import NetworkFingerprint

Space = tuple[Callable[[float], float], Callable[[float], float]]

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


def place(network: NetworkFingerprint, presets: Presets) -> tuple[Placement, dict[str, Step], tuple[Finding, ...]]:
    """The preset values for a network: its placement, the first step of every parameter's trail, and what to tell."""
    exact = next((p for p in presets.presets if (p.family, p.variant) == (network.family, network.variant)), None)
    if exact is not None:
        reason = f"{network.type} is the preset {exact.variant} itself."
        return Placement(exact.variant, "exact", reason), _steps(exact, presets, reason), ()
    if network.parameters is None:
        fallback = next(preset for preset in presets.presets if preset.variant == presets.fallback)
        reason = f"The network was not measured; {fallback.variant} stands in for it."
        steps = _steps(fallback, presets, reason)
        return Placement(fallback.variant, "fallback", reason), steps, (_fallback_finding(fallback),)
    return _between(network, network.parameters, presets)


def _steps(preset: Preset, presets: Presets, reason: str) -> dict[str, Step]:
    """The first step of every trail, for a network that takes a preset as it is."""
    return {
        name: Step(f"preset.{preset.variant}", presets.sources[name], None, preset.values[name], reason)
        for name in PARAMETERS
    }


def _between(
    network: NetworkFingerprint, parameters: int, presets: Presets
) -> tuple[Placement, dict[str, Step], tuple[Finding, ...]]:
    axis = sorted(((_size(preset, network.scale), preset) for preset in presets.presets), key=lambda entry: entry[0])
    sizes = [size for size, _ in axis]
    upper = next((index for index, size in enumerate(sizes) if size >= parameters), len(axis))
    if upper in (0, len(axis)):
        size, preset = axis[min(upper, len(axis) - 1)]
        return _beyond(network, parameters, size, preset, presets)
    (low_size, low), (high_size, high) = axis[upper - 1], axis[upper]
    # t = position of log(parameters) between the two presets, 0..1
    t = math.log(parameters / low_size) / math.log(high_size / low_size)
    nearest = low if t < 0.5 else high
    reason = (
        f"{parameters:,} parameters stand between {low.variant} ({low_size:,}) and "
        f"{high.variant} ({high_size:,}), {t:.0%} of the way."
    )
    source = "{} at both ends; between them: chosen, misses a left-out preset by at most 23%"
    steps = {}
    for name in PARAMETERS:
        ends = low.values[name], high.values[name]
        told = (
            f"{t:.0%} of the way from {low.variant} ({ends[0]:g}) to {high.variant} ({ends[1]:g}) by log(parameters)."
        )
        value = _interpolate(name, *ends, t)
        steps[name] = Step("preset.interpolated", source.format(presets.sources[name]), None, value, told)
    return Placement(nearest.variant, "interpolated", reason), steps, ()


def _beyond(
    network: NetworkFingerprint, parameters: int, size: int, preset: Preset, presets: Presets
) -> tuple[Placement, dict[str, Step], tuple[Finding, ...]]:
    factor = max(parameters, size) / min(parameters, size)
    where = "below the smallest" if parameters < size else "above the largest"
    reason = (
        f"{parameters:,} parameters are {factor:.3g} times {where} preset, {preset.variant} ({size:,}); "
        "its values are kept."
    )
    steps = _steps(preset, presets, reason)
    finding = Finding("network-out-of-range", "info", f"{network.type}: {reason}")
    return Placement(preset.variant, "clamped", reason), steps, (finding,) if factor > 1.1 else ()


def _interpolate(name: str, low: Number, high: Number, t: float) -> float:
    if low == high:
        return low
    into, back = _SPACES[name]
    return back((1 - t) * into(low) + t * into(high))


def _size(preset: Preset, scale: int | None) -> int:
    """The preset's parameters at a scale; at a scale that it lacks, those at the nearest one."""
    nearest = min(preset.parameters, key=lambda known: (abs(known - (scale or 4)), known))
    return preset.parameters[nearest]


def _fallback_finding(fallback: Preset) -> Finding:
    return Finding(
        "network-not-measured",
        "warning",
        f"The network's capacity is unknown, so the values start from the preset of ParagonSR2 {fallback.variant}.",
        "Check them against a network of the size you know yours to have, or set them by hand.",
    )
