"""`autocal calibrate` as one function: a config's path in, the resolved bytes and what led to them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.overrides import read_overrides, wholly_manual
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.record import Calibration
from autocal_cli.config.document import parse_document
from autocal_cli.config.layout import read_training_config
from autocal_cli.config.record import BLOCK_KEY, KeyPath, TrainingConfig, Value
from autocal_cli.config.storage import read_bytes
from autocal_cli.errors import Finding
from autocal_cli.network.sources import NetworkSources
from autocal_cli.workflow.measure import DatasetOptions, measure_dataset, measure_network
from autocal_cli.workflow.resolve import resolve


@dataclass(frozen=True, slots=True)
class CalibrationRun:
    """What `calibrate` did.

    `before` and `after` are the bytes of the config; equal when there was nothing to change.
    """

    path: Path
    before: bytes
    after: bytes
    calibration: Calibration
    findings: tuple[Finding, ...]


def calibrate_file(
    path: Path,
    settings: Mapping[KeyPath, Value],
    options: DatasetOptions,
    sources: NetworkSources | None = None,
) -> CalibrationRun:
    """Reads a config, measures its network and its images, and resolves its scheduling block.

    `settings` are values by key path that count as written by hand; `sources` is where the network may come from
    besides autocal itself. Nothing is written. Raises AutocalError.
    """
    raw = read_bytes(path)
    document = parse_document(raw, str(path))
    config = read_training_config(document)
    presets = load_presets()
    if wholly_manual(config.block) and not settings:
        return _left_alone(path, raw, calibrate(config, measure_network(config, sources), None, presets), config)
    by_hand = read_overrides(config.block, settings, presets).values  # a mistake shows before a long scan
    network = measure_network(config, sources)
    dataset, dataset_findings = measure_dataset(config, by_hand, options)
    resolved, calibration = resolve(document, config, network, dataset, presets, settings)
    findings = (*_about_block(config), *dataset_findings, *calibration.findings)
    return CalibrationRun(path, raw, resolved.encode(resolved.text), calibration, findings)


def _left_alone(path: Path, raw: bytes, calibration: Calibration, config: TrainingConfig) -> CalibrationRun:
    """The block is the user's: it has been checked, and only what it says itself is told."""
    by_hand = {name: parameter for name, parameter in calibration.parameters.items() if parameter.manual}
    finding = Finding(
        "block-left-alone",
        "info",
        "The block says `auto_calibrate: false` and holds no record of a calibration: nothing is changed.",
        "Write `auto_calibrate: true` to have it calibrated; values written by hand stay as they are.",
        config.block.place if config.block else None,
    )
    return CalibrationRun(path, raw, raw, replace(calibration, parameters=by_hand), (finding, *calibration.findings))


def _about_block(config: TrainingConfig) -> tuple[Finding, ...]:
    if config.block is None:
        message = f"There was no `{BLOCK_KEY}` block; one is added."
        fix = "It takes effect under a trainer that reads it; start an unmodified one with `autocal run`."
        return (Finding("block-added", "info", message, fix, config.place),)
    if config.block.values.get("enabled") is False:
        message = "The block says `enabled: false`: it is calibrated, but stays switched off."
        return (
            Finding("block-disabled", "info", message, "Write `enabled: true`.", config.block.place_of(("enabled",))),
        )
    return ()
