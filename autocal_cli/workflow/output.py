"""Where a result may be written: never over a file that a person made or changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from autocal_cli.calibration.json_schema import GENERATOR
from autocal_cli.config.files import parse_document, read_bytes, replace_file
from autocal_cli.config.trainers import recognise_trainer
from autocal_cli.dataset.model import CSV_COLUMNS, PAGE_GENERATOR
from autocal_cli.errors import AutocalError, Place
from autocal_cli.workflow.config_file import Holder, sidecar_of


def check_destination(out: Path, source: Path, force: bool) -> None:
    """Raises AutocalError unless `out` is free, or autocal's own and untouched since, or `force` is given."""
    place = Place(str(out))
    check_place(out, "Use -o - for standard output.")
    endings = [".toml" if path.suffix.lower() == ".toml" else ".yml" for path in (out, source)]
    if out.suffix.lower() in (".toml", ".yml", ".yaml") and endings[0] != endings[1] and source.suffix:
        message = f"The config is {source.suffix}, and stays what it is; the output would end in {out.suffix}."
        raise AutocalError(message, place=place, fix=f"Name it {out.stem}{source.suffix}.")
    if force or not out.exists():
        return
    if source.exists() and out.samefile(source):
        if not _bears_record(out):
            raise AutocalError("The output is the config itself.", place=place, fix="Use --in-place to rewrite it.")
        return
    if not _bears_record(out):
        message = "The file exists and autocal did not write it."
        raise AutocalError(message, place=place, fix="Choose another name, or use --force to replace it.")
    if _touched(out):
        message = "The file was edited by hand since autocal wrote it."
        fix = f"To keep the edits: autocal calibrate {out} --in-place. To replace it: --force."
        raise AutocalError(message, place=place, fix=fix)


def check_sidecar_beside(out: Path) -> None:
    """Raises AutocalError where a config that is to hold the block has a sidecar with one."""
    sidecar = sidecar_of(out)
    if sidecar != out and sidecar.exists():
        message = f"There is a sidecar {sidecar.name} beside it: with a block in both, neither would count."
        raise AutocalError(message, place=Place(str(out)), fix="Use --sidecar, or remove the sidecar first.")


def check_place(out: Path, instead: str) -> None:
    """Raises AutocalError where no file can stand; `instead` says what to do where something else stands."""
    place = Place(str(out))
    if out.is_dir():
        raise AutocalError("The output is a folder.", place=place, fix="Name a file.")
    if out.exists() and not out.is_file():  # a device or a pipe, which must not be replaced by a file
        raise AutocalError("The output is not a regular file.", place=place, fix=instead)
    if not out.parent.is_dir():
        raise AutocalError(f"The folder {out.parent} does not exist.", place=place, fix="Make it first.")


def write_result(target: Path, source: Path, before: bytes, after: bytes, force: bool) -> None:
    """Writes a result, unless the config or the output changed while the images were scanned.

    `before` are the bytes that `source` had when it was read. Raises AutocalError; nothing is written then.
    """
    in_place = target.exists() and source.exists() and target.samefile(source)
    if in_place and read_bytes(target) != before:
        message = "The config changed while autocal was at work, so it was not replaced."
        raise AutocalError(message, place=Place(str(target)), fix="Calibrate it again.")
    if not in_place:
        check_destination(target, source, force)
    if not (in_place and after == before):
        replace_file(target, after)


def _bears_record(path: Path) -> bool:
    try:
        return _touched(path) is not None
    except AutocalError:
        return False


def _touched(path: Path) -> bool | None:
    """Whether a config was edited since autocal wrote it; None where it did not."""
    document = parse_document(read_bytes(path), str(path))
    return Holder(path, document, recognise_trainer(document)).touched


# Where the page and the table of a scanned dataset may be written: never over what a person made.


_OWN = (",".join(CSV_COLUMNS).encode(), b"<!DOCTYPE html>")  # how a table and a page begin


def list_destinations(outs: Sequence[Path | None], force: bool) -> None:
    """Raises AutocalError where a list of images cannot be written: it bears no mark, so what exists needs `force`."""
    named = [out for out in outs if out]
    for out in named:
        check_place(out, "Name a file.")
        if out.exists() and not force:
            message = "The file exists, and autocal cannot tell whether it wrote it."
            raise AutocalError(message, place=Place(str(out)), fix="Choose another name, or use --force to replace it.")
    if len({out.resolve() for out in named}) < len(named):
        raise AutocalError("Two lists have the same file.", place=Place(str(named[0])), fix="Choose different names.")


def write_list(out: Path, text: str) -> None:
    """Writes a list, whole or not at all. Raises AutocalError."""
    replace_file(out, text.encode("utf-8"))


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


# Where the JSON schema may be written: never over a file that autocal did not write.


def write_schema(out: Path, text: str, force: bool) -> None:
    """Writes a schema, whole or not at all.

    Raises AutocalError unless `out` is free, or a schema that autocal wrote, or `force` is given.
    """
    check_place(out, "Leave out -o for standard output.")
    if not (force or not out.exists() or _own_schema(out)):
        message = "The file exists and autocal did not write it."
        raise AutocalError(message, place=Place(str(out)), fix="Choose another name, or use --force to replace it.")
    replace_file(out, text.encode("utf-8"))


def _own_schema(path: Path) -> bool:
    try:
        found = json.loads(read_bytes(path))
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("$comment") == GENERATOR
