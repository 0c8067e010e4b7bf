"""A scanned dataset as a table, one row an image, read or not, for `--csv`."""

from __future__ import annotations

import csv
import io

from autocal_cli.dataset.record import METRIC_NAMES, FileIssue
from autocal_cli.dataset.report_record import CSV_COLUMNS, NATIVE, OVERALL, DatasetReport, ImageRow


def dataset_csv(report: DatasetReport) -> str:
    """The table, rows in order of path, line feeds at the ends. What is not known of an image is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    lines = [_read(row) for row in report.rows] + [_failed(issue) for issue in report.fingerprint.failures]
    writer.writerows(sorted(lines, key=lambda line: str(line["path"])))
    return text.getvalue()


def _read(row: ImageRow) -> dict[str, object]:
    facts = row.facts
    hashed = facts.perceptual_hash
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
        "deviation": facts.deviation,
        "blockiness": facts.blockiness,
        "perceptual_hash": None if hashed is None else f"{hashed:016x}",
        "sha256": facts.sha256,
    }


def _failed(issue: FileIssue) -> dict[str, object]:
    return {"path": issue.path, "status": "failed", "reason": issue.reason}
