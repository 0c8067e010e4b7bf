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
from autocal_cli.calibration.rules import apply_rule, dataset_scores, read_signals, significant, tidied
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
    placement, first_steps, about_place = place(network, presets)
    where = config.network.place if config.network else config.place
    place_findings = [replace(finding, place=where) for finding in about_place]
    first_steps["fidelity_budget"] = budget_step(config.scale or network.scale, presets)
    own: dict[KeyPath, Number] = {path: one for path, one in overrides.values.items() if isinstance(one, int | float)}
    own_scores = {path[-1]: float(score) for path, score in own.items() if path[:-1] == DATASET_INFO}
    signals = read_signals(config, dataset, own_scores, total_iter)
    parameters: dict[str, Parameter] = {}
    for name in PARAMETERS:
        trail = [replace(first_steps[name], before=None, after=tidied(name, first_steps[name].after))]
        for rule in presets.rules:
            applies = rule.parameter == name and not (rule.reader == "autocal" and config.own_scheduler)
            if applies and (step := apply_rule(rule, trail[-1].after, signals[rule.signal])):
                trail.append(step)
        parameters[name] = _settled(name, trail, total_iter, own, presets)
    phases = []
    for phase in presets.phases:
        path = ("phases", phase.name)
        phases.append(Phase(phase.name, own.get((*path, "until"), phase.until), own.get((*path, "rate"), phase.rate)))
    rival = network.discriminator.findings if network.discriminator else ()
    return Calibration(
        network=network,
        placement=placement,
        dataset=dataset,
        dataset_info=dataset_scores(dataset, own_scores),
        parameters=parameters,
        phases=tuple(phases),
        stability={name: own.get(("stability", name), value) for name, value in presets.stability.items()},
        total_iter=total_iter,
        manual=overrides.values,
        presets_version=presets.version,
        findings=(*network.findings, *rival, *place_findings, *length_findings, *overrides.findings),
    )


def _settled(
    name: str, trail: list[Step], total_iter: int | None, own: Mapping[KeyPath, Number], presets: Presets
) -> Parameter:
    """One parameter within its bounds and rounded, or as the user wrote it."""
    trail += _bounded(name, trail[-1].after, presets.bounds[name], total_iter, presets.bounds_source)
    trail += _rounded(name, trail[-1].after)
    if (name,) in own:
        reason = "Set by hand, and what is written by hand wins over everything."
        trail.append(Step("manual", "the user", trail[-1].after, own[(name,)], reason))
    return Parameter(trail[-1].after, tuple(trail))


def _bounded(name: str, value: Number, bound: Bound, total_iter: int | None, source: str) -> list[Step]:
    high: Number = bound.high
    reason = f"Calibrated values of {name} stay between {bound.low:g} and {bound.high:g}."
    short, code = "bound", f"bound-{name.replace('_', '-')}"
    if bound.share_of_run is not None and total_iter is not None and total_iter < high / bound.share_of_run:
        high = max(bound.low, math.floor(total_iter * bound.share_of_run))  # down, or rounding would pass the share
        reason = f"At most {bound.share_of_run:.0%} of the run of {total_iter:,} iterations."
        short = f"{bound.share_of_run:.0%} of the run"
    after = min(max(value, bound.low), high)
    return [] if after == value else [Step(code, source, value, after, reason, short=short)]


def _rounded(name: str, value: Number) -> list[Step]:
    """Three significant digits, which is more than the numbers behind them can bear; of 1 - momentum for momentum."""
    after: Number
    digits, after = "three significant digits", significant(value, 3)
    if name in WHOLE_NUMBERS:
        digits, after = "a whole number", max(1, round(value))
    elif name == "momentum":
        digits, after = f"{digits} (of 1 - momentum)", round(1 - significant(1 - value, 3), 6)
    return [] if after == value else [Step("rounding", "arithmetic", value, after, f"Rounded to {digits}.")]


def _run_length(config: TrainingConfig, overrides: Overrides) -> tuple[int | None, list[Finding]]:
    """The trainer stops at its own total_iter; the block's copy counts only where the trainer's is missing."""
    stated, total = overrides.values.get(TOTAL_ITERATIONS), config.total_iter
    in_block = stated if isinstance(stated, int) else None
    if total is None and in_block is None:
        message = "The config does not say how long the run is (train.total_iter); rules on its length stay silent."
        return None, [Finding("length-unknown", "warning", message, "Add train.total_iter.", config.place)]
    if total is None or in_block in (None, total):
        return in_block if total is None else total, []
    message = f"training_config.total_iterations is {in_block:,}, but the trainer stops at {total:,}."
    place = config.block.place_of(TOTAL_ITERATIONS) if config.block else None
    return total, [Finding("length-mismatch", "warning", message, "Make them equal.", place)]
