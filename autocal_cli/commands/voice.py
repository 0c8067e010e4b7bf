"""What a command says on standard error, and which of several processes says it."""

from __future__ import annotations

import os
import sys


def complain(message: str, code: int) -> int:
    """An error is told by every process that has it, since it may be that one's alone."""
    _write(message if is_first_rank() else f"rank {os.environ['RANK']}: {message}")
    return code


def is_first_rank() -> bool:
    """Whether this process shows and writes: of those that torchrun started one does."""
    return os.environ.get("RANK", "0") == "0"


def say(message: str) -> None:
    if is_first_rank():
        _write(message)


def _write(message: str) -> None:
    from autocal_cli.report.output import one_line

    sys.stderr.write(f"autocal: {one_line(message)}\n")
