"""Applies one rule to one value. The forms stand in presets/rules.toml, and here beside their lines."""

from __future__ import annotations

import math

from autocal_cli.calibration.record import WHOLE_NUMBERS, Number, Rule, Step
from autocal_cli.calibration.signals import Signal


def apply_rule(rule: Rule, value: Number, signal: Signal) -> Step | None:
    """The step that a rule adds to a value's trail; None where a switch is off, or where there is nothing to listen to.

    An unknown signal changes nothing.
    """
    if signal.absent or (rule.form == "switch" and not signal.value):
        return None
    if signal.value is None:
        return Step(rule.code, rule.source, value, value, f"{signal.told}: this stays as it is.")
    after = _scaled(rule, value, signal.value)
    margin = None
    if signal.interval is not None:
        low, high = (_scaled(rule, value, bound) for bound in signal.interval)
        margin = significant(abs(high - low) / 2)
    why = f". {rule.reason}" if after != value else ": this stays as it is."
    return Step(rule.code, rule.source, value, after, f"{signal.told}{why}", margin)


def factor(rule: Rule, x: float) -> float:
    """What the rule multiplies by, its direction included. Greater than 0 for every x."""
    numbers = rule.numbers
    match rule.form:
        case "exponential":
            size = math.pow(numbers["base"], 2 * (x - 0.5))
        case "power":
            # Clamped whichever way it points, so that `low` and `high` bound the change of the value itself.
            # In logarithms: x counts what a config says, and may be too large for a float.
            exponent = numbers["exponent"] if rule.direction == "up" else -numbers["exponent"]
            size = exponent * (math.log(x) - math.log(numbers["reference"]))
            return math.exp(min(max(size, math.log(numbers["low"])), math.log(numbers["high"])))
        case "switch":
            size = numbers["factor"] if x else 1.0
    return size if rule.direction == "up" else 1 / size


def _scaled(rule: Rule, value: Number, x: float) -> Number:
    if rule.parameter == "momentum":
        # time constant 1 / (1 - momentum); both it and momentum's distance from 1 stay positive.
        # "up" lengthens it; the power rules give the factor of the time constant as well.
        return tidied(rule.parameter, 1 - (1 - value) / factor(rule, x))
    return tidied(rule.parameter, value * factor(rule, x))


def tidied(parameter: str, value: float) -> Number:
    """A value as a trail shows it: five significant digits, and 50 rather than 50.0 for what is counted."""
    short = significant(value)
    return int(short) if parameter in WHOLE_NUMBERS and short.is_integer() else short


def significant(value: float, digits: int = 5) -> float:
    """Rounded to significant digits, so that trails are legible and a value read back is the value written."""
    return float(f"{value:.{digits}g}")
