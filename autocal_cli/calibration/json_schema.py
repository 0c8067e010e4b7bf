"""The block as a JSON schema (draft 2020-12), by which editors complete and check it. Made from `block_schema`.

It refuses what calibration refuses in one key, and numbers written as text, which calibration reports. What several
keys say together (phases that end in order) a schema cannot say. Nothing is referred
to by `$ref`, so that every editor can read it.
"""

from __future__ import annotations

import math

from autocal_cli.calibration.block import RECORD_VERSION, Field, block_schema, block_sections
from autocal_cli.calibration.model import PARAMETERS, Presets
from autocal_cli.config.model import BLOCK_KEY, RECORD_KEY, KeyPath, Value

DIALECT = "https://json-schema.org/draft/2020-12/schema"
GENERATOR = "made by `autocal schema`"

Schema = dict[str, Value]

_TYPES = {"number": "number", "whole number": "integer", "boolean": "boolean", "word": "string"}
# The `calibration` record of a resolved block: what `record_of` writes.
RECORD_SCHEMA: Schema = {
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


def json_schema(presets: Presets, whole_config: bool = False, strict: bool = False) -> Schema:
    """The schema of the block, or of a `whole_config` with the block under `train`.

    Keys that autocal does not know are allowed, as calibration keeps them; `strict` refuses them in the block.
    """
    defaults, told, fields = default_values(presets), block_sections(presets), block_schema(presets)

    def section(path: KeyPath) -> Schema:
        """The mapping at `path`, with what stands below it."""
        names = dict.fromkeys(known[len(path)] for known in fields if known[: len(path)] == path)
        inner: Schema = {}
        for name in names:
            here = (*path, name)
            inner[name] = _key(here, fields[here], presets, defaults.get(here)) if here in fields else section(here)
        if not path:
            inner[RECORD_KEY] = {**_mapping(told[(RECORD_KEY,)]), **RECORD_SCHEMA}
        return {**_mapping(told[path]), "properties": inner, "additionalProperties": not strict}

    head: Schema = {"$schema": DIALECT, "$comment": GENERATOR, "title": BLOCK_KEY}
    if not whole_config:
        return {**head, **section(())}
    train: Schema = {"type": ["object", "null"], "properties": {BLOCK_KEY: section(())}}
    return {**head, "title": f"a training config with {BLOCK_KEY}", "type": "object", "properties": {"train": train}}


def default_values(presets: Presets) -> dict[KeyPath, Value]:
    """What stands in for a key that is left out, where that is the same for every config."""
    values: dict[KeyPath, Value] = {("enabled",): True, ("auto_calibrate",): True, ("mode",): "act"}
    for phase in presets.phases:
        values |= {("phases", phase.name, "until"): phase.until, ("phases", phase.name, "rate"): phase.rate}
    return values | {("stability", name): value for name, value in presets.stability.items()}


def _key(path: KeyPath, field: Field, presets: Presets, default: Value) -> Schema:
    """One key, null included: it counts as left out."""
    row: Schema = {"description": field.description, "type": [_TYPES[field.type], "null"]}
    if field.low > -math.inf:
        row["exclusiveMinimum" if field.open_low else "minimum"] = field.low
    if field.high < math.inf:
        row["exclusiveMaximum" if field.open_high else "maximum"] = field.high
    if field.words:
        row["enum"] = [*field.words, None]
    if path[0] in PARAMETERS:
        found = [preset.values[path[0]] for preset in presets.presets if path[0] in preset.values]
        low, high = min(found or presets.budgets.values()), max(found or presets.budgets.values())
        values = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        row["description"] = f"{field.description} Presets: {values}."
    return row if default is None else {**row, "default": default}


def _mapping(description: str) -> Schema:
    """null counts as left out."""
    return {"description": description, "type": ["object", "null"]}
