"""`autocal calibrate` as one function: a config's path in, the resolved bytes and what led to them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.overrides import read_overrides, wholly_manual
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.record import Calibration
from autocal_cli.config.document import ConfigDocument, parse_document
from autocal_cli.config.layout import read_training_config
from autocal_cli.config.record import KeyPath, TrainingConfig, Value
from autocal_cli.config.storage import read_bytes
from autocal_cli.config.trainers import FORK, REDUX, TrainerLayout, recognise_trainer
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.network.sources import NetworkSources
from autocal_cli.workflow.block_findings import about_block, about_values
from autocal_cli.workflow.holder import Holder, read_sidecar
from autocal_cli.workflow.measure import DatasetOptions, measure_dataset, measure_network
from autocal_cli.workflow.measure_losses import ProbeOptions, measure_losses
from autocal_cli.workflow.resolve import Target, resolve


@dataclass(frozen=True, slots=True)
class CalibrationRun:
    """What `calibrate` did.

    `before` and `after` are the bytes of the file that `holder` names: the config, or its sidecar. They are equal when
    there was nothing to change; `before` is empty where there is no sidecar yet.
    """

    path: Path
    holder: Path
    before: bytes
    after: bytes
    calibration: Calibration
    findings: tuple[Finding, ...]


def calibrate_file(
    path: Path,
    settings: Mapping[KeyPath, Value],
    options: DatasetOptions,
    trainer_kind: str | None = None,
    target: Target = "runtime",
    sidecar: bool = False,
    sources: NetworkSources | None = None,
    probing: ProbeOptions | None = None,
) -> CalibrationRun:
    """Reads a config, measures its network and its images, and resolves its scheduling block.

    `settings` are values by key path that count as written by hand; `trainer_kind` names the trainer where the file's
    own shape does not tell it. `target` says whose scheduler the block is for; with `sidecar` the block stands in the
    sidecar, and the config stays as it is. `sources` is where the network may come from besides autocal, `probing`
    what to measure of the losses. Nothing is written. Raises AutocalError.
    """
    raw = read_bytes(path)
    document = parse_document(raw, str(path))
    layout = _layout(document, trainer_kind, target)
    config = read_training_config(document, layout)
    holder = read_sidecar(path, document, layout) if sidecar else Holder(path, document, layout, raw=raw)
    config = replace(config, block=holder.block)
    presets = load_presets()
    if wholly_manual(config.block) and not settings:
        network = measure_network(config, sources)
        probe, probe_findings = measure_losses(config, network, probing, sources)
        told = calibrate(config, network, None, presets, probe=probe)
        return _left_alone(path, holder, told, config, probe_findings)
    by_hand = read_overrides(config.block, settings, presets).values  # a mistake shows before a long scan
    network = measure_network(config, sources)
    dataset, dataset_findings = measure_dataset(config, by_hand, options)
    probe, probe_findings = measure_losses(config, network, probing, sources)
    resolved, calibration = resolve(
        holder.document, config, network, dataset, presets, settings, holder.layout, target, holder.config_text, probe
    )
    about = (*about_block(config, layout, holder, target), *about_values(config, holder, network, presets))
    findings = (*about, *dataset_findings, *probe_findings, *calibration.findings)
    return CalibrationRun(path, holder.path, holder.raw or b"", resolved.encode(resolved.text), calibration, findings)


def _layout(document: ConfigDocument, trainer_kind: str | None, target: Target) -> TrainerLayout:
    """The trainer's layout; `--target native` says by itself that what looks like traiNNer-redux is its fork."""
    layout = recognise_trainer(document, trainer_kind)
    if target == "native" and layout is REDUX and trainer_kind is None:
        return FORK
    if target == "native" and layout.on_block != "carries out":
        message = f"{layout.trainer} has no scheduler of its own, which --target native writes the block for."
        raise AutocalError(message, place=Place(document.path), fix="Leave out --target native.")
    return layout


def _left_alone(
    path: Path, holder: Holder, calibration: Calibration, config: TrainingConfig, about_probe: tuple[Finding, ...]
) -> CalibrationRun:
    """The block is the user's: it has been checked, and only what it says itself is told."""
    by_hand = {name: parameter for name, parameter in calibration.parameters.items() if parameter.manual}
    finding = Finding(
        "block-left-alone",
        "info",
        "The block says `auto_calibrate: false` and holds no record of a calibration: nothing is changed.",
        "Write `auto_calibrate: true` to have it calibrated; values written by hand stay as they are.",
        config.block.place if config.block else None,
    )
    raw = holder.raw or b""
    told = replace(calibration, parameters=by_hand)
    return CalibrationRun(path, holder.path, raw, raw, told, (finding, *about_probe, *calibration.findings))
