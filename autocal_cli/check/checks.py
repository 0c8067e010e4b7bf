"""All checks, the one function that runs them, and the catalogue of what they find.

Adding a check is one function with its `rule` beside it, and one row. What is found below `check`, by networks, data
sets and commands, which cannot import `rule`, has its text in presets/findings/.
"""

from __future__ import annotations

import difflib
import fnmatch
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import autocal_cli.check.weights  # noqa: F401  (describes findings too; run by whoever opens the files)
from autocal_cli.check.agreement import augmentations, crops, degradations, heads, loading, model_and_data
from autocal_cli.check.block import (
    baseline_too_long,
    block_disabled,
    block_misplaced,
    block_received,
    everything_by_hand,
    idle_parameters,
    invalid_values,
    record_unusable,
    unknown_keys,
    unsupported_values,
    weights_crossed,
)
from autocal_cli.check.keys import (
    half_precision,
    keys_twice,
    length_findings,
    network_findings,
    numbers_as_text,
)
from autocal_cli.check.losses import (
    active_losses,
    discriminator_missing,
    discriminator_unused,
    duplicate_losses,
    negative_losses,
    nothing_to_move,
)
from autocal_cli.check.model import Check, Checked
from autocal_cli.check.options import option_findings
from autocal_cli.check.rule import FAMILIES, RULES, Rule
from autocal_cli.check.schedules import intervals, rates, schedule
from autocal_cli.check.trainer_options import trainer_unknown, written_for_another
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
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.packaged import preset_text

CHECKS: tuple[Check, ...] = (
    numbers_as_text,
    keys_twice,
    block_misplaced,
    block_received,
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
    nothing_to_move,
    discriminator_missing,
    discriminator_unused,
    length_findings,
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
    heads,
    model_and_data,
    loading,
)


def check(checked: Checked, sidecar: bool = False) -> tuple[Finding, ...]:
    """Every finding on a config, in the order in which they stand in the file. Looks at no other file.

    A `sidecar` holds a block alone, so that nothing else is looked for in it.
    """
    known = not sidecar and written_for_another(checked) is None
    checks = (*CHECKS, *OF_KNOWN_TRAINERS) if known else CHECKS
    found = [finding for check in checks for finding in check(checked)]
    return in_order(tuple(_once([*found, *checked.problems])))


# One mistake may be seen by two checks: of findings at one place the first of these codes speaks for the others.
SPEAKS_FOR = {
    "number-as-text": {"option-type", "option-range", "count-invalid"},
    "network-argument-unknown": {"option-unknown"},
    "network-argument-type": {"option-type"},
    "network-argument-missing": {"option-missing"},
    "network-rejected": {"option-unknown", "option-type", "option-missing"},
    "losses-malformed": {"option-type", "option-missing"},
    "network-malformed": {"option-type", "option-missing"},
    "count-invalid": {"option-range", "option-type"},
    "discriminator-missing": {"option-missing"},
    "type-unknown": {"network-unknown", "discriminator-unknown"},
}


# What is missing because its key is misspelt, which is told at that key.
MISSED = {"losses-none": "losses", "length-unknown": "total_iter"}


def _once(findings: list[Finding]) -> list[Finding]:
    """Without what another finding says better: at the same place, or of the same key."""
    codes: dict[object, set[str]] = {}
    for finding in findings:
        codes.setdefault(finding.place, set()).add(finding.code)
    silent = {
        (place, other) for place, here in codes.items() if place for code in here for other in SPEAKS_FOR.get(code, ())
    }
    # Whoever builds the network says more of its arguments, at the value where the options point to the key.
    built = {_line(finding) for finding in findings if finding.code.startswith(("network-arg", "discriminator-arg"))}
    mistyped = {finding.place for finding in findings if finding.code == "option-type"}
    told = {
        finding.message.split("`")[1].rpartition(".")[2] for finding in findings if finding.code == "option-missing"
    }
    told |= {str(one.fix).split("`")[1] for one in findings if _is_slip(one)}
    return [
        replace(finding, severity="error")
        if finding.code == "number-as-text" and finding.place in mistyped
        else finding
        for finding in findings
        if (finding.place, finding.code) not in silent
        and not (finding.code in ("option-unknown", "option-type") and finding.place and _line(finding) in built)
        and MISSED.get(finding.code) not in told
    ]


def _is_slip(finding: Finding) -> bool:
    return finding.code == "option-unknown" and finding.severity == "error" and str(finding.fix).startswith("Did you")


def _line(finding: Finding) -> tuple[str, int | None] | None:
    return (finding.place.path, finding.place.line) if finding.place else None


def in_order(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Each once, by line and column; what has no place comes first."""
    return tuple(sorted(dict.fromkeys(findings), key=_position))


def _position(finding: Finding) -> tuple[int, int, str]:
    place = finding.place
    return (place.line or 0, place.column or 0, finding.code) if place else (0, 0, finding.code)


# What each code means, why it matters, and an example.


IN_PRESETS = frozenset({"network", "dataset", "files", "probe", "commands"})


@cache
def load_catalogue() -> dict[str, Rule]:
    """Every code that autocal prints, family by family."""
    rules: dict[str, Rule] = {}
    for family in FAMILIES:
        for entry in _told_in_presets(family):
            rules[entry["code"]] = Rule(family=family, **entry)
        rules |= {code: rule for code, rule in RULES.items() if rule.family == family}
    return rules


def _told_in_presets(family: str) -> list[dict[str, Any]]:
    """Those whose text does not stand beside the function that finds them."""
    text = preset_text(f"findings/{family}.toml") if family in IN_PRESETS else ""
    found: list[dict[str, Any]] = tomllib.loads(text).get("finding", [])
    return found


def find_rule(code: str) -> Rule:
    """The rule of a code. Raises AutocalError, with the nearest known one, where there is none."""
    rules = load_catalogue()
    if code not in rules:
        raise AutocalError(f"There is no finding {code}.", fix=_nearest(code, rules))
    return rules[code]


def expand(patterns: Sequence[str]) -> frozenset[str]:
    """The codes that patterns stand for: a code, a family, a beginning (`pairs`), or a glob (`dataset-*`).

    Raises AutocalError, with the nearest known code or family, for a pattern that stands for none.
    """
    rules = load_catalogue() if patterns else {}
    codes: set[str] = set()
    for pattern in (part.strip() for given in patterns for part in given.split(",")):
        found = {code for code, rule in rules.items() if _matches(pattern, code, rule.family)}
        if not found:
            raise AutocalError(f"No finding has the code {pattern}.", fix=_nearest(pattern, (*rules, *FAMILIES)))
        codes |= found
    return frozenset(codes)


def chosen(findings: Iterable[Finding], select: frozenset[str], ignore: frozenset[str]) -> tuple[Finding, ...]:
    """The findings that are asked for: those of `select` (all, where it is empty) that are not in `ignore`."""
    return tuple(
        finding for finding in findings if (not select or finding.code in select) and finding.code not in ignore
    )


def _matches(pattern: str, code: str, family: str) -> bool:
    return pattern in (code, family) or code.startswith(f"{pattern}-") or fnmatch.fnmatchcase(code, pattern)


def _nearest(code: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(code, list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else "`autocal explain codes` lists them."
