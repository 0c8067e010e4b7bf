"""`autocal explain` as one function: a resolved config is told from its record, another is calibrated on the fly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from autocal_cli.calibration.block import RECORD_KEY, read_overrides, wholly_manual
from autocal_cli.calibration.calibrate import DATASET_INFO, calibrate
from autocal_cli.calibration.comparison import Difference, Schedule, compare
from autocal_cli.calibration.model import Calibration, Presets, Step
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.resolved import has_record, recorded_calibration
from autocal_cli.config.files import parse_document, read_bytes
from autocal_cli.config.loading import read_block, read_training_config
from autocal_cli.config.model import SchedulingBlock, TrainingConfig
from autocal_cli.config.trainers import recognise_trainer
from autocal_cli.dataset.model import METRIC_NAMES
from autocal_cli.errors import Finding
from autocal_cli.network.sources import NetworkSources
from autocal_cli.workflow.calibrate import calibrate_file
from autocal_cli.workflow.config_file import Holder, find_holder, touched_since_marked
from autocal_cli.workflow.dataset import DatasetOptions, measure_dataset, measure_network
from autocal_cli.workflow.probe import ProbeOptions


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


# `autocal diff` as one function: two configs' paths in, their schedules side by side out.


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two schedules, every value of either, and what is to be said about the configs."""

    a: Schedule
    b: Schedule
    differences: tuple[Difference, ...]
    findings: tuple[Finding, ...]


def compare_files(a: Path, b: Path, options: DatasetOptions) -> Comparison:
    """Reads both configs; what is not resolved is calibrated on the fly, as `options` say. Raises AutocalError."""
    presets = load_presets()
    (ours, our_findings), (theirs, their_findings) = (read_schedule(path, presets, options) for path in (a, b))
    return Comparison(ours, theirs, compare(ours, theirs, presets), (*our_findings, *their_findings))


def read_schedule(path: Path, presets: Presets, options: DatasetOptions) -> tuple[Schedule, tuple[Finding, ...]]:
    """One config's schedule: from its record, or as the block by hand has it, or calibrated now."""
    document = parse_document(read_bytes(path), str(path))
    holder = find_holder(path, document, recognise_trainer(document))
    config = replace(read_training_config(document), block=holder.block)
    if has_record(read_block(holder.document, holder.layout)):
        told, findings = explain_file(path, DatasetOptions())
        return Schedule(str(path), "record", config, told), findings
    network = measure_network(config)
    if touched_since_marked(holder.document, holder.layout) is not None:
        bare = replace(config, block=read_block(holder.document, holder.layout))
        native = _by_hand_alone(calibrate(bare, network, None, presets), _as_native)
        return Schedule(str(path), "native", config, native), _telling(native.findings, config)
    if wholly_manual(config.block):
        by_hand = _by_hand_alone(calibrate(config, network, None, presets))
        return Schedule(str(path), "by hand", config, by_hand), _telling(by_hand.findings, config)
    own = read_overrides(config.block, {}, presets).values
    dataset, dataset_findings = measure_dataset(config, own, options)
    calibration = calibrate(config, network, dataset, presets)
    known = all((*DATASET_INFO, name) in own for name in METRIC_NAMES)
    unread = _unread(config) if options.skip and not known else ()
    return Schedule(str(path), "calibrated", config, calibration), (
        *unread,
        *_telling((*dataset_findings, *calibration.findings), config),
    )


def _by_hand_alone(calibration: Calibration, told: Callable[[Step], Step] = lambda step: step) -> Calibration:
    """Nothing was chosen: of each parameter the step by hand is all there is, as `told` tells it."""
    parameters = {
        name: replace(parameter, trail=(told(replace(parameter.trail[-1], before=None)),))
        for name, parameter in calibration.parameters.items()
        if parameter.manual
    }
    return replace(calibration, parameters=parameters)


def _as_native(step: Step) -> Step:
    return replace(step, code="native", source="--target native", reason="Written for the fork's own scheduler.")


def _telling(findings: tuple[Finding, ...], config: TrainingConfig) -> tuple[Finding, ...]:
    """What may spoil the comparison, each with the config that it is about; the rest other commands say."""
    return tuple(
        replace(finding, place=finding.place or config.place) for finding in findings if finding.severity != "info"
    )


def _unread(config: TrainingConfig) -> tuple[Finding, ...]:
    message = "The config is not resolved, and its images were not read: their complexity counts as neutral here."
    return (Finding("images-not-read", "info", message, "--scan reads them.", config.place),)
