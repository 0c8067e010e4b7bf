"""Findings on configs as a compiler tells them: place, code, severity, what; the line with a caret; why; the cure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.cells import cell_len
from rich.text import Text

from autocal_cli.check.checks import load_catalogue
from autocal_cli.check.model import CheckedFile, CheckRun
from autocal_cli.check.rule import FAMILIES
from autocal_cli.errors import AutocalError, Finding, Place, Rule, listed
from autocal_cli.report.console import SEVERITY_STYLE, console, one_line

MAX_LINE = 150  # columns of the offending line that are shown


def file_lines(file: CheckedFile) -> Iterator[Text]:
    """All findings on one config: what, the line where it stands with a caret below, why (of several with one code
    the first says so), the fix."""
    said: set[str] = set()
    for finding in file.findings:
        severity, place, rule = finding.severity, finding.place, load_catalogue().get(finding.code)
        head = (one_line(f"{place}: " if place else ""), (finding.code, "bold"), " [")
        yield Text.assemble(*head, (severity, SEVERITY_STYLE[severity]), "] ", one_line(finding.message))
        if file.checked is not None and place is not None and place.line is not None:
            yield from _excerpt(file.checked.document.text, place.line, place.column or 1)
        if rule is not None and finding.code not in said:
            yield Text.assemble(("  why: ", "dim"), one_line(" ".join(rule.why.split())))
        if finding.fix:
            yield Text.assemble(("  fix: ", "dim"), one_line(finding.fix))
        said.add(finding.code)


def error_line(error: AutocalError, name: str) -> Text:
    """What keeps a file from being read."""
    where = "" if error.place else f"{name}: "
    return Text.assemble(("cannot read: ", "bold red"), one_line(f"{where}{error}"))


def summary_line(run: CheckRun) -> Text:
    """How many configs, how many findings of which severity, what was left out."""
    read = sum(file.error is None for file in run.files)
    counts = {severity: sum(f.severity == severity for f in run.findings) for severity in ("error", "warning", "info")}
    told = [f"{count} {name}{'s' * (count != 1 and name != 'info')}" for name, count in counts.items() if count]
    parts = [f"{read} config{'s' * (read != 1)} checked: {', '.join(told) or 'nothing found'}"]
    parts += [f"{len(run.files) - read} could not be read"] if read < len(run.files) else []
    parts += [f"{run.passed_over} other file{'s' * (run.passed_over != 1)} passed over"] if run.passed_over else []
    return Text("; ".join(parts) + ".")


def installation_line(run: CheckRun) -> Text:
    """What could not be built here: how autocal is installed, and nothing of the configs."""
    told = f"Not measured here: {listed(run.unbuilt, 5)}. `pip install spandrel`, or --trainer CHECKOUT, builds more."
    return Text(told, style="dim")


def _excerpt(text: str, line: int, column: int) -> Iterator[Text]:
    """The line, and a caret under the token: as wide as it looks, so that tabs and wide characters do not shift it."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return
    shown, margin = lines[line - 1].rstrip("\r"), f"  {line:>4} | "
    token = _token(shown[column - 1 :])
    lead = "".join(char if char == "\t" else " " * cell_len(one_line(char)) for char in shown[: column - 1])
    target = console()
    limit = min(MAX_LINE, target.width - len(margin) - 1) if target.is_terminal else MAX_LINE  # or it would be broken
    width = max(1, cell_len(one_line(token)))
    shown = "\t".join(map(one_line, shown.split("\t")))
    if len(shown) > limit and column < limit:
        shown, width = shown[:limit] + "…", min(width, limit + 1 - column)
    yield Text.assemble((margin, "dim"), shown)
    yield Text.assemble((" " * (len(margin) - 2) + "| ", "dim"), lead, ("^" * min(width, MAX_LINE), "bold red"))


def _token(rest: str) -> str:
    """What the caret underlines: up to a blank, a comma, a colon or a bracket; a quoted text whole."""
    if rest[:1] in ("'", '"'):
        end = rest.find(rest[0], 1)
        return rest[: end + 1] if end > 0 else rest
    ended = re.search(r"(?<=.)(?:[,\]}]|:(?= |\Z)| #)", rest)
    return (rest[: ended.start()] if ended else rest).rstrip() or " "


def check_github(run: CheckRun) -> str:
    """Workflow commands of GitHub Actions, which annotates a pull request with them: one a finding, and one a file that
    could not be read."""
    lines = []
    for file in run.files:
        if file.error:
            lines.append(_command("error", "cannot-read", file.error, file.name))
        for finding in file.findings:
            level = "notice" if finding.severity == "info" else finding.severity
            lines.append(_command(level, finding.code, finding, file.name))
    return "".join(f"{line}\n" for line in lines)


def _command(level: str, code: str, found: Finding | AutocalError, name: str) -> str:
    place = found.place or Place(name)
    where = {"file": Path(place.path).as_posix(), "line": place.line, "col": place.column, "title": code}
    properties = ",".join(
        f"{key}={_encoded(str(value)).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in where.items()
        if value is not None
    )
    return f"::{level} {properties}::{_encoded(' '.join(part for part in (found.message, found.fix) if part))}"


def _encoded(text: str) -> str:
    """Percent-encoded as GitHub's own toolkit does it (actions/toolkit, packages/core/src/command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def rule_text(rule: Rule) -> str:
    """A rule as a person reads it in a terminal."""
    parts = [f"{rule.code} [{rule.severity}]: {rule.title}", "", *_paragraphs(rule)]
    for name, example in _examples(rule):
        parts += ["", f"{name}:", "", *(f"    {line}".rstrip() for line in example.splitlines())]
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
        by_family.setdefault(rule.family, []).append(rule)
    parts: list[str] = []
    for family, members in by_family.items():
        parts += [f"## {family}", ""]
        for rule in members:
            parts += [f"### `{rule.code}`: {rule.title}", "", f"*{rule.severity}*", "", *_paragraphs(rule), ""]
            for name, example in _examples(rule):
                parts += [f"{name}:", "", "```yaml", example, "```", ""]
            parts += [f"Source: {rule.source}", ""]
    return "\n".join(parts)


def _examples(rule: Rule) -> list[tuple[str, str]]:
    examples = (("Wrong", rule.bad), ("Right", rule.good))
    return [(name, example.strip("\n")) for name, example in examples if example is not None]


def _paragraphs(rule: Rule) -> list[str]:
    parts = [" ".join(rule.why.split())]
    parts += ["", f"When: {' '.join(rule.when.split())}"] if rule.when is not None else []
    parts += ["", f"With `--trainer-kind {rule.trainer}`."] if rule.trainer is not None else []
    return parts + (["", "`autocal check --fix` mends it."] if rule.fixable else [])
