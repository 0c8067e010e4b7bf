"""The signals that rules listen to: what is known of the data and of the run, each with what to say about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from autocal_cli.config.record import TrainingConfig
from autocal_cli.dataset.record import METRIC_NAMES, NEUTRAL_SCORE, DatasetFingerprint
from autocal_cli.network.record import NetworkFingerprint

COMPLEXITY_WEIGHTS: Mapping[str, float] = {"texture_variance": 0.2, "edge_density": 0.4, "color_variation": 0.4}


@dataclass(frozen=True, slots=True)
class Signal:
    """`value` is None where nothing is known (the rule then changes nothing); `interval` is its 95% interval.

    `absent`: the run has nothing of the kind, and a rule has nothing to say.
    """

    name: str
    value: float | None
    told: str
    interval: tuple[float, float] | None = None
    absent: bool = False


def dataset_scores(dataset: DatasetFingerprint | None, by_hand: Mapping[str, float]) -> dict[str, float]:
    """texture_variance, edge_density, color_variation and overall_complexity, 0..1: by hand, measured, or neutral.

    Where a metric is given by hand, overall_complexity is formed anew from the three, unless it is given too.
    """
    scores = {
        name: by_hand.get(name, round(dataset.metrics[name].score, 4) if dataset else NEUTRAL_SCORE)
        for name in METRIC_NAMES
    }
    if "overall_complexity" in by_hand:
        overall = by_hand["overall_complexity"]
    elif dataset and not any(name in by_hand for name in METRIC_NAMES):
        overall = dataset.overall_complexity
    else:
        overall = sum(COMPLEXITY_WEIGHTS[name] * scores[name] for name in METRIC_NAMES)
    return {**scores, "overall_complexity": round(overall, 4)}


def read_signals(
    config: TrainingConfig,
    dataset: DatasetFingerprint | None,
    by_hand: Mapping[str, float],
    total_iter: int | None,
    network: NetworkFingerprint,
) -> dict[str, Signal]:
    """Every signal that a rule may name."""
    return {
        "overall_complexity": _complexity(dataset, by_hand),
        "total_iter": _counted("total_iter", total_iter, "iterations", "The config does not say how long the run is"),
        "batch_size": _counted(
            "batch_size", config.batch_size, "images a step", "The config does not say the batch size"
        ),
        "adversarial": _adversarial(config),
        "discriminator_ratio": _discriminator_ratio(config, network),
    }


def _complexity(dataset: DatasetFingerprint | None, by_hand: Mapping[str, float]) -> Signal:
    value = dataset_scores(dataset, by_hand)["overall_complexity"]
    if by_hand:
        whole = "overall_complexity" in by_hand or all(name in by_hand for name in METRIC_NAMES)
        return Signal("overall_complexity", value, f"Complexity {value:.2f}, {'' if whole else 'partly '}given by hand")
    if dataset is None:
        return Signal("overall_complexity", value, f"The dataset was not measured and counts as neutral, {value}")
    low, high = (round(bound, 4) for bound in dataset.overall_ci95)
    told = f"Complexity {value:.2f}, where an ordinary photograph has {NEUTRAL_SCORE}"
    return Signal("overall_complexity", value, told, (low, high))


def _adversarial(config: TrainingConfig) -> Signal:
    names = dict.fromkeys(loss.type for loss in config.losses if loss.kind == "adversarial" and loss.active)
    return Signal("adversarial", float(config.adversarial), f"{' and '.join(names) or 'No loss'} is adversarial")


def _discriminator_ratio(config: TrainingConfig, network: NetworkFingerprint) -> Signal:
    """The discriminator's parameters over the generator's. Absent where no adversarial loss or no discriminator is."""
    name, discriminator = "discriminator_ratio", network.discriminator
    if discriminator is None or not config.adversarial:
        return Signal(name, None, "No discriminator takes part", absent=True)
    if discriminator.parameters is None or not network.parameters:
        whose = "network" if discriminator.parameters is not None else f"discriminator {discriminator.type}"
        return Signal(name, None, f"The size of the {whose} is not known")
    ratio = discriminator.parameters / network.parameters
    told = f"The discriminator {discriminator.type} has {ratio:.3g} times the generator's parameters"
    return Signal(name, ratio, f"{told} (10^{math.log10(ratio):.2f})")


def _counted(name: str, value: int | None, unit: str, unknown: str) -> Signal:
    return Signal(name, value, f"{value:,} {unit}" if value is not None else unknown)
