"""What in a block is the user's own: hand-written values, told from those that autocal wrote by the block's record.

Without a record every known key is the user's. With one, a key whose value still equals what the record says was
written is autocal's and is resolved anew; a key that differs, or that the record lacks, is the user's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autocal_cli.calibration.record import Presets
from autocal_cli.calibration.schema import (
    RECORD_KEY,
    RECORD_VERSION,
    block_schema,
    check_value,
    shown,
    unknown_key,
)
from autocal_cli.config.record import KeyPath, SchedulingBlock, Value
from autocal_cli.errors import AutocalError, Finding, Place

MODE_KEY: KeyPath = ("auto_calibrate",)  # says who chooses, so that it is never an override itself


@dataclass(frozen=True, slots=True)
class Overrides:
    """The user's own values by key path, with what is to be said about them."""

    values: Mapping[KeyPath, Value]
    findings: tuple[Finding, ...]


def read_overrides(block: SchedulingBlock | None, settings: Mapping[KeyPath, Value], presets: Presets) -> Overrides:
    """The user's values: those in the block, and over them `settings` (from the command line, checked there).

    Raises AutocalError where a value in the block is not what its key accepts.
    """
    schema = block_schema(presets)
    values: dict[KeyPath, Value] = {}
    findings: list[Finding] = []
    written = written_values(block) if block else {}
    refuse_foreign_record(block)
    for path, value in leaves(block.values if block else {}):
        place = block.place_of(path) if block else None
        if path[0] == RECORD_KEY:
            continue
        if path not in schema:
            refuse_wrong_shape(path, value, schema, place)
            if not (value in (None, {}) and is_section(path, schema)):
                findings.append(unknown_key(path, schema, place))
            continue
        if value is None or (path in settings) or (path in written and same_value(value, written[path])):
            continue
        checked, finding = check_value(path, value, schema[path], place)
        findings += [finding] if finding else []
        if path != MODE_KEY:
            values[path] = checked
    merged = {**values, **settings}
    refuse_phases_out_of_order(merged, presets, block)
    return Overrides(merged, tuple(findings))


def wholly_manual(block: SchedulingBlock | None) -> bool:
    """`auto_calibrate: false` without a record: the user wants to be left alone."""
    return block is not None and block.values.get("auto_calibrate") is False and record_in(block) is None


def record_in(block: SchedulingBlock | None) -> dict[str, Any] | None:
    """The record that autocal left in a block, as it stands there, or None."""
    record = block.values.get(RECORD_KEY) if block else None
    return record if isinstance(record, dict) and "record_version" in record else None


def written_values(block: SchedulingBlock) -> dict[KeyPath, Value]:
    """What autocal wrote, by its record; empty when there is none."""
    wrote = (record_in(block) or {}).get("wrote")
    return dict(leaves(wrote)) if isinstance(wrote, dict) else {}


def leaves(values: Mapping[str, Value], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Value]]:
    """The single values (and lists) of a nested mapping with their key paths, in order."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def same_value(one: Value, other: Value) -> bool:
    """Equal as a person would say: 5 is 5.0, but true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def is_section(path: KeyPath, schema: Mapping[KeyPath, object]) -> bool:
    """Whether known keys stand below `path`, as they do below `phases`."""
    return any(known[: len(path)] == path for known in schema)


def refuse_foreign_record(block: SchedulingBlock | None) -> None:
    """A `calibration` that is no record would be overwritten; a record of a later version would be misread."""
    found = block.values.get(RECORD_KEY) if block else None
    if block is None or found in (None, {}):
        return
    place, record = block.place_of((RECORD_KEY,)), record_in(block)
    if record is None:
        message = f"`{RECORD_KEY}` is where autocal keeps its record. This is none."
        raise AutocalError(message, place=place, fix="Give your own key another name.")
    version = record["record_version"]
    if isinstance(version, int) and version > RECORD_VERSION:
        message = f"The `{RECORD_KEY}` record has version {version}; this autocal reads up to {RECORD_VERSION}."
        raise AutocalError(message, place=place, fix="Update autocal-cli.")


def refuse_phases_out_of_order(
    values: Mapping[KeyPath, Value], presets: Presets, block: SchedulingBlock | None
) -> None:
    """A phase that ends no later than the one before it would never come."""
    before, end = "", 0.0
    last: KeyPath = ("phases",)
    for phase in presets.phases:
        path: KeyPath = ("phases", phase.name, "until")
        until = values.get(path, phase.until)
        assert isinstance(until, int | float)
        if until <= end:
            message = (
                f"The phase {phase.name} ends at {until:g}, no later than {before} at {end:g}: it would never come."
            )
            place = block.place_of(path if path in values else last) if block else None
            raise AutocalError(message, place=place, fix="Let `until` rise.")
        before, end, last = phase.name, until, path


def refuse_wrong_shape(path: KeyPath, value: Value, schema: Mapping[KeyPath, object], place: Place | None) -> None:
    """`momentum: {a: 1}` and `phases: fast` put the wrong shape where autocal writes."""
    for length in range(1, len(path)):
        if path[:length] in schema:
            raise AutocalError(f"`{'.'.join(path[:length])}` should be a single value. Found a mapping.", place=place)
    if value not in (None, {}) and is_section(path, schema):
        raise AutocalError(f"`{'.'.join(path)}` should be a mapping. Found {shown(value)}.", place=place)
