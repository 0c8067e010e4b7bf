"""The one function that runs all checks, and the catalogue of what they find.

A check is a function with its `rule` beside it, in one of the modules below. What is found below `check`, by networks,
data sets and commands, which cannot import `rule`, has its text in presets/findings/, or where it is found.
"""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from autocal_cli.check import (
    agreement,
    block,
    keys,
    losses,
    options,
    schedules,
    trainer_options,
    training,
    weights,  # noqa: F401  (has rules too; run by whoever opens the files)
)
from autocal_cli.check.keys import trainer_facts
from autocal_cli.check.model import Checked
from autocal_cli.check.rule import CHECKS, FAMILIES, RULES
from autocal_cli.dataset.trainer_view import TRAINER_VIEW
from autocal_cli.errors import AutocalError, Finding, Rule
from autocal_cli.network.arguments import nearest
from autocal_cli.packaged import preset_text

FOR_ALL = (keys, block, losses, trainer_options)
FOR_KNOWN_TRAINERS = (options, schedules, training, agreement)


def check(checked: Checked, sidecar: bool = False) -> tuple[Finding, ...]:
    """Every finding on a config, in the order in which they stand in the file. Looks at no other file.

    A `sidecar` holds a block alone, so that nothing else is looked for in it.
    """
    known = not sidecar and trainer_options.written_for_another(checked) is None
    modules = (*FOR_ALL, *FOR_KNOWN_TRAINERS) if known else FOR_ALL
    found = [finding for module in modules for check in CHECKS[module.__name__] for finding in check(checked)]
    return in_order(_once([*map(_of_another_commit, checked.about_network), *found, *checked.problems]))


def _of_another_commit(finding: Finding) -> Finding:
    """An argument that another commit of the trainer takes is no mistake."""
    told = re.search(r"the network (\w+) doesn't have the argument '(\w+)'", finding.message)
    known = trainer_facts()["arguments_elsewhere"].get(told[2]) if told and finding.code == "network-rejected" else None
    if told is None or known is None or not re.fullmatch(known["types"], told[1].lower()):
        return finding
    message = f"{told[1]} has {told[2]} in {known['where']}, and not in the one that autocal has: measured without it."
    return replace(finding, severity="info", message=message, fix="Name your checkout with --trainer DIR.")


# One mistake may be seen by two checks: of findings at one place the first of these codes speaks for the others.
SPEAKS_FOR = {
    "number-as-text": {"option-type", "option-range", "count-invalid"},
    "network-argument-unknown": {"option-unknown"},
    "network-argument-type": {"option-type"},
    "network-argument-missing": {"option-missing"},
    "discriminator-argument": {"option-unknown", "option-type"},
    "network-rejected": {"option-unknown", "option-type", "option-missing"},
    "losses-malformed": {"option-type", "option-missing"},
    "network-malformed": {"option-type", "option-missing"},
    "count-invalid": {"option-range", "option-type"},
    "discriminator-missing": {"option-missing"},
    "type-unknown": {"network-unknown", "discriminator-unknown"},
    "option-conflict": {"option-range"},
    "dataset-type-differs": {"option-conflict"},
}


# What is missing because its key is misspelt, which is told at that key.
MISSED = {"losses-none": "losses", "length-unknown": "total_iter"}


def _once(findings: list[Finding]) -> list[Finding]:
    """Without what another finding says better: at the same place, or of the same key."""
    spoken_for = {(one.place, other) for one in findings if one.place for other in SPEAKS_FOR.get(one.code, ())}
    mistyped = {one.place for one in findings if one.code == "option-type"}
    # The many keys of a degradation that was not to be made.
    many = "So it is with" if any(one.code == "dataset-type-differs" for one in findings) else "\n"
    told = {one.message.split("`")[1].rpartition(".")[2] for one in findings if one.code == "option-missing"}
    slips = [one for one in findings if one.code == "option-unknown" and str(one.fix).startswith("Did you")]
    told |= {str(one.fix).split("`")[1] for one in slips if one.severity == "error"}
    # What an adversarial loss lacks is told at the loss.
    at_loss = {str(one.fix).split("`")[1] for one in findings if one.code == "discriminator-missing"}
    return [
        replace(one, severity="error") if one.code == "number-as-text" and one.place in mistyped else one
        for one in findings
        if (one.place, one.code) not in spoken_for
        and MISSED.get(one.code) not in told
        and not (one.code == "option-missing" and (many in one.message or one.message.split("`")[1] in at_loss))
    ]


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each once, by line and column; what has no place comes first."""

    def position(finding: Finding) -> tuple[int, int, str]:
        place = finding.place
        return (place.line or 0, place.column or 0, finding.code) if place else (0, 0, finding.code)

    return tuple(sorted(dict.fromkeys(findings), key=position))


IN_PRESETS = frozenset({"network", "dataset", "probe", "commands"})


@cache
def load_catalogue() -> dict[str, Rule]:
    """Every code that autocal prints, family by family."""
    rules: dict[str, Rule] = {}
    for family in FAMILIES:
        text = preset_text(f"findings/{family}.toml") if family in IN_PRESETS else ""
        rules |= {entry["code"]: Rule(family=family, **entry) for entry in tomllib.loads(text).get("finding", ())}
        rules |= _rules_of_files() if family == "files" else {}
        rules |= {code: rule for code, rule in RULES.items() if rule.family == family}
    return rules


def _rules_of_files() -> dict[str, Rule]:
    """What the trainer does with odd files of a dataset, as the finding says it."""
    source = "the source of traiNNer-redux, tried with its libvips"
    when = "The images of a config, or a folder for analyze-dataset, hold one."
    rules: dict[str, Rule] = {}
    for trait, view in TRAINER_VIEW.items():
        code, title, why = f"trainer-{trait}", _sentence(view.what[1]), f"{_sentence(view.deed)}."
        rules[code] = Rule(code, "files", title, view.severity, why, source, when=when)
    return rules


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def find_rule(code: str, others: Iterable[str] = ()) -> Rule:
    """The rule of a code. Raises AutocalError, with the nearest of these and `others`, where there is none."""
    rules = load_catalogue()
    if code not in rules:
        raise AutocalError(f"There is no finding {code}.", fix=_nearest(code, (*rules, *others)))
    return rules[code]


def expand(patterns: Sequence[str]) -> frozenset[str]:
    """The codes that patterns stand for: a code, a family, a beginning (`pairs`), or a glob (`dataset-*`).

    Raises AutocalError, with the nearest known code or family, for a pattern that stands for none.
    """
    rules = load_catalogue() if patterns else {}
    codes: set[str] = set()
    for pattern in (part.strip() for given in patterns for part in given.split(",")):
        found = {
            code
            for code, rule in rules.items()
            if pattern in (code, rule.family) or code.startswith(f"{pattern}-") or fnmatch.fnmatchcase(code, pattern)
        }
        if not found:
            raise AutocalError(f"No finding has the code {pattern}.", fix=_nearest(pattern, (*rules, *FAMILIES)))
        codes |= found
    return frozenset(codes)


def chosen(findings: Iterable[Finding], select: frozenset[str], ignore: frozenset[str]) -> tuple[Finding, ...]:
    """The findings that are asked for: those of `select` (all, where it is empty) that are not in `ignore`."""
    return tuple(
        finding for finding in findings if (not select or finding.code in select) and finding.code not in ignore
    )


def _nearest(code: str, known: Iterable[str]) -> str:
    near = nearest(code, list(known), 0.6)
    return f"Did you mean {near}?" if near else "`autocal explain codes` lists them."
