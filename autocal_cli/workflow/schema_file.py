"""Where the JSON schema may be written: never over a file that autocal did not write."""

from __future__ import annotations

import json
from pathlib import Path

from autocal_cli.calibration.json_schema import GENERATOR
from autocal_cli.config.storage import read_bytes, replace_file
from autocal_cli.errors import AutocalError, Place
from autocal_cli.workflow.destination import check_place


def write_schema(out: Path, text: str, force: bool) -> None:
    """Writes a schema, whole or not at all.

    Raises AutocalError unless `out` is free, or a schema that autocal wrote, or `force` is given.
    """
    check_place(out, "Leave out -o for standard output.")
    if not (force or not out.exists() or _own(out)):
        message = "The file exists and autocal did not write it."
        raise AutocalError(message, place=Place(str(out)), fix="Choose another name, or use --force to replace it.")
    replace_file(out, text.encode("utf-8"))


def _own(path: Path) -> bool:
    try:
        found = json.loads(read_bytes(path))
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("$comment") == GENERATOR
