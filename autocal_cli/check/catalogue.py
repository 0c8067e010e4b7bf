"""The catalogue of findings: what each code means, why it matters, and an example.

The text stands beside the function that finds it (`rule`). What is found below `check`, by networks, data sets and
commands, which cannot import it, has its text in presets/findings/.
"""

from __future__ import annotations

import difflib
import fnmatch
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import autocal_cli.check.checks  # noqa: F401  (with the next, all modules that describe their findings)
import autocal_cli.check.weights  # noqa: F401
from autocal_cli.check.rule import FAMILIES, RULES, Rule
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.packaged import preset_text

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
