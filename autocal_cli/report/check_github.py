"""Findings as workflow commands of GitHub Actions, which annotates the lines of a pull request with them."""

from __future__ import annotations

from pathlib import Path

from autocal_cli.check.outcome import CheckRun
from autocal_cli.errors import Place

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
