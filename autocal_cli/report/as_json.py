"""Results as plain data for `--json`. The shapes are a contract; `format_version` grows when one changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from autocal_cli.calibration.probe_entry import probe_entry
from autocal_cli.calibration.record import Calibration, Parameter, Step
from autocal_cli.config.record import Value
from autocal_cli.dataset.record import DatasetFingerprint
from autocal_cli.errors import Finding
from autocal_cli.network.record import NetworkFingerprint

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
