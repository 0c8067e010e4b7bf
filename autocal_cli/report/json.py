"""Results for `--json`: every record by one converter, field by field. `format_version` grows when a shape changes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from autocal_cli.calibration.comparison import Difference, Schedule
from autocal_cli.calibration.model import Calibration, Preset, Presets
from autocal_cli.calibration.placement import scale_key
from autocal_cli.check.model import CheckRun
from autocal_cli.config.model import Value
from autocal_cli.dataset.model import Curation, DatasetReport
from autocal_cli.diagnose.model import Diagnosis
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.probing.model import ProbeFingerprint

FORMAT_VERSION = 2


def plain(value: Any) -> Value:
    """Any record as plain data: dataclasses by their fields, tuples as lists, keys as text.

    A place stands flat, as path, line and column. JSON has no `.inf` and no `.nan`, which a config may hold: they are
    text here.
    """
    match value:
        case Finding():
            told = {name: plain(getattr(value, name)) for name in ("code", "severity", "message", "fix")}
            return {**told, **_place(value.place)}
        case AutocalError():
            return {"message": value.message, "fix": value.fix, **_place(value.place)}
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return str(value)
        case Mapping():
            return {_key(key): plain(item) for key, item in value.items()}
        case _ if is_dataclass(value):
            return _fields(value)
        case Sequence() | Iterable():
            return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no plain form")


def _fields(record: Any, *without: str) -> dict[str, Value]:
    """By name; pictures are left out."""
    values = {field.name: getattr(record, field.name) for field in fields(record) if field.name not in without}
    return {name: plain(value) for name, value in values.items() if not isinstance(value, bytes)}


def _place(place: Place | None) -> dict[str, Value]:
    return _fields(place) if place else {"path": None, "line": None, "column": None}


def _key(key: object) -> str:
    return ".".join(key) if isinstance(key, tuple) else str(key)


def dump(data: Mapping[str, Value]) -> str:
    """A result as JSON text, with the version of its form."""
    return "".join(dumped(data))


def dumped(data: Mapping[str, Value]) -> Iterator[str]:
    """The same in parts, for what is large."""
    return _text({"format_version": FORMAT_VERSION, **data})


def json_text(data: Mapping[str, Value]) -> str:
    """JSON text that any reader takes: no NaN, UTF-8 as it is, a final line break."""
    return "".join(_text(data))


def _text(data: Mapping[str, Value]) -> Iterator[str]:
    yield from json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False).iterencode(data)
    yield "\n"


class _Made(list[Value]):
    """A list of which each item is made when it is written, and then forgotten."""

    def __init__(self, count: int, items: Callable[[], Iterator[Value]]) -> None:
        self._count, self._items = count, items

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Value]:
        return self._items()


def calibration_json(
    calibration: Calibration,
    findings: Iterable[Finding],
    probe: ProbeFingerprint | None = None,
    only: str | None = None,
) -> dict[str, Value]:
    """A calibration with the trail of every parameter (or of the one named)."""
    told = _fields(calibration)
    parameters = {name: one for name, one in calibration.parameters.items() if only in (None, name)}
    more = {"probe": plain(probe)} if probe else {}
    return {**told, "parameters": plain(parameters), **more, "findings": plain(findings)}


def dataset_json(report: DatasetReport, findings: Iterable[Finding] = ()) -> dict[str, Value]:
    """A dataset's metrics, what was read of it, what was not, its health, histograms, extremes, and findings."""
    from autocal_cli.report.dataset import not_judged, unread_lq  # takes numpy

    parts = ("sharpness", "histograms", "health", "variety", "extremes", "model_scores")
    beside = {name: plain(getattr(report, name)) for name in parts}
    dataset = report.fingerprint
    images = {
        "found": dataset.found,
        "read": dataset.read,
        "skipped": sum(dataset.skipped.values()),
        "failed": len(dataset.failures),
        "lq_failed": len(unread_lq(report)),
    }
    measured = {"images": plain(images), **_fields(dataset, "found", "read", "sightings"), **beside}
    unjudged = dataset.found - dataset.read - len(dataset.failures)
    curation = _curation(report.curation, {"images": unjudged, "why": not_judged(report)})
    return {**measured, "curation": curation, "findings": plain(findings)}


def _curation(curation: Curation, not_judged: Value) -> dict[str, Value]:
    """How many images are kept, looked at and dropped; by reason and by image why, none left out."""

    def verdicts() -> Iterator[Value]:
        for path in sorted(curation.reasons):
            yield {"path": path, "verdict": curation.verdict(path), "reasons": plain(curation.reasons[path])}

    counts: dict[str, Value] = {"images": curation.images, "not_judged": not_judged, **curation.totals}
    made = _Made(len(curation.reasons), verdicts)
    return {**counts, "pairs": plain(curation.pairs), "reasons": plain(curation.by_reason()), "verdicts": made}


def check_json(run: CheckRun) -> dict[str, Value]:
    """Every file with its findings, each with why it matters."""
    from autocal_cli.check.checks import load_catalogue  # imports every check

    catalogue = load_catalogue()

    def told(finding: Finding) -> Value:
        rule = catalogue.get(finding.code)
        found = plain(finding)
        assert isinstance(found, dict)
        return {**found, "why": " ".join(rule.why.split()) if rule else None}

    files: list[Value] = [
        {"path": file.name, "error": plain(file.error), "findings": [told(finding) for finding in file.findings]}
        for file in run.files
    ]
    return {"files": files, "passed_over": run.passed_over, "exit_code": run.exit_code}


def diagnosis_json(found: Diagnosis) -> dict[str, Value]:
    """A run, what was found in it, its checkpoints, and the one to keep."""
    from autocal_cli.diagnose.verdict import FAULTS  # imports every finder

    log, keep = found.log, found.keep
    return {
        "run": {
            "name": log.facts.get("name"),
            "trainer": log.facts.get("trainer"),
            "source": log.source,
            "files": list(log.files),
            "truncated": list(log.truncated),
            "first": log.first,
            "last": log.last,
            "total_iter": log.total_iter,
            "interval": log.interval,
            "superseded": log.superseded,
            "sessions": plain(log.sessions),
            "noise": {one.name: one.noise for one in found.metrics},
            "cannot_tell": list(found.unknown),
        },
        "findings": [{**_fields(one), "source": FAULTS[one.code].source} for one in found.findings],
        "health": found.health,
        "checkpoints": plain(found.checkpoints),
        "keep": {**_fields(keep.checkpoint), "reason": keep.reason} if keep else None,
    }  # fmt: skip


def comparison_json(
    a: Schedule, b: Schedule, shown: Iterable[Difference], findings: Iterable[Finding]
) -> dict[str, Value]:
    """Which two are compared, and every value in `shown`, a parameter with the steps of its trails that differ."""

    def side(schedule: Schedule) -> Value:
        measured = schedule.calibration.dataset is not None
        return {"path": schedule.path, "origin": schedule.origin, "images_measured": measured}

    values = [{**_fields(value), "differs": value.differs} for value in shown]
    differs = any(value["differs"] for value in values)
    return {"a": side(a), "b": side(b), "differs": differs, "values": plain(values), "findings": plain(findings)}


def presets_json(presets: Presets, chosen: Iterable[Preset], parts: Iterable[str]) -> dict[str, Value]:
    """The chosen presets, and of the other numbers the `parts` that are asked for; every one with its source."""

    def sourced(group: str, values: Mapping[str, float]) -> Value:
        return {name: {"value": value, "source": presets.sources[f"{group}.{name}"]} for name, value in values.items()}

    phases = [{**_fields(phase), "source": presets.sources[f"phases.{phase.name}"]} for phase in presets.phases]
    budgets = {scale_key(scale): budget for scale, budget in presets.budgets.items()}
    told: dict[str, Value] = {
        "presets": plain(chosen),
        "fallback": presets.fallback,
        "sources": plain(presets.sources),
        "rules": plain(presets.rules),
        "bounds": {"bounds": plain(presets.bounds), "source": presets.bounds_source},
        "phases": plain(phases),
        "budgets": sourced("budgets", budgets),
        "stability": sourced("stability", presets.stability),
    }
    return {"version": presets.version, **{part: told[part] for part in parts}}
