"""`autocal explain` as one function: a resolved config is told from its record, another is calibrated on the fly."""

from __future__ import annotations

from pathlib import Path

from autocal_cli.calibration.overrides import read_overrides
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.record import Calibration
from autocal_cli.calibration.resolved import has_record, recorded_calibration
from autocal_cli.config.document import parse_document
from autocal_cli.config.layout import read_training_config
from autocal_cli.config.storage import read_bytes
from autocal_cli.errors import Finding
from autocal_cli.workflow.calibrate_file import calibrate_file
from autocal_cli.workflow.measure import DatasetOptions


def explain_file(path: Path, options: DatasetOptions) -> tuple[Calibration, tuple[Finding, ...]]:
    """The calibration of a config with every value's trail, and the findings. Raises AutocalError."""
    config = read_training_config(parse_document(read_bytes(path), str(path)))
    block = config.block
    if block is None or not has_record(block):
        run = calibrate_file(path, {}, options)
        return run.calibration, run.findings
    overrides = read_overrides(block, {}, load_presets())
    return recorded_calibration(block, overrides.values), overrides.findings
