"""The block as a JSON schema (draft 2020-12), by which editors complete and check it. Made from `block_schema`.

It refuses what calibration refuses in one key, and numbers written as text, which calibration reports. What several
keys say together (phases that end in order) a schema cannot say. Nothing is referred
to by `$ref`, so that every editor can read it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from autocal_cli.calibration.block import RECORD_VERSION, Field, block_schema, block_sections
from autocal_cli.calibration.model import PARAMETERS, Presets
from autocal_cli.config.model import BLOCK_KEY, RECORD_KEY, KeyPath, Value

DIALECT = "https://json-schema.org/draft/2020-12/schema"
GENERATOR = "made by `autocal schema`"

Schema = dict[str, Value]

_TYPES = {"number": "number", "whole number": "integer", "boolean": "boolean", "word": "string"}


def json_schema(presets: Presets, whole_config: bool = False, strict: bool = False) -> Schema:
    """The schema of the block, or of a `whole_config` with the block under `train`.

    Keys that autocal does not know are allowed, as calibration keeps them; `strict` refuses them in the block.
    """
    block = _block(presets, strict)
    head: Schema = {"$schema": DIALECT, "$comment": GENERATOR, "title": BLOCK_KEY}
    if not whole_config:
        return {**head, **block}
    train: Schema = {"type": ["object", "null"], "properties": {BLOCK_KEY: block}}
    return {**head, "title": f"a training config with {BLOCK_KEY}", "type": "object", "properties": {"train": train}}


def _block(presets: Presets, strict: bool) -> Schema:
    defaults, told = default_values(presets), block_sections(presets)
    rows = {path: _key(path, field, presets, defaults.get(path)) for path, field in block_schema(presets).items()}
    block = _section((), rows, told, strict)
    properties = block["properties"]
    assert isinstance(properties, dict)
    properties[RECORD_KEY] = {**_mapping(told[(RECORD_KEY,)]), **RECORD_SCHEMA}
    return block


def default_values(presets: Presets) -> dict[KeyPath, Value]:
    """What stands in for a key that is left out, where that is the same for every config."""
    values: dict[KeyPath, Value] = {("enabled",): True, ("auto_calibrate",): True, ("mode",): "act"}
    for phase in presets.phases:
        numbers = {"until": phase.until, "rate": phase.rate}
        values |= {("phases", phase.name, key): value for key, value in numbers.items()}
    return values | {("stability", name): value for name, value in presets.stability.items()}


def _section(path: KeyPath, rows: Mapping[KeyPath, Schema], told: Mapping[KeyPath, str], strict: bool) -> Schema:
    """The mapping at `path`, with what stands below it."""
    names = dict.fromkeys(known[len(path)] for known in rows if known[: len(path)] == path)
    inner: Schema = {name: rows.get((*path, name)) or _section((*path, name), rows, told, strict) for name in names}
    return {**_mapping(told[path]), "properties": inner, "additionalProperties": not strict}


def _key(path: KeyPath, field: Field, presets: Presets, default: Value) -> Schema:
    """One key, null included: it counts as left out."""
    row: Schema = {"description": field.description, "type": [_TYPES[field.type], "null"], **_range(field)}
    if field.words:
        row["enum"] = [*field.words, None]
    if path[0] in PARAMETERS:
        row["description"] = f"{field.description} {_preset_range(path[0], presets)}"
    return row if default is None else {**row, "default": default}


def _preset_range(name: str, presets: Presets) -> str:
    """`Presets: 0.85 to 0.97.`"""
    values = presets.budgets.values() if name == "fidelity_budget" else [each.values[name] for each in presets.presets]
    low, high = min(values), max(values)
    return f"Presets: {low:g}." if low == high else f"Presets: {low:g} to {high:g}."


def _range(field: Field) -> Schema:
    bounds: Schema = {}
    if field.low > -math.inf:
        bounds["exclusiveMinimum" if field.open_low else "minimum"] = field.low
    if field.high < math.inf:
        bounds["exclusiveMaximum" if field.open_high else "maximum"] = field.high
    return bounds


def _mapping(description: str) -> Schema:
    """null counts as left out."""
    return {"description": description, "type": ["object", "null"]}


# The `calibration` record of a resolved block as a JSON schema: what `record_of` writes.


RECORD_SCHEMA: dict[str, Value] = {
    "if": {"type": "object", "minProperties": 1},
    "then": {"required": ["made"]},
    "properties": {
        "made": {
            "description": "The autocal that wrote the record, the form of the record, the version of the presets, the "
            "trainer that the config was taken for, and a digest of the file without the record.",
            "type": "object",
            "required": ["autocal", "record"],
            "properties": {
                "record": {"description": "The form of the record.", "type": "integer", "maximum": RECORD_VERSION}
            },
        },
        "network": {"description": "What was measured of the network.", "type": "object"},
        "discriminator": {"description": "What was measured of the discriminator.", "type": "object"},
        "dataset": {"description": "What was measured of the training images.", "type": "object"},
        "wrote": {
            "description": "A word for each value that autocal wrote: by it the next run tells it from yours.",
            "type": "string",
        },
    },
}
