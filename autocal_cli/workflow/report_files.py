"""Where the page and the table of a scanned dataset may be written: never over what a person made."""

from __future__ import annotations

from pathlib import Path

from autocal_cli.config.storage import replace_file
from autocal_cli.dataset.report_record import CSV_COLUMNS, PAGE_GENERATOR
from autocal_cli.errors import AutocalError, Place
from autocal_cli.workflow.destination import check_place

_OWN = (",".join(CSV_COLUMNS).encode(), b"<!DOCTYPE html>")  # how a table and a page begin


def report_destinations(page: Path | None, table: Path | None, force: bool) -> tuple[Path | None, Path | None]:
    """Where a page and a table go, `~` expanded. Raises AutocalError where one cannot, before any work is done."""
    outs = [out.expanduser() if out else None for out in (page, table)]
    for out in filter(None, outs):
        check_report_destination(out, force)
    if outs[0] and outs[1] and outs[0].resolve() == outs[1].resolve():
        raise AutocalError("--html and --csv name the same file.", place=Place(str(page)), fix="Choose two names.")
    return outs[0], outs[1]


def check_report_destination(out: Path, force: bool) -> None:
    """Raises AutocalError unless `out` is free, or a page or table that autocal wrote, or `force` is given."""
    check_place(out, "Name a file.")
    if not (force or not out.exists() or _own(out)):
        message = "The file exists and autocal did not write it."
        raise AutocalError(message, place=Place(str(out)), fix="Choose another name, or use --force to replace it.")


def write_report(out: Path, text: str, force: bool) -> None:
    """Writes a page or a table, whole or not at all. Raises AutocalError."""
    check_report_destination(out, force)  # again: something may have come there during the scan
    replace_file(out, text.encode("utf-8"))


def _own(path: Path) -> bool:
    table, page = _OWN
    with path.open("rb") as stream:
        head = stream.read(4096)
    return head.startswith(table) or (head.startswith(page) and PAGE_GENERATOR.encode() in head)
