"""One rule of the catalogue as text: for `autocal rule`, and as Markdown for docs/findings.md."""

from __future__ import annotations

from collections.abc import Iterable

from autocal_cli.check.catalogue import FAMILIES, Rule


def rule_text(rule: Rule) -> str:
    """A rule as a person reads it in a terminal."""
    parts = [f"{rule.code} [{rule.severity}]: {rule.title}", "", *_paragraphs(rule)]
    for name, example in (("Wrong", rule.bad), ("Right", rule.good)):
        if example is not None:
            parts += ["", f"{name}:", "", *(f"    {line}".rstrip() for line in example.strip("\n").splitlines())]
    return "\n".join([*parts, "", f"Source: {rule.source}"]) + "\n"


def rules_list(rules: Iterable[Rule]) -> str:
    """One line a rule."""
    rules = list(rules)
    width = max(len(rule.code) for rule in rules)
    return "".join(f"{rule.code:<{width}}  {rule.severity:<7}  {rule.title}\n" for rule in rules)


def rules_markdown(rules: Iterable[Rule]) -> str:
    """All rules as a page, family by family."""
    by_family: dict[str, list[Rule]] = {family: [] for family in FAMILIES}
    for rule in rules:
        by_family[rule.family].append(rule)
    parts: list[str] = []
    for family, members in by_family.items():
        parts += [f"## {family}", ""]
        for rule in members:
            parts += [f"### `{rule.code}`: {rule.title}", "", f"*{rule.severity}*", "", *_paragraphs(rule), ""]
            for name, example in (("Wrong", rule.bad), ("Right", rule.good)):
                if example is not None:
                    parts += [f"{name}:", "", "```yaml", example.strip("\n"), "```", ""]
            parts += [f"Source: {rule.source}", ""]
    return "\n".join(parts)


def _paragraphs(rule: Rule) -> list[str]:
    parts = [" ".join(rule.rationale.split())]
    if rule.when is not None:
        parts += ["", f"When: {' '.join(rule.when.split())}"]
    if rule.trainer is not None:
        parts += ["", f"With `--trainer-kind {rule.trainer}`."]
    if rule.fixable:
        parts += ["", "`autocal check --fix` mends it."]
    return parts
