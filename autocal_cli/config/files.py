"""Configs as files and as text: read, parsed, edited, verified, replaced; YAML and TOML alike.

Files are replaced whole or not at all. An edit is proven before anybody gets its text.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from autocal_cli.config.loading import Problem, read_block, read_training_config
from autocal_cli.config.model import KeyPath, SchedulingBlock, TrainingConfig, Value
from autocal_cli.config.toml import parse_toml, plan_toml_patch, toml_text_without
from autocal_cli.config.trainers import TrainerLayout, recognise_trainer
from autocal_cli.config.yaml.document import BOM, ConfigDocument
from autocal_cli.config.yaml.edit import Edit, Patch, inverse, plan_yaml_patch, splice, yaml_text_without
from autocal_cli.config.yaml.parsing import parse_yaml
from autocal_cli.config.yaml.verify import verify
from autocal_cli.errors import AutocalError, Place, VerificationError


@dataclass(frozen=True, eq=False)
class ConfigFile:
    """One config, opened: its text and tree (`document`) and the `layout` of its trainer. What else is asked of it is
    read from the tree once, when it is first asked for.

    A sidecar is one too: its layout has the block at the top (`dataclasses.replace`).
    """

    document: ConfigDocument
    layout: TrainerLayout

    @property
    def path(self) -> Path:
        return Path(self.document.path)

    @property
    def text(self) -> str:
        return self.document.text

    @property
    def raw(self) -> bytes:
        """The bytes of the file."""
        return self.document.encode(self.document.text)

    @cached_property
    def block(self) -> SchedulingBlock | None:
        """The scheduling block; None where there is none. Raises AutocalError where it cannot be used."""
        return read_block(self.document, self.layout)

    @property
    def training(self) -> TrainingConfig:
        """The facts of the training. Raises AutocalError for the first part that cannot be read."""
        config, problems = self.reading
        if problems:
            raise problems[0].error
        return config

    @cached_property
    def reading(self) -> tuple[TrainingConfig, tuple[Problem, ...]]:
        """The facts of the training as far as they can be read, and the parts that cannot.

        Raises AutocalError where there is no `train` mapping.
        """
        problems: list[Problem] = []
        config = read_training_config(self.document, self.layout, lambda code, e: problems.append(Problem(code, e)))
        return config, tuple(problems)


def open_config(path: Path, raw: bytes | None = None, trainer_kind: str | None = None) -> ConfigFile:
    """Opens a config: the file at `path`, or the bytes `raw`, which `path` then names in messages.

    `trainer_kind` names the trainer where the config's own shape does not tell it. Raises AutocalError, with the place,
    for a file that cannot be read or edited safely, and for a trainer that is not known.
    """
    document = parse_document(read_bytes(path) if raw is None else raw, str(path))
    return ConfigFile(document, recognise_trainer(document, trainer_kind))


def parse_document(raw: bytes, path: str) -> ConfigDocument:
    """Parses a config: TOML by the ending `.toml` of its path, or where that tells nothing by its first line that is
    neither blank nor a comment.

    Raises AutocalError, with the place, for whatever cannot be edited safely.
    """
    text, bom = decode(raw, path)
    ending = PurePath(path).suffix.lower()
    toml = ending == ".toml" or (ending not in (".yml", ".yaml") and _LOOKS_LIKE_TOML.match(text))
    return parse_toml(text, bom, path) if toml else parse_yaml(text, bom, path)


MAX_BYTES = 1024 * 1024  # the largest of 1,700 real option files has 15 KB
_LOOKS_LIKE_TOML = re.compile(r"""(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*(?:\[[^\]\n,]+\]|[\w"'. -]+=)""")


def decode(raw: bytes, path: str) -> tuple[str, bool]:
    """The text without its byte order mark, and whether it had one. Raises AutocalError."""
    if len(raw) > MAX_BYTES:
        raise AutocalError(f"The file has {len(raw):,} bytes; at most {MAX_BYTES:,} are read.", place=Place(path))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        message, line = f"The file is not UTF-8 (byte {error.start:,}).", raw.count(b"\n", 0, error.start) + 1
        raise AutocalError(message, place=Place(path, line), fix="Save it as UTF-8.") from None
    return text.removeprefix(BOM), text.startswith(BOM)


def plan_patch(
    document: ConfigDocument, path: KeyPath, wanted: Mapping[str, Value], units: Collection[str] = ()
) -> Patch:
    """Plans how the mapping at `path` comes to say `wanted`; keys that `wanted` lacks are left as they are.

    The mapping may be absent or null; its parent must exist. Mappings are compared key by key, those named in `units`
    (first level) as a whole. Raises AutocalError where the place cannot be edited safely.
    """
    plan = plan_toml_patch if document.language == "toml" else plan_yaml_patch
    return plan(document, path, wanted, units)


def text_without(document: ConfigDocument, path: KeyPath) -> str:
    """The text without the pair at `path`, without a final line break.

    Inserting that pair and cutting it out again gives the same text, so that a hash of it tells whether anything else
    was touched.
    """
    without = toml_text_without if document.language == "toml" else yaml_text_without
    return without(document, path)


def verify_patch(
    before: ConfigDocument, after_text: str, patch: Patch, dropped: Collection[str] = ()
) -> ConfigDocument:
    """Checks the patched text and returns it parsed.

    (a) Undoing the edits gives the input back; (b) outside the pairs that were set both files read the same; (c) each
    value set reads back with its exact type, by every reader; (d) no comment is lost but those `dropped`. That a second
    calibration changes nothing is checked by whoever calibrates. Raises VerificationError.
    """
    after = parse_edited(before, after_text, patch.edits)
    verify(before, after, patch.values, dropped)
    return after


def parse_edited(before: ConfigDocument, after_text: str, edits: Collection[Edit]) -> ConfigDocument:
    """The edited text, parsed. Raises VerificationError where that fails, or undoing the edits gives another input."""
    if splice(after_text, inverse(before.text, edits)) != before.text:
        raise VerificationError("Undoing the edits does not give the input.")
    try:
        return parse_document(before.encode(after_text), before.path)
    except AutocalError as error:
        raise VerificationError(f"The output cannot be read: {error}") from None


def read_bytes(path: Path) -> bytes:
    """The bytes of a config. Raises AutocalError with the reason in one line."""
    message, fix = "", None
    try:
        if path.is_dir():
            message, fix = "This is a folder, not a config.", "Name the YAML file in it."
        elif path.exists() and not path.is_file():  # a FIFO would never end
            message = "This is not a regular file."
        else:
            return path.read_bytes()
    except FileNotFoundError:
        message = "There is no such file."
    except OSError as error:
        message = f"The file cannot be read: {error.strerror or error}."
    raise AutocalError(message, place=Place(str(path)), fix=fix)


def replace_file(path: Path, parts: Iterable[bytes]) -> None:
    """Writes the `parts` so that readers see the old file or the new one, whole.

    A symbolic link stays a link and its target is replaced; an existing file's mode is kept. Raises AutocalError.
    """
    temporary: str | None = None
    try:
        target = path.resolve()
        if target.is_symlink():  # a loop of links, which resolve() raises on before Python 3.13 only
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.exists() and not target.is_file():  # renaming over a pipe or /dev/null would destroy it
            raise AutocalError("This is not a regular file.", place=Place(str(path)))
        handle, temporary = tempfile.mkstemp(prefix=".autocal.", suffix=".tmp", dir=target.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.writelines(parts)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        else:
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)
        os.replace(temporary, target)  # noqa: PTH105 (the one call that is atomic on every system)
        temporary = None
    except (OSError, RuntimeError) as error:  # RuntimeError: that loop
        reason = getattr(error, "strerror", None) or str(error)
        raise AutocalError(f"The file cannot be written: {reason}.", place=Place(str(path))) from None
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
