"""What a calibration changed in a config, as a unified diff."""

from __future__ import annotations

import difflib


def unified_diff(before: bytes, after: bytes, name: str, resolved_name: str) -> str:
    """A diff of two UTF-8 texts, line endings shown as they are; empty when they are equal."""
    old = before.decode("utf-8").splitlines(keepends=True)
    new = after.decode("utf-8").splitlines(keepends=True)
    lines = difflib.unified_diff(old, new, name, resolved_name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
