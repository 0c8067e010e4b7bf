"""`autocal diff` as one function: two configs' paths in, their schedules side by side out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from autocal_cli.calibration.calibrate import DATASET_INFO, calibrate
from autocal_cli.calibration.comparison import Difference, Schedule, compare
from autocal_cli.calibration.overrides import read_overrides, wholly_manual
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.record import Calibration, Presets, Step
from autocal_cli.calibration.resolved import has_record
from autocal_cli.config.document import parse_document
from autocal_cli.config.layout import read_block, read_training_config
from autocal_cli.config.record import TrainingConfig
from autocal_cli.config.storage import read_bytes
from autocal_cli.config.trainers import recognise_trainer
from autocal_cli.dataset.record import METRIC_NAMES
from autocal_cli.errors import Finding
from autocal_cli.workflow.explain_file import explain_file
from autocal_cli.workflow.holder import find_holder
from autocal_cli.workflow.measure import DatasetOptions, measure_dataset, measure_network
from autocal_cli.workflow.native import touched_since_marked


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
