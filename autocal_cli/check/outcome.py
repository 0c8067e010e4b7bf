"""What came of checking several configs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autocal_cli.check.record import Checked
from autocal_cli.errors import AutocalError, Finding


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One config: its findings, or the `error` for which it could not be read.

    `path` is None for standard input; `checked` is what the checks saw. A `sidecar` holds the block of another config.
    """

    name: str
    path: Path | None
    findings: tuple[Finding, ...] = ()
    error: AutocalError | None = None
    checked: Checked | None = None
    sidecar: bool = False


@dataclass(frozen=True, slots=True)
class CheckRun:
    """`passed_over` counts the files of folders that are no training configs."""

    files: tuple[CheckedFile, ...]
    passed_over: int

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for file in self.files for finding in file.findings)

    @property
    def exit_code(self) -> int:
        """2 where a file could not be read, 1 where something is wrong, 0 where nothing is."""
        if any(file.error for file in self.files):
            return 2
        return 1 if any(finding.severity != "info" for finding in self.findings) else 0
