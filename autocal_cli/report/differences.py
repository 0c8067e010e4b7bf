"""What a calibration changed in a config, as a unified diff."""

from __future__ import annotations

import difflib
import io


def unified_diff(before: bytes, after: bytes, name: str, resolved_name: str) -> str:
    """A diff of two UTF-8 texts, line endings shown as they are; empty when they are equal."""
    lines = difflib.unified_diff(_lines(before), _lines(after), name, resolved_name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: bytes) -> list[str]:
    """Lines that end at a line feed only; `splitlines` would also end them at form feeds and the like."""
    return list(io.StringIO(text.decode("utf-8"), newline="\n"))
