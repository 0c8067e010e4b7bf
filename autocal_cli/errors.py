"""What went wrong, where, and what to do: the one vocabulary in which autocal reports trouble.

An `AutocalError` stops the command (a user's mistake, never a traceback); a `Finding` is reported beside a result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file. `line` and `column` count from 1; None where only the file is known."""

    path: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation about the user's input that does not stop the command.

    `code` is stable and kebab-case; `message` says what is wrong with both numbers or names; `fix` says what to do.
    """

    code: str
    severity: Severity
    message: str
    fix: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One code, of which `explain CODE` and the docs tell.

    `bad` and `good` are whole configs, of which `bad` gives the finding at `at` (line:column). A finding that needs
    more than a config, images or logs, has no such example; `when` then says when it comes. `trainer` is the
    --trainer-kind that the examples need. `fixable`: by `autocal check --fix`. `source` says who found that out.
    `severity` is the usual one.
    """

    code: str
    family: str
    title: str
    severity: Severity
    why: str
    source: str
    bad: str | None = None
    good: str | None = None
    at: str | None = None
    when: str | None = None
    trainer: str | None = None
    fixable: bool = False


class VerificationError(AssertionError):
    """The output is not what was meant: a fault of autocal's, never the user's. Nothing is written."""


class AutocalError(Exception):
    """A user's mistake or unreadable input: one line with what, where and the cure. The command exits with 2."""

    def __init__(self, message: str, *, place: Place | None = None, fix: str | None = None) -> None:
        self.message = message
        self.place = place
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place and self.place.path else ""
        cure = f" {self.fix}" if self.fix else ""
        return f"{where}{self.message}{cure}"


def listed(names: Iterable[object], most: int = 12, between: str = ", ") -> str:
    """The first names, and how many more there are: `a, b and 5 more`, or `a; b; and 5 more`."""
    shown = [str(name) for name in names]
    more = f"{between.strip(', ')} and {len(shown) - most:,} more" if len(shown) > most else ""
    return between.join(shown[:most]) + more
