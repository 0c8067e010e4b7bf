"""The calibration itself: config + fingerprints + presets -> every parameter with its trail. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from autocal_cli.calibration.block import Overrides, read_overrides
from autocal_cli.calibration.model import (
    PARAMETERS,
    WHOLE_NUMBERS,
    Bound,
    Calibration,
    DatasetScores,
    Number,
    Parameter,
    Phase,
    Presets,
    Step,
)
from autocal_cli.calibration.placement import budget_step, place
from autocal_cli.calibration.rules import Signal, apply_rule, dataset_scores, read_signals, significant, tidied
from autocal_cli.config.model import KeyPath, TrainingConfig, Value
from autocal_cli.errors import Finding
from autocal_cli.network.model import NetworkFingerprint

TOTAL_ITERATIONS: KeyPath = ("training_config", "total_iterations")
DATASET_INFO: KeyPath = ("training_config", "dataset_info")


def calibrate(
    config: TrainingConfig,
    network: NetworkFingerprint,
    dataset: DatasetScores | None,
    presets: Presets,
    settings: Mapping[KeyPath, Value] | None = None,
) -> Calibration:
    """Chooses every parameter: preset, rules, bounds, and then what the user wrote, which wins.

    `dataset` is None when nothing was measured: the neutral complexity 0.5 then stands in, and the trail says so.
    `settings` are values by key path from the command line; they count as hand-written. Raises AutocalError for a
    hand-written value that its key does not accept.
    """
    overrides = read_overrides(config.block, settings or {}, presets)
    total_iter, length_findings = _run_length(config, overrides)
    placement, first_steps, place_findings = place(network, presets)
    first_steps["fidelity_budget"] = budget_step(config.scale or network.scale, presets)
    scores_by_hand = _scores_by_hand(overrides)
    signals = read_signals(config, dataset, scores_by_hand, total_iter)
    parameters: dict[str, Parameter] = {}
    for name in PARAMETERS:
        trail = _ruled(name, first_steps[name], signals, presets)
        parameters[name] = _settled(name, trail, total_iter, overrides, presets)
    return Calibration(
        network=network,
        placement=placement,
        dataset=dataset,
        dataset_info=dataset_scores(dataset, scores_by_hand),
        parameters=parameters,
        phases=tuple(_phase(phase, overrides) for phase in presets.phases),
        stability={name: _by_hand(("stability", name), value, overrides) for name, value in presets.stability.items()},
        total_iter=total_iter,
        manual=overrides.values,
        presets_version=presets.version,
        findings=(
            *_about_networks(network),
            *place_findings,
            *length_findings,
            *overrides.findings,
        ),
    )


def _about_networks(network: NetworkFingerprint) -> tuple[Finding, ...]:
    return (*network.findings, *(network.discriminator.findings if network.discriminator else ()))


def _ruled(name: str, first: Step, signals: Mapping[str, Signal], presets: Presets) -> list[Step]:
    """One parameter, from its preset through its rules."""
    trail = [_tidied_preset(name, first)]
    for rule in presets.rules:
        if rule.parameter == name and (step := apply_rule(rule, trail[-1].after, signals[rule.signal])):
            trail.append(step)
    return trail


def _settled(name: str, trail: list[Step], total_iter: int | None, overrides: Overrides, presets: Presets) -> Parameter:
    """One parameter within its bounds, or as the user wrote it."""
    trail += _bounded(name, trail[-1].after, presets.bounds[name], total_iter, presets.bounds_source)
    trail += _rounded(name, trail[-1].after)
    if (name,) in overrides.values:
        by_hand = _by_hand((name,), trail[-1].after, overrides)
        reason = "Set by hand, and what is written by hand wins over everything."
        trail.append(Step("manual", "the user", trail[-1].after, by_hand, reason))
    return Parameter(trail[-1].after, tuple(trail))


def _tidied_preset(name: str, step: Step) -> Step:
    return replace(step, before=None, after=tidied(name, step.after))


def _bounded(name: str, value: Number, bound: Bound, total_iter: int | None, source: str) -> list[Step]:
    high: Number = bound.high
    reason = f"Calibrated values of {name} stay between {bound.low:g} and {bound.high:g}."
    short = "bound"
    if bound.share_of_run is not None and total_iter is not None and total_iter < high / bound.share_of_run:
        high = max(bound.low, math.floor(total_iter * bound.share_of_run))  # down, or rounding would pass the share
        reason = f"At most {bound.share_of_run:.0%} of the run of {total_iter:,} iterations."
        short = f"{bound.share_of_run:.0%} of the run"
    after = min(max(value, bound.low), high)
    return (
        [] if after == value else [Step(f"bound-{name.replace('_', '-')}", source, value, after, reason, short=short)]
    )


def _rounded(name: str, value: Number) -> list[Step]:
    """Three significant digits, which is more than the numbers behind them can bear; of 1 - momentum for momentum."""
    after: Number
    if name in WHOLE_NUMBERS:
        after = max(1, round(value))
    elif name == "momentum":
        after = 1 - significant(1 - value, 3)
        after = round(after, 6)
    else:
        after = significant(value, 3)
    if after == value:
        return []
    digits = "a whole number" if name in WHOLE_NUMBERS else "three significant digits"
    of = " (of 1 - momentum)" if name == "momentum" else ""
    return [Step("rounding", "arithmetic", value, after, f"Rounded to {digits}{of}.")]


def _phase(phase: Phase, overrides: Overrides) -> Phase:
    until, rate = (
        _by_hand(("phases", phase.name, key), value, overrides)
        for key, value in (("until", phase.until), ("rate", phase.rate))
    )
    return Phase(phase.name, until, rate)


def _by_hand(path: KeyPath, value: Number, overrides: Overrides) -> Number:
    own = overrides.values.get(path)
    return own if isinstance(own, int | float) else value


def _run_length(config: TrainingConfig, overrides: Overrides) -> tuple[int | None, list[Finding]]:
    """The trainer stops at its own total_iter; the block's copy counts only where the trainer's is missing."""
    stated = overrides.values.get(TOTAL_ITERATIONS)
    in_block = stated if isinstance(stated, int) else None
    if config.total_iter is None:
        if in_block is None:
            message = "The config does not say how long the run is (train.total_iter); rules on its length stay silent."
            return None, [Finding("length-unknown", "warning", message, "Add train.total_iter.", config.place)]
        return in_block, []
    if in_block is not None and in_block != config.total_iter:
        message = f"training_config.total_iterations is {in_block:,}, but the trainer stops at {config.total_iter:,}."
        place = config.block.place_of(TOTAL_ITERATIONS) if config.block else None
        return config.total_iter, [Finding("length-mismatch", "warning", message, "Make them equal.", place)]
    return config.total_iter, []


def _scores_by_hand(overrides: Overrides) -> dict[str, float]:
    return {
        path[-1]: float(value)
        for path, value in overrides.values.items()
        if path[:-1] == DATASET_INFO and isinstance(value, int | float)
    }
