"""Findings on configs as plain data. The shape is a contract; `format_version` grows when it changes."""

from __future__ import annotations

from autocal_cli.check.catalogue import Rule, load_catalogue
from autocal_cli.check.outcome import CheckedFile, CheckRun
from autocal_cli.config.record import Value
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.report.as_json import FORMAT_VERSION, finding_json


def check_json(run: CheckRun) -> dict[str, Value]:
    return {
        "format_version": FORMAT_VERSION,
        "files": [_file(file) for file in run.files],
        "passed_over": run.passed_over,
        "exit_code": run.exit_code,
    }


def rule_json(rule: Rule) -> dict[str, Value]:
    return {
        "code": rule.code,
        "family": rule.family,
        "severity": rule.severity,
        "title": rule.title,
        "rationale": " ".join(rule.rationale.split()),
        "source": rule.source,
        "bad": rule.bad,
        "good": rule.good,
        "when": rule.when,
        "fixable": rule.fixable,
    }


def _file(file: CheckedFile) -> dict[str, Value]:
    return {
        "path": file.name,
        "error": _error(file.error) if file.error else None,
        "findings": [_finding(finding) for finding in file.findings],
    }


def _finding(finding: Finding) -> dict[str, Value]:
    rule = load_catalogue().get(finding.code)
    return {**finding_json(finding), "why": " ".join(rule.rationale.split()) if rule else None}


def _error(error: AutocalError) -> dict[str, Value]:
    place = error.place
    return {
        "message": error.message,
        "fix": error.fix,
        "line": place.line if place else None,
        "column": place.column if place else None,
    }
