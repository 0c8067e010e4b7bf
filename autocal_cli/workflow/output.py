"""The one guard of outputs: a file is written whole or not at all, and never over what a person made or changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from autocal_cli.calibration.json_schema import GENERATOR
from autocal_cli.calibration.resolved import read_record
from autocal_cli.config.files import open_config, read_bytes, replace_file
from autocal_cli.config.model import BLOCK_KEY
from autocal_cli.dataset.files import is_image_name
from autocal_cli.dataset.model import CSV_COLUMNS
from autocal_cli.errors import AutocalError, Place
from autocal_cli.workflow.calibrate import Output
from autocal_cli.workflow.config_file import SIDECAR_SUFFIX, BlockFile, config_of, find_block, sidecar_of

# Whose a standing file is: autocal's own, autocal's but edited since, or somebody else's.
Owner = Literal["autocal", "edited", "foreign"]


def check_output(out: Path, owner: Callable[[Path], Owner], force: bool = False) -> None:
    """Raises AutocalError unless a file can stand at `out` and none does, or one of autocal's own, or `force`."""
    place = Place(str(out))
    if str(out) == "-":
        raise AutocalError("This goes into a file, never to standard output.", place=place, fix="Name a file.")
    if out.is_dir():
        raise AutocalError("The output is a folder.", place=place, fix="Name a file.")
    if out.exists() and not out.is_file():  # a device or a pipe, which must not be replaced by a file
        raise AutocalError("The output is not a regular file.", place=place, fix="Name a file.")
    if not out.parent.is_dir():
        raise AutocalError(f"The folder {out.parent} does not exist.", place=place, fix="Make it first.")
    if force or not out.exists():
        return
    match owner(out):
        case "edited":
            message = "The file was edited by hand since autocal wrote it."
            keep = f"To keep the edits: autocal calibrate {config} --in-place. " if (config := config_of(out)) else ""
            raise AutocalError(message, place=place, fix=f"{keep}To replace it: --force.")
        case "foreign":
            message = "The file exists and autocal did not write it."
            raise AutocalError(message, place=place, fix="Choose another name, or use --force to replace it.")


def check_config_outputs(config: Path, out: Path, force: bool) -> None:
    """What can be said of `-o out` before any work is done. Raises AutocalError."""
    if out.exists() and config.exists() and out.samefile(config):
        message = "The output is the config itself."
        raise AutocalError(message, place=Place(str(out)), fix="Use --in-place to rewrite it.")
    if out.name.endswith(SIDECAR_SUFFIX):
        message = f"The ending {SIDECAR_SUFFIX} is a sidecar's, which stands beside its config; -o names a config."
        named = out.name.removesuffix(SIDECAR_SUFFIX) + config.suffix
        fix = "Use --in-place" if out.resolve() == sidecar_of(config).resolve() else f"Name it {named}"
        raise AutocalError(message, place=Place(str(out)), fix=f"{fix}: a sidecar is written where one is needed.")
    endings = [".toml" if path.suffix.lower() == ".toml" else ".yml" for path in (out, config)]
    if out.suffix.lower() in (".toml", ".yml", ".yaml") and endings[0] != endings[1] and config.suffix:
        message = f"The config is {config.suffix}, and stays what it is; the output would end in {out.suffix}."
        raise AutocalError(message, place=Place(str(out)), fix=f"Name it {out.stem}{config.suffix}.")
    check_output(out, owner_of_config, force)


def write_config_outputs(outputs: Sequence[Output], force: bool) -> bool:
    """Writes the files of a calibration, unless one of them or its source changed meanwhile; whether any was another.

    Raises AutocalError.
    """
    for output in outputs:
        if output.source.exists() and read_bytes(output.source) != output.before:
            message = "The config changed while autocal was at work, so nothing was written."
            raise AutocalError(message, place=Place(str(output.source)), fix="Calibrate it again.")
        if not (output.path.exists() and output.source.exists() and output.path.samefile(output.source)):
            check_output(output.path, owner_of_config, force)
        _refuse_second_block(output.path, [other.path for other in outputs])
    others = [one for one in outputs if not (one.path.exists() and read_bytes(one.path) == one.data)]
    for output in others:
        replace_file(output.path, [output.data])
    return bool(others)


def _refuse_second_block(path: Path, written: Sequence[Path]) -> None:
    """A config with a block beside a sidecar from before: with a block in both, neither would count."""
    sidecar = sidecar_of(path)
    if not path.name.endswith(SIDECAR_SUFFIX) and sidecar.exists() and sidecar not in written:
        message = f"There is a sidecar {sidecar.name} beside it: with a block in both, neither would count."
        raise AutocalError(message, place=Place(str(path)), fix="Remove it first, or leave out --write.")


def owner_of_config(path: Path) -> Owner:
    """A config with a record, and a sidecar and its config, are autocal's together, until a person edits one."""
    try:
        config = config_of(path)
        found = find_block(open_config(config)) if config else _sidecar_alone(path)
        if read_record(found.block) is None:
            return "foreign"
    except AutocalError:
        return "foreign"
    return "edited" if found.edited else "autocal"


def _sidecar_alone(path: Path) -> BlockFile:
    opened = open_config(path)
    at_top = replace(opened, layout=replace(opened.layout, block=(BLOCK_KEY,)))
    return BlockFile(at_top, at_top, "block")


def owner_of_report(path: Path) -> Owner:
    """autocal's pages and tables, by how they begin; a table of an earlier version may lack later columns."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    page = head.startswith(b"<!DOCTYPE html>") and b'<meta name="generator" content="autocal ' in head
    return "autocal" if page or head.startswith(",".join(CSV_COLUMNS[:5]).encode()) else "foreign"


def owner_of_schema(path: Path) -> Owner:
    """A JSON schema that `autocal schema` made says so."""
    try:
        found = json.loads(read_bytes(path))
    except (ValueError, RecursionError):
        return "foreign"
    return "autocal" if isinstance(found, dict) and found.get("$comment") == GENERATOR else "foreign"


# A list of images bears no mark. That autocal wrote it, and nobody changed it since, is known by its SHA-256, which is
# kept in the cache folder.

LISTS = "lists.txt"  # one digest a line


def _is_noted(out: Path, cache: Path | None) -> bool:
    with contextlib.suppress(OSError), out.open("rb") as stream:  # nothing is noted, or it cannot be read
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return cache is not None and digest.encode() in (cache / LISTS).read_bytes().split()
    return False


def list_destinations(outs: Sequence[Path | None], force: bool, cache: Path | None) -> None:
    """Raises AutocalError where a list of images cannot be written, before any work is done."""
    named = [out for out in outs if out]
    for out in named:
        check_output(out, lambda _: "autocal", force)
        if not (force or not out.exists() or _is_noted(out, cache)):
            message = "The file exists, and is no list that autocal is known to have written and nobody changed since."
            raise AutocalError(message, place=Place(str(out)), fix="Choose another name, or use --force to replace it.")
    if len({out.resolve() for out in named}) < len(named):
        raise AutocalError("Two lists have the same file.", place=Place(str(named[0])), fix="Choose different names.")


def write_list(out: Path, names: Iterable[str], cache: Path | None) -> int:
    """Writes a list, one name a line, whole or not at all, and notes it; how many names it has. Raises AutocalError."""
    digest, count = hashlib.sha256(), 0

    def lines() -> Iterator[bytes]:
        nonlocal count
        for count, name in enumerate(names, 1):  # noqa: B007 (the last is how many there are)
            line = f"{name}\n".encode()
            digest.update(line)
            yield line

    replace_file(out, lines())
    if cache and not _is_noted(out, cache):
        with contextlib.suppress(OSError):  # then it is not known the next time
            cache.mkdir(parents=True, exist_ok=True)
            with (cache / LISTS).open("a", encoding="utf-8") as noted:
                noted.write(f"{digest.hexdigest()}\n")
    return count


def refuse_inside(outs: Sequence[Path | None], folders: Sequence[Path], force: bool) -> None:
    """Raises AutocalError for an output below a folder of images, where a trainer would take it for one; with `force`
    for one that this scan would take for one too.
    """
    for out in filter(None, outs):
        if any(out.resolve().is_relative_to(folder.resolve()) for folder in folders):
            named = is_image_name(str(out))
            if force and not named:
                continue
            message = "The output lies in a folder of images, where traiNNer-redux takes every file for an image."
            fix = "Name a file elsewhere" + ("." if named else ", or write it there with --force.")
            raise AutocalError(message, place=Place(str(out)), fix=fix)


def report_destinations(page: Path | None, table: Path | None, force: bool) -> tuple[Path | None, Path | None]:
    """Where a page and a table go, `~` expanded. Raises AutocalError where one cannot, before any work is done."""
    outs = [out.expanduser() if out else None for out in (page, table)]
    for out in filter(None, outs):
        check_output(out, owner_of_report, force)
    if outs[0] and outs[1] and outs[0].resolve() == outs[1].resolve():
        raise AutocalError("--html and --csv name the same file.", place=Place(str(page)), fix="Choose two names.")
    return outs[0], outs[1]


def write_report(
    out: Path, parts: Iterable[str], force: bool, owner: Callable[[Path], Owner] = owner_of_report
) -> None:
    """Writes a page or a table, guarded again: something may have come there meanwhile. Raises AutocalError."""
    check_output(out, owner, force)
    replace_file(out, (part.encode("utf-8") for part in parts))
