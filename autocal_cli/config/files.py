"""Configs as files and as text: read, parsed, edited, verified, replaced; YAML and TOML alike.

Files are replaced whole or not at all. An edit is proven before anybody gets its text.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from autocal_cli.config.model import KeyPath, Value
from autocal_cli.config.toml import TomlDocument, parse_toml, plan_toml_patch, toml_text_without, verify_toml
from autocal_cli.config.yaml.document import ConfigDocument, decode, is_toml, parse_yaml
from autocal_cli.config.yaml.edit import Patch, inverse, plan_yaml_patch, splice, yaml_text_without
from autocal_cli.config.yaml.verify import verify_yaml
from autocal_cli.errors import AutocalError, Place, VerificationError


def parse_document(raw: bytes, path: str) -> ConfigDocument:
    """Parses a config: TOML by the ending `.toml` of its path, or by its looks where the ending tells nothing.

    Raises AutocalError, with the place, for whatever cannot be edited safely.
    """
    text, bom = decode(raw, path)
    return parse_toml(text, bom, path) if is_toml(text, path) else parse_yaml(text, bom, path)


def plan_patch(
    document: ConfigDocument, path: KeyPath, wanted: Mapping[str, Value], units: Collection[str] = ()
) -> Patch:
    """Plans how the mapping at `path` comes to say `wanted`; keys that `wanted` lacks are left as they are.

    The mapping may be absent or null; its parent must exist. Mappings are compared key by key, those named in `units`
    (first level) as a whole. Raises AutocalError where the place cannot be edited safely.
    """
    plan = plan_toml_patch if isinstance(document, TomlDocument) else plan_yaml_patch
    return plan(document, path, wanted, units)


def text_without(document: ConfigDocument, path: KeyPath) -> str:
    """The text without the pair at `path`, without a final line break.

    Inserting that pair and cutting it out again gives the same text, so that a hash of it tells whether anything else
    was touched.
    """
    without = toml_text_without if isinstance(document, TomlDocument) else yaml_text_without
    return without(document, path)


def verify_patch(
    before: ConfigDocument, after_text: str, patch: Patch, dropped: Collection[str] = ()
) -> ConfigDocument:
    """Checks the patched text and returns it parsed.

    (a) Undoing the edits gives the input back; (b) outside the pairs that were set both files read the same; (c) each
    value set reads back with its exact type, by every reader; (d) no comment is lost but those `dropped`. That a second
    calibration changes nothing is checked by whoever calibrates. Raises VerificationError.
    """
    if splice(after_text, inverse(before.text, patch.edits)) != before.text:
        raise VerificationError("Undoing the edits does not give the input.")
    try:
        after = parse_document(before.encode(after_text), before.path)
    except AutocalError as error:
        raise VerificationError(f"The output cannot be read: {error}") from None
    if isinstance(after, TomlDocument):
        verify_toml(before, after, patch.values)
    else:
        verify_yaml(before, after, patch.values, dropped)
    return after


def read_bytes(path: Path) -> bytes:
    """The bytes of a config. Raises AutocalError with the reason in one line."""
    if path.is_dir():
        raise AutocalError("This is a folder, not a config.", place=Place(str(path)), fix="Name the YAML file in it.")
    if path.exists() and not path.is_file():  # a FIFO would never end
        raise AutocalError("This is not a regular file.", place=Place(str(path)))
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise AutocalError("There is no such file.", place=Place(str(path))) from None
    except OSError as error:
        raise AutocalError(f"The file cannot be read: {error.strerror or error}.", place=Place(str(path))) from None


def replace_file(path: Path, data: bytes) -> None:
    """Writes `data` so that readers see the old file or the new one, never a part.

    A symbolic link stays a link and its target is replaced; an existing file's mode is kept. Raises AutocalError.
    """
    temporary: str | None = None
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():  # renaming over a pipe or /dev/null would destroy it
            raise AutocalError("This is not a regular file.", place=Place(str(path)))
        handle, temporary = tempfile.mkstemp(prefix=".autocal.", suffix=".tmp", dir=target.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        else:
            Path(temporary).chmod(0o666 & ~_umask())
        os.replace(temporary, target)  # noqa: PTH105 (the one call that is atomic on every system)
        temporary = None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        reason = getattr(error, "strerror", None) or str(error)
        raise AutocalError(f"The file cannot be written: {reason}.", place=Place(str(path))) from None
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
