"""`autocal analyze-dataset` as one function: folders, or a training config that names them, in; a report out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autocal_cli.config.document import parse_document
from autocal_cli.config.layout import read_training_config
from autocal_cli.config.record import TrainingConfig
from autocal_cli.config.storage import read_bytes
from autocal_cli.dataset.trainer_view import REDUX, trainer_findings
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.workflow.check_pairs import check_pairs
from autocal_cli.workflow.measure import DatasetOptions, scan_folders, usable_cache
from autocal_cli.workflow.roots import existing_roots, training_names
from autocal_cli.workflow.training_crops import about_crops, crop_of, training_crops

if TYPE_CHECKING:
    from autocal_cli.dataset.report_record import DatasetReport


@dataclass(frozen=True, slots=True)
class Training:
    """What is known of the training: its config, and its crop and batch size where they are given by hand."""

    config: TrainingConfig | None = None
    crop: int | None = None
    batch_size: int | None = None


def known_training(config: Path | None, crop: int | None, batch_size: int | None) -> Training:
    """Reads the config, where there is one. Raises AutocalError."""
    if config is None:
        return Training(None, crop, batch_size)
    return Training(read_training_config(parse_document(read_bytes(config), str(config))), crop, batch_size)


def survey(training: Training, options: DatasetOptions) -> tuple[DatasetReport, tuple[Finding, ...]]:
    """Scans folders, the options' or else the config's, and assesses the health of their images in the same pass.

    With a config its GT and LQ images are held against each other too. Raises AutocalError when there is nothing to
    read.
    """
    from autocal_cli.dataset.ledger import Ledger
    from autocal_cli.dataset.sharpness import NATIVE_CROP

    config = training.config
    crop = training.crop or (crop_of(config) if config else None)
    batch_size = training.batch_size or (config.batch_size if config else None)
    crops = training_crops(options.batches, batch_size, crop, config.path if config else None)
    folders, names, findings = _images(config, options.folders)
    ledger, native_crop = Ledger(), crop or NATIVE_CROP
    dataset = scan_folders(folders, options, names, ledger.take, crops, native_crop)
    about = (*findings, *usable_cache(options)[1], *about_crops(crops))
    pairs = check_pairs(config, options.seed) if config else ()
    seen = trainer_findings(dataset.sightings, trainer=config.trainer if config else REDUX)
    return ledger.report(dataset, crop, native_crop), (*about, *pairs, *seen)


def _images(
    config: TrainingConfig | None, folders: tuple[Path, ...]
) -> tuple[tuple[Path, ...], Sequence[str] | None, tuple[Finding, ...]]:
    """The folders to scan, what their meta_info names in them, and findings on folders that are missing."""
    if folders or config is None:
        return folders, None, ()
    present, findings = existing_roots(config, "PATH")
    if not present:
        missing = ", ".join(root.path for root in config.dataset_roots)
        message = f"None of its folders of training images is here ({missing})." if missing else findings[0].message
        raise AutocalError(message, place=Place(config.path), fix="Correct the paths, or name the images with PATH.")
    return tuple(present), training_names(config), findings
