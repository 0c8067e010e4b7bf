"""All checks, and the one function that runs them. Adding a check is one function and one row."""

from __future__ import annotations

from autocal_cli.check.agreement import augmentations, crops, degradations, loading, model_and_data
from autocal_cli.check.block import (
    block_disabled,
    block_misplaced,
    block_rejected,
    everything_by_hand,
    invalid_shares,
    invalid_values,
    record_unusable,
    unknown_keys,
)
from autocal_cli.check.losses import (
    active_losses,
    discriminator_missing,
    discriminator_unused,
    duplicate_losses,
    negative_losses,
    nothing_to_balance,
    shares_of_nothing,
    unknown_kinds,
)
from autocal_cli.check.network import network_findings
from autocal_cli.check.numbers import numbers_as_text
from autocal_cli.check.options import option_findings, trainer_unknown, written_for_another
from autocal_cli.check.record import Check, Checked
from autocal_cli.check.run import length_findings, scale_missing
from autocal_cli.check.schedules import intervals, rates, schedule
from autocal_cli.check.spelling import misspelt_keys
from autocal_cli.check.trainer import clipping_unknown, half_precision
from autocal_cli.check.training import (
    adaptive_discriminator,
    adversarial_parts,
    adversarial_start,
    automations,
    bf16_without_amp,
    block_not_calibrated,
    ema_decay,
    ldl_without_ema,
    metrics_without_pairs,
)
from autocal_cli.check.values import baseline_too_long, idle_parameters, unsupported_values, weights_crossed
from autocal_cli.errors import Finding

CHECKS: tuple[Check, ...] = (
    numbers_as_text,
    block_misplaced,
    block_rejected,
    block_disabled,
    record_unusable,
    unknown_keys,
    weights_crossed,
    invalid_values,
    invalid_shares,
    everything_by_hand,
    unsupported_values,
    baseline_too_long,
    idle_parameters,
    network_findings,
    active_losses,
    negative_losses,
    duplicate_losses,
    unknown_kinds,
    shares_of_nothing,
    nothing_to_balance,
    discriminator_missing,
    discriminator_unused,
    length_findings,
    scale_missing,
    misspelt_keys,
    clipping_unknown,
    half_precision,
    trainer_unknown,
)
# Those that hold for the known trainers alone.
OF_KNOWN_TRAINERS: tuple[Check, ...] = (
    option_findings,
    rates,
    schedule,
    intervals,
    ema_decay,
    ldl_without_ema,
    adversarial_start,
    adversarial_parts,
    bf16_without_amp,
    automations,
    adaptive_discriminator,
    block_not_calibrated,
    metrics_without_pairs,
    crops,
    augmentations,
    degradations,
    model_and_data,
    loading,
)


def check(checked: Checked) -> tuple[Finding, ...]:
    """Every finding on a config, in the order in which they stand in the file. Looks at no other file."""
    checks = CHECKS if written_for_another(checked) else (*CHECKS, *OF_KNOWN_TRAINERS)
    found = [finding for check in checks for finding in check(checked)]
    told = {finding.place for finding in found if finding.code == "number-as-text"}
    # What reads `4e4` as text cannot read it as a count either: that is one mistake, and told already.
    problems = (problem for problem in checked.problems if problem.place not in told)
    cures = {finding.fix for finding in found if finding.code != "config-key-misspelt"}
    spelt = (one for one in found if not (one.code == "config-key-misspelt" and one.fix in cures))  # told where missed
    return in_order((*spelt, *problems))


def in_order(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Each once, by line and column; what has no place comes first."""
    return tuple(sorted(dict.fromkeys(findings), key=_position))


def _position(finding: Finding) -> tuple[int, int, str]:
    place = finding.place
    return (place.line or 0, place.column or 0, finding.code) if place else (0, 0, finding.code)
