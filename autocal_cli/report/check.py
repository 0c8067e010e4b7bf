"""Findings on configs as a compiler tells them: place, code, severity, what; the line with a caret; why; the cure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.cells import cell_len
from rich.text import Text

from autocal_cli.check.checks import load_catalogue
from autocal_cli.check.model import CheckedFile, CheckRun
from autocal_cli.check.rule import FAMILIES, Rule
from autocal_cli.config.yaml.document import ConfigDocument
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.report.console import SEVERITY_STYLE, one_line

MAX_LINE = 150  # columns of the offending line that are shown


def file_lines(file: CheckedFile) -> Iterator[Text]:
    """All findings on one config; of several with one code the first says why."""
    said: set[str] = set()
    for finding in file.findings:
        yield from finding_lines(finding, file.checked.document if file.checked else None, finding.code not in said)
        said.add(finding.code)


def finding_lines(finding: Finding, document: ConfigDocument | None, why: bool = True) -> Iterator[Text]:
    """One finding: what, the line where it stands with a caret below, why, the fix."""
    place = f"{finding.place}: " if finding.place else ""
    head = (one_line(place), (finding.code, "bold"), " [", (finding.severity, SEVERITY_STYLE[finding.severity]), "] ")
    yield Text.assemble(*head, one_line(finding.message))
    if document is not None and finding.place is not None and finding.place.line is not None:
        yield from _excerpt(document, finding.place.line, finding.place.column or 1)
    rule = load_catalogue().get(finding.code)
    if rule is not None and why:
        yield Text.assemble(("  why: ", "dim"), one_line(" ".join(rule.why.split())))
    if finding.fix:
        yield Text.assemble(("  fix: ", "dim"), one_line(finding.fix))


def error_line(error: AutocalError, name: str) -> Text:
    """What keeps a file from being read."""
    where = "" if error.place else f"{name}: "
    return Text.assemble(("cannot read: ", "bold red"), one_line(f"{where}{error}"))


def summary_line(run: CheckRun) -> Text:
    """How many configs, how many findings of which severity, what was left out."""
    read = sum(file.error is None for file in run.files)
    unread = len(run.files) - read
    counts = {severity: sum(f.severity == severity for f in run.findings) for severity in ("error", "warning", "info")}
    told = ", ".join(
        f"{count} {name}{'s' * (count != 1 and name != 'info')}" for name, count in counts.items() if count
    )
    parts = [f"{read} config{'s' * (read != 1)} checked: {told or 'nothing found'}"]
    parts += [f"{unread} could not be read"] if unread else []
    parts += [f"{run.passed_over} other file{'s' * (run.passed_over != 1)} passed over"] if run.passed_over else []
    return Text("; ".join(parts) + ".")


def installation_line(run: CheckRun) -> Text:
    """What could not be built here: how autocal is installed, and nothing of the configs."""
    shown = ", ".join(run.unbuilt[:5]) + (f" and {len(run.unbuilt) - 5} more" if len(run.unbuilt) > 5 else "")
    return Text(f"Not measured here: {shown}. `pip install spandrel`, or --trainer CHECKOUT, builds more.", style="dim")


def _excerpt(document: ConfigDocument, line: int, column: int) -> Iterator[Text]:
    """The line, and a caret under the token: as wide as it looks, so that tabs and wide characters do not shift it."""
    lines = document.text.split("\n")
    if not 1 <= line <= len(lines):
        return
    text = lines[line - 1].rstrip("\r")
    before, token = text[: column - 1], _token(text[column - 1 :])
    margin = f"  {line:>4} | "
    shown = one_line_keeping_tabs(text)
    lead = "".join(char if char == "\t" else " " * cell_len(one_line(char)) for char in before)
    width = max(1, cell_len(one_line(token)))
    if len(shown) > MAX_LINE and column + len(token) < MAX_LINE:
        shown = shown[:MAX_LINE] + "…"
    yield Text.assemble((margin, "dim"), shown)
    yield Text.assemble((" " * (len(margin) - 2) + "| ", "dim"), lead, ("^" * min(width, MAX_LINE), "bold red"))


def one_line_keeping_tabs(text: str) -> str:
    return "\t".join(one_line(part) for part in text.split("\t"))


def _token(rest: str) -> str:
    """What the caret underlines: up to a blank, a comma, a colon or a bracket; a quoted text whole."""
    if rest[:1] in ("'", '"'):
        end = rest.find(rest[0], 1)
        return rest[: end + 1] if end > 0 else rest
    for index, char in enumerate(rest):
        ends = (
            char in ",]}" or (char == ":" and rest[index + 1 : index + 2] in ("", " ")) or rest[index:].startswith(" #")
        )
        if index and ends:
            return rest[:index].rstrip()
    return rest.rstrip() or " "


# Findings as workflow commands of GitHub Actions, which annotates the lines of a pull request with them.


_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def check_github(run: CheckRun) -> str:
    """One command a finding, and one a file that could not be read."""
    lines = []
    for file in run.files:
        if file.error:
            text = " ".join(part for part in (file.error.message, file.error.fix) if part)
            lines.append(_command("error", file.error.place or Place(file.name), "cannot-read", text))
        for finding in file.findings:
            text = " ".join(part for part in (finding.message, finding.fix) if part)
            lines.append(_command(_LEVELS[finding.severity], finding.place or Place(file.name), finding.code, text))
    return "".join(f"{line}\n" for line in lines)


def _command(level: str, place: Place, code: str, text: str) -> str:
    where = {"file": Path(place.path).as_posix(), "line": place.line, "col": place.column, "title": code}
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in where.items() if value is not None)
    return f"::{level} {properties}::{_data(text)}"


def _data(text: str) -> str:
    """Percent-encoded as GitHub's own toolkit does it (actions/toolkit, packages/core/src/command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# One rule of the catalogue as text: for `autocal explain CODE`, and as Markdown for docs/findings.md.


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
        by_family.setdefault(rule.family, []).append(rule)
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
    parts = [" ".join(rule.why.split())]
    if rule.when is not None:
        parts += ["", f"When: {' '.join(rule.when.split())}"]
    if rule.trainer is not None:
        parts += ["", f"With `--trainer-kind {rule.trainer}`."]
    if rule.fixable:
        parts += ["", "`autocal check --fix` mends it."]
    return parts
