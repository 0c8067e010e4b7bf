"""Text of a config -> text with its resolved block, proven before it is handed on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.record import Calibration, Presets
from autocal_cli.calibration.resolved import record_of, resolved_values
from autocal_cli.calibration.schema import RECORD_KEY
from autocal_cli.config.document import ConfigDocument
from autocal_cli.config.edits import splice
from autocal_cli.config.patch import plan_patch
from autocal_cli.config.record import KeyPath, TrainingConfig, Value
from autocal_cli.config.trainers import REDUX, TrainerLayout, recognise_trainer
from autocal_cli.config.verify import verify_patch
from autocal_cli.dataset.record import DatasetFingerprint
from autocal_cli.errors import VerificationError
from autocal_cli.network.record import NetworkFingerprint
from autocal_cli.probing.record import ProbeFingerprint
from autocal_cli.workflow.holder import Holder
from autocal_cli.workflow.native import without_marker, write_native_block

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
