"""What a preset supports: the values that calibration itself could write from it, and a margin around them.

    lowest and highest = preset value x the smallest and largest factor of each rule on it, within the bounds
    supported          = lowest / MARGIN  to  highest x MARGIN

For momentum the factors act on its time constant 1 / (1 - momentum), as the rules do. Where the network's capacity is
unknown, what any preset supports counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from autocal_cli.calibration.placement import place
from autocal_cli.calibration.record import Presets, Rule
from autocal_cli.calibration.rules import factor, significant
from autocal_cli.network.record import NetworkFingerprint

MARGIN = 1.25  # chosen, untested
PARAMETERS = ("momentum", "adaptation_rate", "max_weight", "baseline_iterations")  # those of the guide's table


@dataclass(frozen=True, slots=True)
class Supported:
    """`low` to `high` are supported; `usual` is the preset's own value; `told` names the preset or presets."""

    low: float
    high: float
    usual: float | None
    told: str


def supported(
    parameter: str, network: NetworkFingerprint | None, total_iter: int | None, presets: Presets
) -> Supported:
    """What the preset of a network supports for one of PARAMETERS."""
    placement, steps, _ = place(network or NetworkFingerprint(type=None), presets)
    if placement.match == "fallback":
        ranges = [_reach(parameter, preset.values[parameter], total_iter, presets) for preset in presets.presets]
        told = f"any preset, {presets.presets[0].variant} to {presets.presets[-1].variant},"
        return Supported(min(low for low, _ in ranges), max(high for _, high in ranges), None, told)
    usual = steps[parameter].after
    low, high = _reach(parameter, usual, total_iter, presets)
    told = f"the preset {placement.variant}"
    if placement.match == "interpolated":
        told = f"a network of {network.parameters if network else 0:,} parameters (nearest preset: {placement.variant})"
    return Supported(low, high, significant(usual, 3), told)


def _reach(parameter: str, value: float, total_iter: int | None, presets: Presets) -> tuple[float, float]:
    low = high = _to_space(parameter, value)
    for rule in presets.rules:
        if rule.parameter == parameter:
            factors = list(_extremes(rule))
            low, high = low * min(factors), high * max(factors)
    bound = presets.bounds[parameter]
    ends = _to_space(parameter, bound.low), _to_space(parameter, bound.high)
    low, high = (min(max(end, ends[0]), ends[1]) for end in (low, high))
    if bound.share_of_run is not None and total_iter is not None:  # short runs are calibrated to less
        low = min(low, max(bound.low, math.floor(total_iter * bound.share_of_run)))
    return _from_space(parameter, low / MARGIN), _from_space(parameter, high * MARGIN)


def _extremes(rule: Rule) -> Iterable[float]:
    """The factors of a rule at the ends of its signal."""
    match rule.form:
        case "exponential":
            return factor(rule, 0.0), factor(rule, 1.0)
        case "power":
            return rule.numbers["low"], rule.numbers["high"]
        case "switch":
            return 1.0, factor(rule, 1.0)


def _to_space(parameter: str, value: float) -> float:
    return 1 / (1 - value) if parameter == "momentum" else value


def _from_space(parameter: str, value: float) -> float:
    return 1 - 1 / value if parameter == "momentum" else value
