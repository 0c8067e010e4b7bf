"""A block for the scheduler that the fork of traiNNer-redux has itself (`--target native`): its flat keys alone.

Its constructor raises on any other key, `auto_calibrate` included; the fork swallows that and trains unscheduled. So
the record cannot stand in the block: a comment above it says what autocal wrote, which tells its values from the user's
on the next run, and a digest of the text, which tells whether anybody touched the file since.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace

from autocal_cli.calibration.overrides import MODE_KEY, record_in
from autocal_cli.calibration.record import PARAMETERS, Calibration
from autocal_cli.calibration.resolved import resolved_values
from autocal_cli.calibration.schema import RECORD_KEY, RECORD_VERSION
from autocal_cli.config.document import ConfigDocument
from autocal_cli.config.edits import Edit, Patch, splice
from autocal_cli.config.patch import plan_patch
from autocal_cli.config.reading import lookup
from autocal_cli.config.record import BLOCK_KEY, SchedulingBlock, Value
from autocal_cli.config.scalars import read_plain, write_scalar
from autocal_cli.config.trainers import TrainerLayout
from autocal_cli.config.verify import verify_patch
from autocal_cli.errors import AutocalError
from autocal_cli.version import __version__

# The fork's create_dynamic_loss_scheduler reads `enabled` and hands all else to DynamicLossScheduler's constructor
# (traiNNer/losses/dynamic_loss_scheduling.py), which also takes `enable_monitoring`.
WRITTEN_KEYS = ("enabled", *PARAMETERS)
NATIVE_KEYS = (*WRITTEN_KEYS, "enable_monitoring")
RUNTIME_SECTIONS = (*MODE_KEY, "phases", "stability", "training_config", RECORD_KEY)  # what `--target runtime` writes

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
