"""The numbers of the block: each by itself acceptable, and still not what the network, the run or the others allow."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autocal_cli.calibration.record import WHOLE_NUMBERS
from autocal_cli.calibration.rules import significant
from autocal_cli.check.record import Checked
from autocal_cli.check.supported import PARAMETERS, Supported, supported
from autocal_cli.config.scalars import write_scalar
from autocal_cli.errors import Finding


def unsupported_values(checked: Checked) -> Iterator[Finding]:
    """Hand-written values outside of what the network's preset supports; both numbers are said."""
    for name in PARAMETERS:
        value = checked.by_hand.get((name,))
        if not isinstance(value, int | float) or (name == "max_weight" and value == 1):  # told by `idle_parameters`
            continue
        limits = supported(name, checked.network, checked.config.total_iter, checked.presets)
        if not limits.low <= value <= limits.high:
            message = f"{name} {value:g} is {_direction(value, limits)} what {limits.told} supports: {_range(limits)}."
            yield Finding("value-unsupported", "warning", message, _cure(name, limits), checked.at(name))


def crossed(checked: Checked) -> bool:
    low, high = (dict(checked.leaves).get((name,)) for name in ("min_weight", "max_weight"))
    return isinstance(low, int | float) and isinstance(high, int | float) and low > high


def weights_crossed(checked: Checked) -> Iterator[Finding]:
    if crossed(checked):
        low, high = (dict(checked.leaves)[(name,)] for name in ("min_weight", "max_weight"))
        message = f"min_weight {low} is above max_weight {high}: no multiplier lies between them."
        fix = "min_weight is at most 1 and max_weight at least 1."
        yield Finding("weights-crossed", "error", message, fix, checked.at("min_weight"))


def baseline_too_long(checked: Checked) -> Iterator[Finding]:
    """A baseline that ends after the early phase, or never."""
    baseline, run = checked.number("baseline_iterations"), checked.config.total_iter
    if baseline is None or run is None or ("baseline_iterations",) not in checked.by_hand:
        return
    first = checked.presets.phases[0]
    early = math.floor(run * (checked.number("phases", first.name, "until") or first.until))
    place = checked.at("baseline_iterations")
    if baseline >= run:
        message = (
            f"baseline_iterations {baseline:,} is as long as the run of {run:,} iterations: the drift never begins."
        )
        yield Finding("baseline-past-run", "error", message, f"Write at most {max(1, run // 20):,}.", place)
    elif baseline > early:
        message = f"baseline_iterations {baseline:,} is longer than the {first.name} phase, which ends at {early:,}."
        fix = f"Write at most {max(1, early):,}; calibrated ones take at most {max(1, run // 20):,}."
        yield Finding("baseline-past-early", "warning", message, fix, place)


def idle_parameters(checked: Checked) -> Iterator[Finding]:
    """Values that keep others, or themselves, from ever taking effect."""
    high, threshold, low = (checked.number(name) for name in ("max_weight", "adaptation_threshold", "min_weight"))
    if high == 1:
        message = "max_weight 1 leaves the drift no room: momentum, adaptation_rate and baseline_iterations do nothing."
        yield _idle(message, "Write more than 1, or leave it to `autocal calibrate`.", checked, "max_weight")
    elif high is not None and threshold is not None and threshold >= math.log(high):
        message = (
            f"adaptation_threshold {threshold:g} is no smaller than log(max_weight) = {math.log(high):.3g}, the "
            "farthest that the drift may go: it never moves."
        )
        yield _idle(message, "Write a smaller threshold.", checked, "adaptation_threshold")
    if low == 1:
        message = "min_weight 1 leaves the guard no room: no ceiling can take effect."
        yield _idle(message, "Write less than 1, e.g. 1.0e-06.", checked, "min_weight")
    for key in ("rate", "range"):
        stated = {phase.name: checked.number("phases", phase.name, key) for phase in checked.presets.phases}
        if all(value == 0 for value in stated.values()):
            message = f"The {key} is 0 in every phase: the drift never moves."
            yield _idle(message, "Write a value above 0 for one of them.", checked, "phases", next(iter(stated)), key)
    if checked.block and checked.block.values.get("gradient_shares") and checked.block.values.get("ceilings"):
        message = "Where there are `gradient_shares`, `ceilings` are not looked at."
        yield _idle(message, "Delete one of the two.", checked, "ceilings")


def _idle(message: str, fix: str, checked: Checked, *path: str) -> Finding:
    return Finding("parameter-idle", "warning", message, fix, checked.at(*path))


def _direction(value: float, limits: Supported) -> str:
    return "above" if value > limits.high else "below"


def _range(limits: Supported) -> str:
    preset = f" (preset: {limits.usual:g})" if limits.usual is not None else ""
    return f"{significant(limits.low, 3):g} to {significant(limits.high, 3):g}{preset}"


def _cure(name: str, limits: Supported) -> str:
    usual = limits.usual
    if usual is None:
        return "Delete it, and `autocal calibrate` chooses it."
    value = round(usual) if name in WHOLE_NUMBERS else usual
    return f"Write {write_scalar(value)}, or delete it, and `autocal calibrate` chooses it."
