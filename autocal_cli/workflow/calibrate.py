"""`autocal calibrate` as one function: a config's path in, the resolved bytes and what led to them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from autocal_cli.calibration.block import RECORD_KEY, read_overrides, wholly_manual
from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.model import Calibration, Presets
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.resolved import record_of, resolved_values
from autocal_cli.check.block import rejected, unsupported_values
from autocal_cli.check.model import Checked
from autocal_cli.config.files import parse_document, plan_patch, read_bytes, verify_patch
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.model import BLOCK_KEY, KeyPath, TrainingConfig, Value
from autocal_cli.config.trainers import FORK, FORK_MARKS, REDUX, TrainerLayout, recognise_trainer
from autocal_cli.config.yaml.document import ConfigDocument, lookup
from autocal_cli.config.yaml.edit import splice
from autocal_cli.dataset.model import DatasetFingerprint
from autocal_cli.errors import AutocalError, Finding, Place, VerificationError
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.sources import NetworkSources
from autocal_cli.probing.model import ProbeFingerprint
from autocal_cli.workflow.config_file import Holder, read_sidecar, without_marker, write_native_block
from autocal_cli.workflow.dataset import DatasetOptions, measure_dataset, measure_network
from autocal_cli.workflow.probe import ProbeOptions, measure_losses


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


# Text of a config -> text with its resolved block, proven before it is handed on. Pure.


Target = Literal["runtime", "native"]


def resolve(
    document: ConfigDocument,
    config: TrainingConfig,
    network: NetworkFingerprint,
    dataset: DatasetFingerprint | None,
    presets: Presets,
    settings: Mapping[KeyPath, Value],
    layout: TrainerLayout | None = None,
    target: Target = "runtime",
    config_text: str = "",
    probe: ProbeFingerprint | None = None,
) -> tuple[ConfigDocument, Calibration]:
    """Calibrates, and writes the result into the document's text; nothing else in it changes.

    `document` holds the block: it is the config, or its sidecar, and then `config_text` is the config's text. Raises
    AutocalError for what the user must mend, VerificationError when the output is not what was meant (our fault).
    """
    layout = layout or recognise_trainer(document)
    calibration = calibrate(config, network, dataset, presets, settings, probe)
    resolved = _written(document, config, calibration, layout, target, config_text)
    # (d) of the verification: calibrating the output again gives the same bytes, without the settings too.
    again_config = replace(config, block=Holder(Path(document.path), resolved, layout).block)
    again_calibration = calibrate(again_config, network, dataset, presets, probe=probe)
    again = _written(resolved, again_config, again_calibration, layout, target, config_text)
    if again.text != resolved.text:
        raise VerificationError("Calibrating the output again would change it.")
    return resolved, calibration


def _written(
    document: ConfigDocument,
    config: TrainingConfig,
    calibration: Calibration,
    layout: TrainerLayout,
    target: Target,
    config_text: str,
) -> ConfigDocument:
    if target == "native":
        return write_native_block(document, calibration, config.block, layout)
    return write_block(without_marker(document, layout), calibration, layout, config_text)


def write_block(
    document: ConfigDocument, calibration: Calibration, layout: TrainerLayout, config_text: str = ""
) -> ConfigDocument:
    """The document with the calibration in its block: first the values, then the record, each step verified."""
    settled = _patched(document, layout.block, resolved_values(calibration))
    record = record_of(calibration, text_digest(settled, layout, config_text), layout.trainer)
    return _patched(settled, layout.block, {RECORD_KEY: record})


def text_digest(document: ConfigDocument, layout: TrainerLayout = REDUX, config_text: str = "") -> str:
    """SHA-256 of a config's text without the record: it tells whether anybody touched the file since."""
    return Holder(Path(document.path), document, layout, config_text).digest()


def _patched(document: ConfigDocument, path: KeyPath, wanted: Mapping[str, Value]) -> ConfigDocument:
    patch = plan_patch(document, path, wanted, units={RECORD_KEY})
    return verify_patch(document, splice(document.text, patch.edits), patch) if patch.edits else document


# What is to be said about the block itself: that one is added, is switched off, or does nothing in this trainer.


def about_block(config: TrainingConfig, layout: TrainerLayout, holder: Holder, target: Target) -> tuple[Finding, ...]:
    """The findings of a config whose block `holder` holds."""
    in_sidecar = bool(holder.config_text)
    found = [_added(config, in_sidecar), _disabled(config)]
    if not in_sidecar:
        found.append(_reception(config, layout) or _fork(config, layout, holder, target))
    return tuple(finding for finding in found if finding)


def about_values(
    config: TrainingConfig, holder: Holder, network: NetworkFingerprint, presets: Presets
) -> tuple[Finding, ...]:
    """Hand-written values, not seen by a calibration yet, that the network's preset does not support."""
    seen = Checked(holder.document, holder.layout, config, (), presets, network)
    return tuple(unsupported_values(seen))


def _added(config: TrainingConfig, in_sidecar: bool) -> Finding | None:
    if in_sidecar or config.block is not None:
        return None
    message = f"There was no `{BLOCK_KEY}` block; one is added."
    return Finding("block-added", "info", message, None, config.place)


def _disabled(config: TrainingConfig) -> Finding | None:
    if config.block is None or config.block.values.get("enabled") is not False:
        return None
    message = "The block says `enabled: false`: it is calibrated, but stays switched off."
    return Finding("block-disabled", "info", message, "Write `enabled: true`.", config.block.place_of(("enabled",)))


def _reception(config: TrainingConfig, layout: TrainerLayout) -> Finding | None:
    """What the unmodified trainer makes of a config with the block in it, where that is not what the block says."""
    place = config.block.place if config.block else config.place
    if layout.on_block == "rejects":
        return rejected(layout, place)
    if layout.on_block == "ignores":
        message = f"{layout.trainer} by itself takes no notice of the block."
        fix = (
            "Attach the scheduler to its losses in a few lines of code (docs/runtime.md)."
            if layout.language == "toml"
            else "Start it with `autocal run`, which carries it out."
        )
        return Finding("block-ignored", "info", message, fix, place)
    return None


def _fork(config: TrainingConfig, layout: TrainerLayout, holder: Holder, target: Target) -> Finding | None:
    """The fork swallows what its scheduler raises. Said where the config uses options that only the fork has."""
    if layout is not FORK or target == "native" or not any(lookup(holder.document, path) for path in FORK_MARKS):
        return None
    message = "The fork's own scheduler takes the flat keys alone: with this block it would train unscheduled."
    fix = "Start it with `autocal run`, or swap the import (docs/runtime.md), or calibrate with --target native."
    return Finding("block-not-native", "info", message, fix, config.block.place if config.block else config.place)
