"""Text of a config -> text with its resolved block, proven before it is handed on. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.record import Calibration, Presets
from autocal_cli.calibration.resolved import record_of, resolved_values
from autocal_cli.calibration.schema import RECORD_KEY
from autocal_cli.config.document import ConfigDocument
from autocal_cli.config.edits import splice
from autocal_cli.config.layout import read_training_config
from autocal_cli.config.patch import plan_patch, text_without
from autocal_cli.config.record import KeyPath, TrainingConfig, Value
from autocal_cli.config.trainers import REDUX, TrainerLayout, recognise_trainer
from autocal_cli.config.verify import verify_patch
from autocal_cli.dataset.record import DatasetFingerprint
from autocal_cli.errors import VerificationError
from autocal_cli.network.record import NetworkFingerprint


def resolve(
    document: ConfigDocument,
    config: TrainingConfig,
    network: NetworkFingerprint,
    dataset: DatasetFingerprint | None,
    presets: Presets,
    settings: Mapping[KeyPath, Value],
    layout: TrainerLayout | None = None,
) -> tuple[ConfigDocument, Calibration]:
    """Calibrates, and writes the result into the document's text; nothing else in it changes.

    Raises AutocalError for what the user must mend, VerificationError when the output is not what was meant (our
    fault).
    """
    layout = layout or recognise_trainer(document)
    calibration = calibrate(config, network, dataset, presets, settings)
    resolved = write_block(document, calibration, layout)
    # (d) of the verification: calibrating the output again gives the same bytes, without the settings too.
    again_config = read_training_config(resolved, layout)
    again = write_block(resolved, calibrate(again_config, network, dataset, presets), layout)
    if again.text != resolved.text:
        raise VerificationError("Calibrating the output again would change it.")
    return resolved, calibration


def write_block(document: ConfigDocument, calibration: Calibration, layout: TrainerLayout) -> ConfigDocument:
    """The document with the calibration in its block: first the values, then the record, each step verified."""
    settled = _patched(document, layout.block, resolved_values(calibration))
    record = record_of(calibration, text_digest(settled, layout))
    return _patched(settled, layout.block, {RECORD_KEY: record})


def text_digest(document: ConfigDocument, layout: TrainerLayout = REDUX) -> str:
    """SHA-256 of a config's text without the record: it tells whether anybody touched the file since."""
    return hashlib.sha256(text_without(document, (*layout.block, RECORD_KEY)).encode("utf-8")).hexdigest()


def _patched(document: ConfigDocument, path: KeyPath, wanted: Mapping[str, Value]) -> ConfigDocument:
    patch = plan_patch(document, path, wanted, units={RECORD_KEY})
    return verify_patch(document, splice(document.text, patch.edits), patch) if patch.edits else document
