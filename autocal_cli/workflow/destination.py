"""Where a result may be written: never over a file that a person made or changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autocal_cli.config.document import parse_document
from autocal_cli.config.storage import read_bytes, replace_file
from autocal_cli.config.trainers import recognise_trainer
from autocal_cli.errors import AutocalError, Place
from autocal_cli.replay.drawing import GENERATOR, check_drawing
from autocal_cli.workflow.holder import Holder, sidecar_of

_DRAWN = (b"\x89PNG\r\n", b"<!DOCTYPE html>")  # how a picture and a page begin


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


def drawing_destinations(
    page: Path | None, picture: Path | None, inputs: Sequence[Path], force: bool
) -> tuple[Path | None, Path | None]:
    """Where a page and a picture go, `~` expanded. Raises AutocalError where one cannot, before any work is done."""
    outs = [out.expanduser() if out else None for out in (page, picture)]
    for out in filter(None, outs):
        check_drawing()
        check_drawing_destination(out, force)
        if out.exists() and any(path.expanduser().exists() and out.samefile(path.expanduser()) for path in inputs):
            raise AutocalError("The output is what is to be read.", place=Place(str(out)), fix="Choose another name.")
    if outs[0] and outs[0] == outs[1]:
        raise AutocalError("--html and --png name the same file.", place=Place(str(page)), fix="Choose two names.")
    return outs[0], outs[1]


def check_drawing_destination(out: Path, force: bool) -> None:
    """Raises AutocalError unless `out` is free, or a picture or page that autocal drew, or `force` is given."""
    check_place(out, "Name a file.")
    if not (force or not out.exists() or _drawn_by_autocal(out)):
        message = "The file exists and autocal did not draw it."
        raise AutocalError(message, place=Place(str(out)), fix="Choose another name, or use --force to replace it.")


def write_drawing(out: Path, data: bytes, force: bool) -> None:
    """Writes a picture or a page, whole or not at all. Raises AutocalError."""
    check_drawing_destination(out, force)  # again: something may have come there while the run was replayed
    replace_file(out, data)


def _drawn_by_autocal(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(4096)
    return head.startswith(_DRAWN) and GENERATOR.encode() in head


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
