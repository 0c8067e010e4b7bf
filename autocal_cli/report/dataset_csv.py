"""A scanned dataset as a table, one row an image, read or not, for `--csv`. Its columns stand in dataset/model.py."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from heapq import merge

from autocal_cli.dataset.model import (
    CSV_COLUMNS,
    METRIC_NAMES,
    NATIVE,
    OVERALL,
    Curation,
    DatasetReport,
    FileIssue,
    ImageRow,
    PairTraces,
)


def dataset_csv(report: DatasetReport) -> str:
    """The table, rows in order of path, line feeds at the ends. What is not known of an image is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    lines = merge((_read(row) for row in report.rows), map(_failed, report.fingerprint.failures), key=_path_of)
    writer.writerows({**line, **_judged(_path_of(line), report.curation)} for line in lines)
    return text.getvalue()


def _path_of(line: Mapping[str, object]) -> str:
    return str(line["path"])


def _read(row: ImageRow) -> dict[str, object]:
    facts, traces = row.facts, row.facts.traces
    return {
        "path": facts.path,
        "status": "read",
        "width": row.width,
        "height": row.height,
        **{f"{name}_raw": value for name, value in zip(METRIC_NAMES, row.raw, strict=True)},
        **dict(zip(METRIC_NAMES, row.scores, strict=True)),
        OVERALL: row.overall,
        NATIVE: facts.native_sharpness,
        "grey": str(facts.grey).lower(),
        "alpha": str(facts.alpha).lower(),
        "deviation": facts.deviation,
        "entropy": facts.entropy,
        **{name: value for name, value in asdict(traces).items() if name != "drawn"},
        "drawn": str(traces.drawn).lower(),
        "perceptual_hash": f"{facts.perceptual_hash:016x}",
        "sha256": facts.sha256,
        "model": "" if facts.model is None else facts.model,
        **dict(zip(("red", "green", "blue"), facts.mean, strict=True)),
        **_of_pair(facts.pair),
    }


def _of_pair(pair: PairTraces | None) -> dict[str, object]:
    if pair is None or pair.problem:
        return {"lq": pair.lq} if pair else {}
    names = ("scale", "across", "down", "drift", "agreement", "colour", "kernel")
    return {"lq": pair.lq, **{f"lq_{name}": getattr(pair, name) for name in names}}


def _failed(issue: FileIssue) -> dict[str, object]:
    return {"path": issue.path, "status": "failed", "reason": issue.reason}


def _judged(path: str, curation: Curation) -> dict[str, object]:
    reasons = curation.reasons.get(path, ())
    return {"verdict": curation.verdict(path), "reasons": " ".join(reason.code for reason in reasons)}
