"""All checks, and the one function that runs them. Adding a check is one function and one row."""

from __future__ import annotations

from autocal_cli.check.block import (
    baseline_too_long,
    block_disabled,
    block_misplaced,
    block_rejected,
    everything_by_hand,
    idle_parameters,
    invalid_values,
    record_unusable,
    unknown_keys,
    unsupported_values,
    weights_crossed,
)
from autocal_cli.check.keys import (
    clipping_unknown,
    half_precision,
    length_findings,
    misspelt_keys,
    network_findings,
    numbers_as_text,
    scale_missing,
)
from autocal_cli.check.losses import (
    active_losses,
    discriminator_missing,
    discriminator_unused,
    duplicate_losses,
    negative_losses,
    unknown_kinds,
)
from autocal_cli.check.model import Check, Checked
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
    everything_by_hand,
    unsupported_values,
    baseline_too_long,
    idle_parameters,
    network_findings,
    active_losses,
    negative_losses,
    duplicate_losses,
    unknown_kinds,
    discriminator_missing,
    discriminator_unused,
    length_findings,
    scale_missing,
    misspelt_keys,
    clipping_unknown,
    half_precision,
)


def check(checked: Checked) -> tuple[Finding, ...]:
    """Every finding on a config, in the order in which they stand in the file. Looks at no other file."""
    found = [finding for check in CHECKS for finding in check(checked)]
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
