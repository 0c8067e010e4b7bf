"""`autocal explain` and `autocal diff`: the schedule that a config has, and why, recomputed from its record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from autocal_cli.calibration.block import read_overrides, same_value, wholly_manual
from autocal_cli.calibration.calibrate import DATASET_INFO, calibrate
from autocal_cli.calibration.comparison import Difference, Origin, Schedule, compare
from autocal_cli.calibration.model import Calibration, Number, Parameter, Presets, Step
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.resolved import Record, read_record
from autocal_cli.config.files import open_config
from autocal_cli.config.model import RECORD_KEY, SchedulingBlock, TrainingConfig
from autocal_cli.dataset.model import METRIC_NAMES, METRIC_VERSION
from autocal_cli.errors import Finding
from autocal_cli.network.sources import NetworkSources
from autocal_cli.probing.model import ProbeFingerprint
from autocal_cli.workflow.calibrate import calibrate_file
from autocal_cli.workflow.config_file import BlockFile, find_block
from autocal_cli.workflow.dataset import DatasetOptions, measure_dataset
from autocal_cli.workflow.networks import measure_network
from autocal_cli.workflow.probe import ProbeOptions

Findings = tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The calibration of a config with every value's trail; `probe` where one was asked for."""

    calibration: Calibration
    findings: Findings
    probe: ProbeFingerprint | None = None


def explain_file(
    path: Path,
    options: DatasetOptions,
    trainer_kind: str | None = None,
    sources: NetworkSources | None = None,
    probing: ProbeOptions | None = None,
) -> Explanation:
    """A resolved config (or its sidecar) is explained from what its record says was measured; another is calibrated.

    Raises AutocalError.
    """
    found = find_block(open_config(path, trainer_kind=trainer_kind))
    record = read_record(found.block)
    asked = options.folders or options.skip or options.batches or (probing and probing.batches)
    if record is None or asked or sources not in (None, NetworkSources()):
        run = calibrate_file(path, {}, options, trainer_kind, sources=sources, probing=probing)
        told = tuple(finding for finding in run.findings if finding.code != "block-added")  # nothing is written here
        return Explanation(run.calibration, told, run.probe)
    calibration, findings = recalled(found, record, load_presets())
    return Explanation(calibration, findings)


def recalled(found: BlockFile, record: Record, presets: Presets) -> tuple[Calibration, Findings]:
    """The calibration that a record's measurements give today, and what has changed since it was written."""
    block = found.block
    assert block is not None
    calibration = calibrate(found.training, record.network, record.dataset, presets)
    parameters = {name: _as_written(name, one, block) for name, one in calibration.parameters.items()}
    moved = [name for name, one in parameters.items() if one.trail[-1].code == "as-written"]
    findings = [*_about_age(found, record, presets, moved), *calibration.findings]
    return replace(calibration, parameters=parameters), tuple(findings)


def _as_written(name: str, parameter: Parameter, block: SchedulingBlock) -> Parameter:
    """A parameter as the block has it: where autocal's own value is not what it would choose today, that is a step."""
    standing = block.values.get(name)
    if parameter.manual or not isinstance(standing, int | float) or same_value(standing, parameter.value):
        return parameter
    written: Number = standing
    reason = "Stands in the block; the numbers behind it have changed since it was written."
    step = Step("as-written", "the record", parameter.value, written, reason, short="as written")
    return Parameter(written, (*parameter.trail, step))


def _about_age(found: BlockFile, record: Record, presets: Presets, moved: list[str]) -> Findings:
    place = found.block.place_of((RECORD_KEY,)) if found.block else None
    again = f"autocal calibrate {found.config.path} --in-place chooses anew; what is written by hand stays."
    findings: list[Finding] = []
    if moved:
        why = "the presets" if record.presets != presets.version else "the config"
        message = f"Since it was written {why} changed: {', '.join(moved)} would be another today."
        findings.append(Finding("chosen-before", "info", message, again, place))
    if record.dataset and record.dataset.metric_version != METRIC_VERSION:
        message = "The metrics changed since its images were measured: their scores would be others today."
        findings.append(Finding("chosen-before", "info", message, again, place))
    if not moved and found.touched:
        message = f"{found.file.path.name} was edited after it was calibrated."
        findings.append(Finding("edited-since", "info", message, again, place))
    return tuple(findings)


def compare_files(
    a: Path, b: Path, options: DatasetOptions
) -> tuple[Schedule, Schedule, tuple[Difference, ...], Findings]:
    """Both configs' schedules, every value of either, and what is to be said about the configs.

    What is not resolved is calibrated on the fly, as `options` say. Raises AutocalError.
    """
    presets = load_presets()
    (ours, our_findings), (theirs, their_findings) = (read_schedule(path, presets, options) for path in (a, b))
    return ours, theirs, compare(ours, theirs, presets), (*our_findings, *their_findings)


def read_schedule(path: Path, presets: Presets, options: DatasetOptions) -> tuple[Schedule, Findings]:
    """One config's schedule: from its record, or as the block by hand has it, or calibrated now."""
    found = find_block(open_config(path))
    config = found.training
    record = read_record(found.block)
    if record is not None:
        told, findings = recalled(found, record, presets)
        return _schedule(path, "record", config, told, findings)
    network = measure_network(config)
    if wholly_manual(config.block):
        by_hand = _by_hand_alone(calibrate(config, network, None, presets))
        return _schedule(path, "by hand", config, by_hand, by_hand.findings)
    own = read_overrides(config.block, {}, presets).values
    dataset, dataset_findings = measure_dataset(config, own, options)
    calibration = calibrate(config, network, dataset, presets)
    known = all((*DATASET_INFO, name) in own for name in METRIC_NAMES)
    schedule, findings = _schedule(path, "calibrated", config, calibration, (*dataset_findings, *calibration.findings))
    if options.skip and not known:
        message = "The config is not resolved, and its images were not read: their complexity counts as neutral here."
        findings = (Finding("images-not-read", "info", message, "--scan reads them.", config.place), *findings)
    return schedule, findings


def _schedule(
    path: Path, origin: Origin, config: TrainingConfig, calibration: Calibration, findings: Findings
) -> tuple[Schedule, Findings]:
    """With what may spoil the comparison, each with the config that it is about; the rest other commands say."""
    telling = tuple(
        replace(finding, place=finding.place or config.place)
        for finding in findings
        if finding.severity != "info" or finding.code in ("chosen-before", "edited-since")
    )
    return Schedule(str(path), origin, config, calibration), telling


def _by_hand_alone(calibration: Calibration) -> Calibration:
    """Nothing was chosen: of each parameter the step by hand is all there is."""
    parameters = {
        name: replace(parameter, trail=(replace(parameter.trail[-1], before=None),))
        for name, parameter in calibration.parameters.items()
        if parameter.manual
    }
    return replace(calibration, parameters=parameters)
