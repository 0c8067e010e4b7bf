"""Two schedules side by side as plain data for `--json`."""

from __future__ import annotations

import math
from collections.abc import Iterable

from autocal_cli.calibration.comparison import Difference, Schedule
from autocal_cli.config.record import Value
from autocal_cli.errors import Finding
from autocal_cli.report.as_json import FORMAT_VERSION, finding_json, step_json


def comparison_json(
    a: Schedule, b: Schedule, shown: Iterable[Difference], findings: Iterable[Finding]
) -> dict[str, Value]:
    """Which two are compared, and every value in `shown`, a parameter with the steps of its trails that differ."""
    values = list(shown)
    return {
        "format_version": FORMAT_VERSION,
        "a": _side(a),
        "b": _side(b),
        "differs": any(value.differs for value in values),
        "values": [_value(value) for value in values],
        "findings": [finding_json(finding) for finding in findings],
    }


def _side(side: Schedule) -> dict[str, Value]:
    return {"path": side.path, "origin": side.origin, "images_measured": side.calibration.dataset is not None}


def _value(difference: Difference) -> dict[str, Value]:
    told: dict[str, Value] = {
        "section": difference.section,
        "name": difference.name,
        "a": _plain(difference.a),
        "b": _plain(difference.b),
        "differs": difference.differs,
    }
    if difference.section != "parameters":
        return told
    steps: list[Value] = [
        {"a": step_json(pair.a) if pair.a else None, "b": step_json(pair.b) if pair.b else None}
        for pair in difference.steps
    ]
    return {**told, "steps": steps}


def _plain(value: Value) -> Value:
    """JSON has no `.inf` and no `.nan`, which a key that autocal does not know may hold: they become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
