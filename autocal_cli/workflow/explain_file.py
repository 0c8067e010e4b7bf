"""`autocal explain` as one function: a resolved config is told from its record, another is calibrated on the fly."""

from __future__ import annotations

from pathlib import Path

from autocal_cli.calibration.overrides import read_overrides
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.record import Calibration
from autocal_cli.calibration.resolved import has_record, recorded_calibration
from autocal_cli.calibration.schema import RECORD_KEY
from autocal_cli.config.document import parse_document
from autocal_cli.config.layout import read_block
from autocal_cli.config.record import SchedulingBlock
from autocal_cli.config.storage import read_bytes
from autocal_cli.config.trainers import recognise_trainer
from autocal_cli.errors import Finding
from autocal_cli.network.sources import NetworkSources
from autocal_cli.workflow.calibrate_file import calibrate_file
from autocal_cli.workflow.holder import Holder, find_holder
from autocal_cli.workflow.measure import DatasetOptions
from autocal_cli.workflow.measure_losses import ProbeOptions


def explain_file(
    path: Path,
    options: DatasetOptions,
    trainer_kind: str | None = None,
    sources: NetworkSources | None = None,
    probing: ProbeOptions | None = None,
) -> tuple[Calibration, tuple[Finding, ...]]:
    """The calibration of a config or its sidecar, with every value's trail, and the findings. Raises AutocalError."""
    document = parse_document(read_bytes(path), str(path))
    holder = find_holder(path, document, recognise_trainer(document, trainer_kind))
    block = read_block(holder.document, holder.layout)
    if block is None or not has_record(block):
        run = calibrate_file(
            path, {}, options, trainer_kind, sidecar=holder.path != path, sources=sources, probing=probing
        )
        return run.calibration, run.findings
    overrides = read_overrides(block, {}, load_presets())
    edited = (_edited(holder, path, block),) if holder.touched else ()
    asked = bool(options.folders or options.skip or options.batches or (probing and probing.batches))
    asked = asked or sources not in (None, NetworkSources())
    unheard = (_unheard(path),) if asked else ()
    return recorded_calibration(block, overrides.values), (*unheard, *edited, *overrides.findings)


def _unheard(path: Path) -> Finding:
    message = (
        "A resolved config is told from its record: options on images (--hr, --no-dataset, --batches), on who builds "
        "the network (--trainer, --network, --weights) and on a probe (--probe) change nothing here."
    )
    return Finding("told-from-record", "info", message, f"autocal calibrate {path} --dry-run measures anew.")


def _edited(holder: Holder, path: Path, block: SchedulingBlock) -> Finding:
    what = "The config" if holder.path == path else f"The config or its sidecar {holder.path.name}"
    message = f"{what} was edited after it was calibrated; this tells what was chosen then."
    how = "--in-place" if holder.path == path else "--sidecar"
    fix = f"autocal calibrate {path} {how} chooses anew; what is written by hand stays."
    return Finding("edited-since", "info", message, fix, block.place_of((RECORD_KEY,)))
