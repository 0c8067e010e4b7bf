"""Applies one rule to one value. The forms stand in presets/rules.toml, and here beside their lines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from autocal_cli.calibration.model import WHOLE_NUMBERS, DatasetScores, Number, Rule, Step
from autocal_cli.config.model import TrainingConfig
from autocal_cli.dataset.model import METRIC_NAMES, NEUTRAL_SCORE


def apply_rule(rule: Rule, value: Number, signal: Signal) -> Step | None:
    """The step that a rule adds to a value's trail; None where a switch is off.

    An unknown signal changes nothing.
    """
    if rule.form in ("switch", "least") and not signal.value:
        return None
    if signal.value is None:
        return Step(rule.code, rule.source, value, value, f"{signal.told}: this stays as it is.")
    after = _scaled(rule, value, signal.value)
    margin = None
    if signal.interval is not None:
        low, high = (_scaled(rule, value, bound) for bound in signal.interval)
        margin = significant(abs(high - low) / 2)
    why = f". {rule.reason}" if after != value else ": this stays as it is."
    return Step(rule.code, rule.source, value, after, f"{signal.told}{why}", margin, signal.short)


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
        case "switch" | "least":
            size = numbers.get("factor", 1.0) if x else 1.0
    return size if rule.direction == "up" else 1 / size


def _scaled(rule: Rule, value: Number, x: float) -> Number:
    if rule.parameter == "momentum":
        # time constant 1 / (1 - momentum); both it and momentum's distance from 1 stay positive.
        # "up" lengthens it; the power rules give the factor of the time constant as well.
        return tidied(rule.parameter, 1 - (1 - value) / factor(rule, x))
    if rule.form == "least":
        return tidied(rule.parameter, max(value, rule.numbers["value"]))
    return tidied(rule.parameter, value * factor(rule, x))


def tidied(parameter: str, value: float) -> Number:
    """A value as a trail shows it: five significant digits, and 50 rather than 50.0 for what is counted."""
    short = significant(value)
    return int(short) if parameter in WHOLE_NUMBERS and short.is_integer() else short


def significant(value: float, digits: int = 5) -> float:
    """Rounded to significant digits, so that trails are legible and a value read back is the value written."""
    return float(f"{value:.{digits}g}")


def target(rule: Rule) -> str:
    """What the factor multiplies; see presets/rules.toml for why it is never momentum itself."""
    return "the time constant 1 / (1 - momentum)" if rule.parameter == "momentum" else rule.parameter


def formula(rule: Rule) -> str:
    """`times (total_iter / 40000)^0.5, within 0.5 to 1.5`. The direction is in the sign of the exponent."""
    numbers = rule.numbers
    sign = "" if rule.direction == "up" else "-"
    match rule.form:
        case "exponential":
            return f"times {numbers['base']:g}^({sign}2 ({rule.signal} - 0.5))"
        case "power":
            limits = f"within {numbers['low']:g} to {numbers['high']:g}"
            return f"times ({rule.signal} / {numbers['reference']:g})^{sign}{numbers['exponent']:g}, {limits}"
        case "switch":
            value = numbers["factor"] if rule.direction == "up" else 1 / numbers["factor"]
            return f"times {value:g} with an {rule.signal} loss"
        case "least":
            return f"at least {numbers['value']:g} with an {rule.signal} loss, for autocal's scheduler"


COMPLEXITY_WEIGHTS: Mapping[str, float] = {"texture_variance": 0.2, "edge_density": 0.4, "color_variation": 0.4}


@dataclass(frozen=True, slots=True)
class Signal:
    """`value` is None where nothing is known (the rule then changes nothing); `interval` is its 95% interval."""

    value: float | None
    told: str
    interval: tuple[float, float] | None = None
    short: str = ""


def dataset_scores(dataset: DatasetScores | None, by_hand: Mapping[str, float]) -> dict[str, float]:
    """texture_variance, edge_density, color_variation and overall_complexity, 0..1: by hand, measured, or neutral.

    Where a metric is given by hand, overall_complexity is formed anew from the three, unless it is given too.
    """
    scores = {name: by_hand.get(name, dataset.scores[name] if dataset else NEUTRAL_SCORE) for name in METRIC_NAMES}
    if "overall_complexity" in by_hand:
        overall = by_hand["overall_complexity"]
    elif dataset and not any(name in by_hand for name in METRIC_NAMES):
        overall = dataset.overall_complexity
    else:
        overall = sum(COMPLEXITY_WEIGHTS[name] * scores[name] for name in METRIC_NAMES)
    return {**scores, "overall_complexity": round(overall, 4)}


def read_signals(
    config: TrainingConfig,
    dataset: DatasetScores | None,
    by_hand: Mapping[str, float],
    total_iter: int | None,
) -> dict[str, Signal]:
    """Every signal that a rule may name."""
    value = dataset_scores(dataset, by_hand)["overall_complexity"]
    said = f"Complexity {value:.2f}"
    if by_hand:
        whole = "overall_complexity" in by_hand or all(name in by_hand for name in METRIC_NAMES)
        complexity = Signal(value, f"{said}, {'' if whole else 'partly '}given by hand", short=said.lower())
    elif dataset is None:
        complexity = Signal(value, f"The dataset was not measured and counts as neutral, {value}")
    else:
        told = f"{said}, where an ordinary photograph has {NEUTRAL_SCORE}"
        complexity = Signal(value, told, dataset.overall_ci95, said.lower())
    names = dict.fromkeys(loss.type for loss in config.active_losses if loss.kind == "adversarial")
    told = f"{' and '.join(names) or 'No loss'} is adversarial"
    steps, batch = "The config does not say how long the run is", "The config does not say the batch size"
    steps = steps if total_iter is None else f"{total_iter:,} iterations"
    if config.batch_size is not None:
        batch = f"{config.batch_size:,} image{'' if config.batch_size == 1 else 's'} a step"
    return {
        "overall_complexity": complexity,
        "total_iter": Signal(total_iter, steps, short=steps),
        "batch_size": Signal(config.batch_size, batch, short=batch),
        "adversarial": Signal(float(config.adversarial), told, short="adversarial loss"),
    }
