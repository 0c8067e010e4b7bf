"""Which file holds a config's block: the config itself, or its sidecar `NAME.autocal.yml`."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autocal_cli.calibration.block import MODE_KEY, RECORD_KEY, RECORD_VERSION, block_schema, check_value, record_in
from autocal_cli.calibration.model import PRESET_PARAMETERS, Calibration
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.resolved import recorded_digest, resolved_values
from autocal_cli.config.files import parse_document, plan_patch, read_bytes, text_without, verify_patch
from autocal_cli.config.loading import read_block
from autocal_cli.config.model import BLOCK_KEY, KeyPath, SchedulingBlock, Value
from autocal_cli.config.trainers import TrainerLayout
from autocal_cli.config.yaml.document import ConfigDocument, lookup
from autocal_cli.config.yaml.edit import Edit, Patch, splice
from autocal_cli.config.yaml.scalars import read_plain, write_scalar
from autocal_cli.errors import AutocalError, Place
from autocal_cli.version import __version__

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


# A block for the scheduler that the fork of traiNNer-redux has itself (`--target native`): its flat keys alone.
#
# Its constructor raises on any other key, `auto_calibrate` included; the fork swallows that and trains unscheduled.
# So the record cannot stand in the block: a comment above it says what autocal wrote, which tells its values from the
# user's on the next run, and a digest of the text, which tells whether anybody touched the file since.


# The fork's create_dynamic_loss_scheduler reads `enabled` and hands all else to DynamicLossScheduler's constructor
# (traiNNer/losses/dynamic_loss_scheduling.py), which also takes `enable_monitoring`.
WRITTEN_KEYS = ("enabled", *PRESET_PARAMETERS)
NATIVE_KEYS = (*WRITTEN_KEYS, "enable_monitoring")
# what `--target runtime` writes besides
RUNTIME_SECTIONS = (*MODE_KEY, "fidelity_budget", "phases", "stability", "training_config", RECORD_KEY)

_MARKER = re.compile(r"[ \t]*(# autocal \S+ wrote: (?P<wrote>[^;\n]*); text (?P<digest>[0-9a-f]{16})) *\r?\n")


def write_native_block(
    document: ConfigDocument, calibration: Calibration, block: SchedulingBlock | None, layout: TrainerLayout
) -> ConfigDocument:
    """The document with the flat values in its block, and the comment above it, each step verified.

    Raises AutocalError for hand-written keys that the fork's scheduler does not take.
    """
    _refuse_foreign_keys(calibration, block)
    values = {key: value for key, value in resolved_values(calibration).items() if key in WRITTEN_KEYS}
    standing = block.values if block else {}
    if any(key not in NATIVE_KEYS for key in standing if key != RECORD_KEY) or _has_real_record(block):
        kept = {key: value for key, value in standing.items() if key in NATIVE_KEYS}
        patch = plan_patch(document, layout.block[:-1], {BLOCK_KEY: {**kept, **values}}, units={BLOCK_KEY})
    else:
        patch = plan_patch(document, layout.block, values)
    settled = verify_patch(document, splice(document.text, patch.edits), patch) if patch.edits else document
    wrote = {key: value for key, value in values.items() if (key,) not in calibration.manual}
    return _marked(settled, layout, wrote)


def without_marker(document: ConfigDocument, layout: TrainerLayout) -> ConfigDocument:
    """The document without the comment that `--target native` leaves: a record in the block takes its place."""
    found = _marker(document, layout)
    return _edited(document, Edit(found.start(), found.end(), ""), found[1]) if found else document


def with_marked_record(block: SchedulingBlock, document: ConfigDocument, layout: TrainerLayout) -> SchedulingBlock:
    """The block with what the comment above it says as its record, unless it has a record of its own."""
    found = _marker(document, layout)
    if found is None or RECORD_KEY in block.values:
        return block
    pairs = (item.partition("=") for item in found["wrote"].split())
    wrote: dict[str, Value] = {key: read_plain(text, "1.2") for key, _, text in pairs if key in WRITTEN_KEYS}
    record: dict[str, Value] = {"record_version": RECORD_VERSION, "wrote": wrote, "marker": True}
    return replace(block, values={**block.values, RECORD_KEY: record})


def touched_since_marked(document: ConfigDocument, layout: TrainerLayout) -> bool | None:
    """Whether the text was touched since the comment was written; None where there is no such comment."""
    found = _marker(document, layout)
    return None if found is None else found["digest"] != _digest(without_marker(document, layout))


def _refuse_foreign_keys(calibration: Calibration, block: SchedulingBlock | None) -> None:
    by_hand = [path for path in calibration.manual if path[0] not in NATIVE_KEYS]
    by_hand += [(key,) for key in (block.values if block else {}) if key not in (*NATIVE_KEYS, *RUNTIME_SECTIONS)]
    if by_hand:
        path = by_hand[0]
        message = f"`{'.'.join(path)}` is set by hand, and the fork's own scheduler raises on that key."
        place = block.place_of(path) if block else None
        raise AutocalError(message, place=place, fix="Remove it, or write the block with --target runtime.")


def _has_real_record(block: SchedulingBlock | None) -> bool:
    record = record_in(block)
    return record is not None and "marker" not in record


def _marked(document: ConfigDocument, layout: TrainerLayout, wrote: Mapping[str, Value]) -> ConfigDocument:
    """The document with the comment in the line above the block; where the block begins no line, without."""
    bare = without_marker(document, layout)
    pair = lookup(bare, layout.block)
    assert pair is not None
    start = bare.line_start(pair.key.start)
    indent = bare.text[start : pair.key.start]
    if indent.strip(" "):
        return bare
    said = " ".join(f"{key}={write_scalar(value)}" for key, value in wrote.items())  # type: ignore[arg-type]
    comment = f"# autocal {__version__} wrote: {said or 'nothing'}; text {_digest(bare)}"
    return _edited(bare, Edit(start, start, f"{indent}{comment}{bare.newline}"))


def _digest(document: ConfigDocument) -> str:
    return hashlib.sha256(document.text.rstrip("\r\n").encode("utf-8")).hexdigest()[:16]


def _edited(document: ConfigDocument, edit: Edit, dropped: str | None = None) -> ConfigDocument:
    patch = Patch((edit,), {})
    return verify_patch(document, splice(document.text, patch.edits), patch, dropped={dropped} if dropped else ())


def _marker(document: ConfigDocument, layout: TrainerLayout) -> re.Match[str] | None:
    """The comment, in one of the comment lines right above the block."""
    pair = lookup(document, layout.block)
    if pair is None:
        return None
    start = document.line_start(pair.key.start)
    while start > 0:
        start = document.line_start(start - 1)
        found = _MARKER.match(document.text, start)
        if found or not document.text[start:].lstrip(" \t").startswith("#"):
            return found
    return None


# `--set key=value`: values from the command line that count as written by hand.


def parse_settings(pairs: Sequence[str]) -> dict[KeyPath, Value]:
    """`key=value` texts as values by key path; `dataset_info.edge_density` may leave out `training_config`.

    Raises AutocalError for what is no such pair, names no key that can be set, or gives it a value that it cannot have.
    """
    schema = block_schema(load_presets())
    names = {".".join(path): path for path in schema if path != ("auto_calibrate",)}
    names |= {name.removeprefix("training_config."): path for name, path in names.items()}
    settings: dict[KeyPath, Value] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise AutocalError(f"--set {pair}: expected key=value.", fix="For example: --set momentum=0.9")
        name = name.removeprefix("train.").removeprefix(f"{BLOCK_KEY}.")
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
            hint = f"Did you mean {near[0]}?" if near else f"Keys: {', '.join(sorted(names))}."
            raise AutocalError(f"--set {pair}: there is no key {name}.", fix=hint)
        path = names[name]
        try:
            settings[path], _ = check_value(path, read_plain(text, "1.2"), schema[path], None)
        except AutocalError as error:
            raise AutocalError(f"--set {pair}: {error.message}") from None
    return settings
