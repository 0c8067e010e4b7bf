"""The `calibration` record of a resolved block as a JSON schema: what `record_of` writes."""

from __future__ import annotations

from autocal_cli.calibration.schema import RECORD_VERSION
from autocal_cli.config.record import Value


def _nullable(kind: str, told: str) -> dict[str, Value]:
    return {"description": told, "type": [kind, "null"]}


_STEP: Value = {
    "type": "object",
    "required": ["code", "before", "after", "reason", "source"],
    "properties": {
        "code": {"description": "The preset, rule or bound, `rounding` or `manual`.", "type": "string"},
        "before": _nullable("number", "The value before this step."),
        "after": {"description": "The value after this step.", "type": "number"},
        "reason": {"description": "Why this step was taken.", "type": "string"},
        "source": {"description": "Where its numbers come from.", "type": "string"},
        "margin": {"description": "How far `after` moves within the signal's 95% interval.", "type": "number"},
    },
}

RECORD_SCHEMA: dict[str, Value] = {
    "if": {"type": "object", "minProperties": 1},
    "then": {"required": ["record_version"]},
    "properties": {
        "record_version": {
            "description": "The version of the record's form.",
            "type": "integer",
            "maximum": RECORD_VERSION,
        },
        "tool": {"description": "The autocal that wrote the record.", "type": "string"},
        "presets": {"description": "The version of the presets, rules, phases and stability.", "type": "string"},
        "trainer": {"description": "The trainer that the config was taken for.", "type": "string"},
        "text_sha256": {"description": "SHA-256 of the config without the record.", "type": "string"},
        "network": {"description": "What was measured of the network.", "type": "object"},
        "dataset": _nullable("object", "What was measured of the training images."),
        "probe": {"description": "What --probe measured of the losses.", "type": "object"},
        "wrote": {"description": "The values that autocal wrote.", "type": "object"},
        "trail": {
            "description": "By parameter: the steps that led to its value.",
            "type": "object",
            "additionalProperties": {"type": "array", "items": _STEP},
        },
    },
}
