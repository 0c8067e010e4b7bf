"""A rule as people write it: what it changes, and by which factor."""

from __future__ import annotations

from autocal_cli.calibration.record import Rule


def target(rule: Rule) -> str:
    """What the factor multiplies; see presets/rules.toml for why it is never momentum itself."""
    return "the time constant 1 / (1 - momentum)" if rule.parameter == "momentum" else rule.parameter


def formula(rule: Rule) -> str:
    """The factor: `(total_iter / 40000)^0.5, within 0.5 to 1.5`. The direction is in the sign of the exponent."""
    numbers = rule.numbers
    sign = "" if rule.direction == "up" else "-"
    match rule.form:
        case "exponential":
            return f"{numbers['base']:g}^({sign}2 ({rule.signal} - 0.5))"
        case "power":
            limits = f"within {numbers['low']:g} to {numbers['high']:g}"
            return f"({rule.signal} / {numbers['reference']:g})^{sign}{numbers['exponent']:g}, {limits}"
        case "switch":
            value = numbers["factor"] if rule.direction == "up" else 1 / numbers["factor"]
            return f"{value:g} with an {rule.signal} loss"
