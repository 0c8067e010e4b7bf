"""Which file holds a config's block: the config itself, or its sidecar `NAME.autocal.yml`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from autocal_cli.calibration.resolved import recorded_digest
from autocal_cli.calibration.schema import RECORD_KEY
from autocal_cli.config.document import ConfigDocument, parse_document
from autocal_cli.config.layout import read_block
from autocal_cli.config.patch import text_without
from autocal_cli.config.reading import lookup
from autocal_cli.config.record import BLOCK_KEY, SchedulingBlock
from autocal_cli.config.storage import read_bytes
from autocal_cli.config.trainers import TrainerLayout
from autocal_cli.errors import AutocalError, Place
from autocal_cli.workflow.native import touched_since_marked, with_marked_record

SIDECAR_SUFFIX = ".autocal.yml"
_EMPTY_SIDECAR = "# The loss schedule of {name}, kept beside it: `autocal run` finds it here.\n{key}:\n"


@dataclass(frozen=True, slots=True)
class Holder:
    """A file with a block: `document` is its text, `layout` where the block stands in it.

    `config_text` is the text of the config that it is the sidecar of; empty where it is the config itself. `raw` are
    the file's bytes; None where there is no such file yet.
    """

    path: Path
    document: ConfigDocument
    layout: TrainerLayout
    config_text: str = ""
    raw: bytes | None = None

    @property
    def block(self) -> SchedulingBlock | None:
        """The block; what a `--target native` wrote counts as recorded. Raises AutocalError where it is unusable."""
        block = read_block(self.document, self.layout)
        return with_marked_record(block, self.document, self.layout) if block else None

    def digest(self) -> str:
        """SHA-256 of the text without the record: it tells whether anybody touched the file since."""
        text = text_without(self.document, (*self.layout.block, RECORD_KEY))
        return hashlib.sha256((text + self.config_text).encode("utf-8")).hexdigest()

    @property
    def touched(self) -> bool | None:
        """Whether anybody touched the text since autocal wrote it; None where it did not."""
        block = read_block(self.document, self.layout)
        recorded = recorded_digest(block) if block else None
        if recorded is not None:
            return recorded != self.digest()
        return touched_since_marked(self.document, self.layout)


def sidecar_of(path: Path) -> Path:
    return path.with_suffix(SIDECAR_SUFFIX)


def find_holder(path: Path, document: ConfigDocument, layout: TrainerLayout) -> Holder:
    """The holder of an existing block. Raises AutocalError where both the config and a sidecar hold one."""
    sidecar = sidecar_of(path)
    if not sidecar.exists() or sidecar == path:
        return Holder(path, document, layout)
    _refuse_both(document, layout, sidecar)
    return read_sidecar(path, document, layout)


def read_sidecar(path: Path, document: ConfigDocument, layout: TrainerLayout) -> Holder:
    """The sidecar of a config, or, where there is none yet, one with an empty block.

    A sidecar holds the block at its top, or is a whole config with one. Raises AutocalError where it holds none, and
    where the config holds one too.
    """
    _refuse_both(document, layout, sidecar_of(path))
    sidecar = sidecar_of(path)
    at_top = replace(layout, block=(BLOCK_KEY,))
    if not sidecar.exists():
        fresh = _EMPTY_SIDECAR.format(name=path.name, key=BLOCK_KEY).encode()
        return Holder(sidecar, parse_document(fresh, str(sidecar)), at_top, document.text)
    raw = read_bytes(sidecar)
    held = parse_document(raw, str(sidecar))
    for place in (at_top, layout):
        if lookup(held, place.block) is not None:
            return Holder(sidecar, held, place, document.text, raw)
    raise AutocalError(f"The sidecar holds no `{BLOCK_KEY}` mapping.", place=Place(str(sidecar)))


def _refuse_both(document: ConfigDocument, layout: TrainerLayout, sidecar: Path) -> None:
    block = read_block(document, layout)
    if block is None:
        return
    if sidecar.exists():
        message, fix = f"Both this config and {sidecar.name} hold a `{BLOCK_KEY}` block.", "Remove one."
    else:
        message, fix = f"This config holds a `{BLOCK_KEY}` block; a sidecar would be a second.", "Take it out first."
    raise AutocalError(message, place=block.place, fix=fix)
