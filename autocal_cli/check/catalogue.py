"""The catalogue of findings, presets/findings/*.toml: what each code means, why it matters, and an example."""

from __future__ import annotations

import difflib
import fnmatch
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from autocal_cli.errors import AutocalError, Finding, Severity
from autocal_cli.packaged import preset_text

FAMILIES = (
    "block",
    "values",
    "numbers",
    "losses",
    "run",
    "network",
    "trainer",
    "dataset",
    "files",
    "probe",
    "commands",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One code. `bad` and `good` are whole configs, of which `bad` gives the finding at `at` (line:column).

    A finding that needs more than a config, images or logs, has no such example; `when` then says when it comes.
    `trainer` is the --trainer-kind that the examples need. `fixable`: by `autocal check --fix`.
    """

    code: str
    family: str
    title: str
    severity: Severity
    rationale: str
    source: str
    bad: str | None = None
    good: str | None = None
    at: str | None = None
    when: str | None = None
    trainer: str | None = None
    fixable: bool = False


@cache
def load_catalogue() -> dict[str, Rule]:
    """Every code that autocal prints, family by family."""
    rules: dict[str, Rule] = {}
    for family in FAMILIES:
        for entry in tomllib.loads(preset_text(f"findings/{family}.toml"))["finding"]:
            rules[entry["code"]] = Rule(family=family, **entry)
    return rules


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
    rules = load_catalogue()
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
    return f"Did you mean {near[0]}?" if near else "`autocal rule --all` lists them."
