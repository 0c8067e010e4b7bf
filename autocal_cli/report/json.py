"""Results as plain data for `--json`. The shapes are a contract; `format_version` grows when one changes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping

from autocal_cli.calibration.comparison import Difference, Schedule
from autocal_cli.calibration.model import Calibration, Parameter, Preset, Presets, Step
from autocal_cli.calibration.resolved import probe_entry
from autocal_cli.check.catalogue import Rule, load_catalogue
from autocal_cli.check.model import CheckedFile, CheckRun
from autocal_cli.config.model import Value
from autocal_cli.dataset.model import (
    Curation,
    DatasetFingerprint,
    DatasetReport,
    Duplicates,
    Extreme,
    Health,
    NativeSharpness,
    SizedImage,
)
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.model import NetworkFingerprint

FORMAT_VERSION = 1


def calibration_json(
    calibration: Calibration,
    findings: Iterable[Finding],
    only: str | None = None,
    suggested: Mapping[str, float] | None = None,
) -> dict[str, Value]:
    """A calibration with the trail of every parameter (or of the one named).

    `suggested` are the weights by loss that would give the shares asked for.
    """
    network = calibration.network
    return {
        "format_version": FORMAT_VERSION,
        "network": {
            "type": network.type,
            "variant": calibration.placement.variant,
            "parameters": network.parameters,
            "macs_per_pixel": network.macs_per_pixel,
            "match": calibration.placement.match,
            "builder": network.builder,
            "asked_before": [{"builder": who.builder, "reason": who.reason} for who in network.passed],
            "axis": list(calibration.placement.axis),
            "position": calibration.placement.position,
            "macs_span": list(calibration.placement.macs_span) if calibration.placement.macs_span else None,
            "discriminator": _discriminator(network.discriminator),
        },
        "dataset": fingerprint_json(calibration.dataset) if calibration.dataset else None,
        "probe": probe_entry(calibration.probe) if calibration.probe else None,
        **({"suggested_weights": dict(suggested)} if suggested else {}),
        "parameters": {
            name: _parameter(parameter) for name, parameter in calibration.parameters.items() if only in (None, name)
        },
        "findings": [finding_json(finding) for finding in findings],
    }


def _discriminator(network: NetworkFingerprint | None) -> dict[str, Value] | None:
    return {"type": network.type, "parameters": network.parameters} if network else None


def finding_json(finding: Finding) -> dict[str, Value]:
    place = finding.place
    return {
        "code": finding.code,
        "severity": finding.severity,
        "path": place.path if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "message": finding.message,
        "fix": finding.fix,
    }


def dump(data: Mapping[str, Value]) -> str:
    """JSON text that any reader takes: no NaN, UTF-8 as it is, a final line break."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def fingerprint_json(dataset: DatasetFingerprint) -> dict[str, Value]:
    """A dataset's metrics, what was read of it, and what was not."""
    return {
        "images": {
            "found": dataset.found,
            "read": dataset.read,
            "skipped": sum(dataset.skipped.values()),
            "failed": len(dataset.failures),
        },
        "crops": {"count": dataset.crops.count, "side": dataset.crops.side} if dataset.crops else None,
        "metrics": {
            name: {
                "score": summary.score,
                "ci95": list(summary.ci95),
                "p5": summary.p5,
                "median": summary.median,
                "p95": summary.p95,
                "raw_mean": summary.raw_mean,
            }
            for name, summary in dataset.metrics.items()
        },
        "overall_complexity": dataset.overall_complexity,
        "failures": [{"path": issue.path, "reason": issue.reason} for issue in dataset.failures],
        "device": dataset.device,
        "device_reason": dataset.device_reason,
        "seconds": dataset.seconds,
    }


def _parameter(parameter: Parameter) -> dict[str, Value]:
    return {"value": parameter.value, "trail": [step_json(step) for step in parameter.trail]}


def step_json(step: Step) -> dict[str, Value]:
    """One step of a trail."""
    return {
        "code": step.code,
        "source": step.source,
        "before": step.before,
        "after": step.after,
        "reason": step.reason,
    }


# A scanned dataset as plain data for `--json`.


def dataset_json(report: DatasetReport, findings: Iterable[Finding] = ()) -> dict[str, Value]:
    """A dataset's metrics, what was read of it, what was not, its health, histograms, extremes, and findings."""
    return {
        "format_version": FORMAT_VERSION,
        **fingerprint_json(report.fingerprint),
        "overall_ci95": list(report.fingerprint.overall_ci95),
        "native_sharpness": _sharpness(report.sharpness),
        "histograms": {name: list(counts) for name, counts in report.histograms.items()},
        "health": _health(report.health),
        "curation": _curation(report.curation),
        "extremes": {
            name: {
                "lowest": [_extreme(one) for one in extremes.lowest],
                "highest": [_extreme(one) for one in extremes.highest],
            }
            for name, extremes in report.extremes.items()
        },
        "findings": [finding_json(finding) for finding in findings],
    }


def _sharpness(sharpness: NativeSharpness) -> dict[str, Value]:
    return {
        "crop": sharpness.crop,
        "mean": sharpness.mean,
        "ci95": list(sharpness.ci95),
        "p5": sharpness.p5,
        "median": sharpness.median,
        "p95": sharpness.p95,
        "histogram": list(sharpness.histogram),
    }


def _health(health: Health) -> dict[str, Value]:
    return {
        "images": health.images,
        "sizes": {
            "smallest": _sized(health.smallest),
            "median": _sized(health.median),
            "largest": _sized(health.largest),
        },
        "crop": health.crop,
        "exact_duplicates": _duplicates(health.exact_duplicates),
        "near_duplicates": _duplicates(health.near_duplicates),
    }


def _curation(curation: Curation) -> dict[str, Value]:
    """How many images are kept, looked at and dropped; by reason and by image why, none left out."""
    drop, look = (list(curation.named(verdict)) for verdict in ("drop", "look"))
    return {
        "images": curation.images,
        "keep": curation.images - len(drop) - len(look),
        "look": len(look),
        "drop": len(drop),
        "reasons": {
            code: {level: list(named.paths) for level, named in levels.items()}
            for code, levels in curation.by_reason().items()
        },
        "verdicts": [
            {
                "path": path,
                "verdict": curation.verdict(path),
                "reasons": [
                    {"code": reason.code, "severity": reason.severity, "detail": reason.detail}
                    for reason in curation.reasons[path]
                ],
            }
            for path in sorted(curation.reasons)
        ],
    }


def _sized(image: SizedImage) -> Value:
    return {"path": image.path, "width": image.width, "height": image.height}


def _duplicates(found: Duplicates) -> Value:
    return {"surplus": found.surplus, "groups": [list(group.paths) for group in found.groups]}


def _extreme(one: Extreme) -> Value:
    return {"path": one.path, "raw": one.raw, "score": one.score}


# Findings on configs as plain data. The shape is a contract; `format_version` grows when it changes.


def check_json(run: CheckRun) -> dict[str, Value]:
    return {
        "format_version": FORMAT_VERSION,
        "files": [_file(file) for file in run.files],
        "passed_over": run.passed_over,
        "exit_code": run.exit_code,
    }


def rule_json(rule: Rule) -> dict[str, Value]:
    return {
        "code": rule.code,
        "family": rule.family,
        "severity": rule.severity,
        "title": rule.title,
        "rationale": " ".join(rule.rationale.split()),
        "source": rule.source,
        "bad": rule.bad,
        "good": rule.good,
        "when": rule.when,
        "fixable": rule.fixable,
    }


def _file(file: CheckedFile) -> dict[str, Value]:
    return {
        "path": file.name,
        "error": _error(file.error) if file.error else None,
        "findings": [_finding(finding) for finding in file.findings],
    }


def _finding(finding: Finding) -> dict[str, Value]:
    rule = load_catalogue().get(finding.code)
    return {**finding_json(finding), "why": " ".join(rule.rationale.split()) if rule else None}


def _error(error: AutocalError) -> dict[str, Value]:
    place = error.place
    return {
        "message": error.message,
        "fix": error.fix,
        "line": place.line if place else None,
        "column": place.column if place else None,
    }


# Two schedules side by side as plain data for `--json`.


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


# The tool's own numbers as plain data for `--json`.


def presets_json(presets: Presets, chosen: Iterable[Preset], parts: Iterable[str]) -> dict[str, Value]:
    """The chosen presets, and of the other numbers the `parts` that are asked for; every one with its source."""
    told: dict[str, Value] = {
        "presets": [_preset(preset, presets) for preset in chosen],
        "fallback": {"variant": presets.fallback, "source": presets.sources["fallback"]},
        "rules": [
            {
                "code": rule.code,
                "signal": rule.signal,
                "parameter": rule.parameter,
                "form": rule.form,
                "direction": rule.direction,
                "numbers": dict(rule.numbers),
                "reason": rule.reason,
                "source": rule.source,
            }
            for rule in presets.rules
        ],
        "bounds": {
            **{
                name: {"min": bound.low, "max": bound.high, "share_of_run": bound.share_of_run}
                for name, bound in presets.bounds.items()
            },
            "source": presets.bounds_source,
        },
        "phases": [
            {
                "name": phase.name,
                "until": phase.until,
                "rate": phase.rate,
                "range": phase.range,
                "source": presets.sources[f"phases.{phase.name}"],
            }
            for phase in presets.phases
        ],
        "ceilings": {
            kind: {"value": value, "source": presets.sources[f"ceilings.{kind}"]}
            for kind, value in presets.ceilings.items()
        },
        "stability": {
            name: {"value": value, "source": presets.sources[f"stability.{name}"]}
            for name, value in presets.stability.items()
        },
    }
    return {"format_version": FORMAT_VERSION, "version": presets.version, **{part: told[part] for part in parts}}


def _preset(preset: Preset, presets: Presets) -> dict[str, Value]:
    return {
        "family": preset.family,
        "variant": preset.variant,
        "use": preset.use,
        "parameters": {f"x{scale}": count for scale, count in preset.parameters.items()},
        "macs_per_pixel": {f"x{scale}": macs for scale, macs in preset.macs_per_pixel.items()},
        "values": {name: {"value": value, "source": presets.sources[name]} for name, value in preset.values.items()},
    }
