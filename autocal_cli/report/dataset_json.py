"""A scanned dataset as plain data for `--json`."""

from __future__ import annotations

from collections.abc import Iterable

from autocal_cli.config.record import Value
from autocal_cli.dataset.report_record import (
    DatasetReport,
    Duplicates,
    Extreme,
    Health,
    Named,
    NativeSharpness,
    SizedImage,
)
from autocal_cli.errors import Finding
from autocal_cli.report.as_json import FORMAT_VERSION, finding_json, fingerprint_json


def dataset_json(report: DatasetReport, findings: Iterable[Finding] = ()) -> dict[str, Value]:
    """A dataset's metrics, what was read of it, what was not, its health, histograms, extremes, and findings."""
    return {
        "format_version": FORMAT_VERSION,
        **fingerprint_json(report.fingerprint),
        "overall_ci95": list(report.fingerprint.overall_ci95),
        "native_sharpness": _sharpness(report.sharpness),
        "histograms": {name: list(counts) for name, counts in report.histograms.items()},
        "health": _health(report.health),
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
        "below_crop": _named(health.below_crop) if health.below_crop else None,
        "grey": _named(health.grey),
        "flat": _named(health.flat),
        "blockiness": {
            "known": health.blockiness_known,
            "median": health.blockiness_median,
            "blocky": _named(health.blocky),
        },
        "exact_duplicates": _duplicates(health.exact_duplicates),
        "near_duplicates": _duplicates(health.near_duplicates) if health.near_duplicates else None,
    }


def _sized(image: SizedImage) -> Value:
    return {"path": image.path, "width": image.width, "height": image.height}


def _named(images: Named) -> Value:
    return {"count": images.count, "paths": list(images.paths)}


def _duplicates(found: Duplicates) -> Value:
    return {"groups": found.groups, "surplus": found.surplus, "listed": [_named(group) for group in found.listed]}


def _extreme(one: Extreme) -> Value:
    return {"path": one.path, "raw": one.raw, "score": one.score}
