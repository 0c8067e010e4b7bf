"""Measures what a config names: its network, and the images of its training folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autocal_cli.calibration.calibrate import DATASET_INFO
from autocal_cli.calibration.resolved import recorded_dataset
from autocal_cli.config.record import KeyPath, TrainingConfig, Value
from autocal_cli.dataset.record import METRIC_NAMES, NEUTRAL_SCORE, DatasetFingerprint, TrainingCrops
from autocal_cli.dataset.trainer_view import trainer_findings
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.network.record import NetworkFingerprint
from autocal_cli.network.sources import NetworkSources
from autocal_cli.workflow.check_pairs import check_pairs
from autocal_cli.workflow.roots import existing_roots, find_root, training_names
from autocal_cli.workflow.training_crops import about_crops, crop_of, training_crops

if TYPE_CHECKING:
    from autocal_cli.dataset.sample import MeasuredCallback, ScanProgress

ProgressCallback = Callable[["ScanProgress"], None]


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """What to measure and how. `folders` stand in for the config's own; `tolerance` None reads every file,
    `images` at most so many; `batches` instead as many training crops as so many batches have.
    """

    folders: tuple[Path, ...] = ()
    skip: bool = False
    device: str | None = None
    seed: int = 0
    tolerance: float | None = 0.02
    images: int | None = None
    batches: int | None = None
    workers: int | None = None
    max_pixels: int | None = None
    use_cache: bool = True
    on_progress: ProgressCallback | None = None


def measure_network(config: TrainingConfig, sources: NetworkSources | None = None) -> NetworkFingerprint:
    """Builds the config's network, by the builders at hand and those that `sources` name, and its discriminator.

    Raises AutocalError for arguments that no network can take, and for a source that is not what it should be.
    """
    from autocal_cli.network.builders import builders_for  # torch takes a second: only here
    from autocal_cli.network.discriminator_fingerprint import fingerprint_discriminator
    from autocal_cli.network.fingerprint import measured_by

    sources = replace(sources or NetworkSources(), written_for=config.trainer)
    with builders_for(with_config_weights(config, sources), config.scale) as builders:
        network = measured_by(builders, config.network, config.scale)
        # Trainers hand no scale to a discriminator; who takes any type (a checkpoint) speaks of the generator.
        others = [builder for builder in builders if config.discriminator and builder.types()]
        discriminator = fingerprint_discriminator(config.discriminator, lambda named: measured_by(others, named, None))
    return replace(network, discriminator=discriminator)


def with_config_weights(config: TrainingConfig, sources: NetworkSources) -> NetworkSources:
    """The sources with the checkpoint that the config starts from, where it is at hand and none was named."""
    if sources.weights is not None or config.weights is None:
        return sources
    path = find_root(config.weights, Path(config.path).parent)
    return replace(sources, weights=path, weights_required=False) if path and path.is_file() else sources


def scan_folders(
    folders: tuple[Path, ...],
    options: DatasetOptions,
    names: Sequence[str] | None = None,
    on_measured: MeasuredCallback | None = None,
    crops: TrainingCrops | None = None,
    native_crop: int | None = None,
) -> DatasetFingerprint:
    """Scans folders, or `names` in them, or `crops` of them, as `options` say.

    Raises AutocalError when there is nothing to read.
    """
    from autocal_cli.dataset.decode import MAX_PIXELS
    from autocal_cli.dataset.scan import scan
    from autocal_cli.dataset.sharpness import NATIVE_CROP

    return scan(
        folders,
        names=names,
        device=options.device,
        seed=options.seed,
        tolerance=options.tolerance,
        images=options.images,
        crops=crops,
        workers=options.workers,
        max_pixels=options.max_pixels or MAX_PIXELS,
        native_crop=native_crop or NATIVE_CROP,
        on_progress=options.on_progress,
        on_measured=on_measured,
        cache_folder=usable_cache(options)[0],
    )


def usable_cache(options: DatasetOptions) -> tuple[Path | None, tuple[Finding, ...]]:
    """Where measured images are kept: AUTOCAL_CACHE, else the user's cache folder; None with a finding if it cannot be.

    A scan goes on without it.
    """
    from platformdirs import user_cache_path

    from autocal_cli.dataset.cache import ImageCache

    if not options.use_cache:
        return None, ()
    named = os.environ.get("AUTOCAL_CACHE")
    folder = Path(named) if named else user_cache_path("autocal", appauthor=False)
    try:
        ImageCache(folder, "").close()
    except AutocalError as error:
        return None, (Finding("cache-unusable", "warning", error.message, error.fix),)
    return folder, ()


def measure_dataset(
    config: TrainingConfig, by_hand: Mapping[KeyPath, Value], options: DatasetOptions
) -> tuple[DatasetFingerprint | None, tuple[Finding, ...]]:
    """The fingerprint of the training images, or None with a finding that says why there is none.

    Nothing is measured where the user's own values (`by_hand`) hold every score already.
    Folders given by hand must be readable (AutocalError). Of those that the config names, what is missing or unreadable
    is a warning; when none is left, the fingerprint recorded in the config's block serves, where there is one.
    """
    _check_device(options.device)
    if options.skip or (not options.folders and all((*DATASET_INFO, name) in by_hand for name in METRIC_NAMES)):
        return None, ()
    crops = training_crops(options.batches, config.batch_size, crop_of(config), config.path)
    if options.folders:
        dataset = scan_folders(options.folders, options, crops=crops)
        about = (*about_crops(crops), *check_pairs(config, options.seed), *_about_files(dataset, None, config.trainer))
        return dataset, (*usable_cache(options)[1], *about)
    present, findings = existing_roots(config)
    findings = (*findings, *usable_cache(options)[1], *check_pairs(config, options.seed))
    if present:
        try:
            dataset = scan_folders(tuple(present), options, training_names(config), crops=crops)
            return dataset, (
                *findings,
                *about_crops(crops),
                *_about_files(dataset, config.dataset_roots[0].place, config.trainer),
            )
        except AutocalError as error:
            place = error.place or config.dataset_roots[0].place
            findings = (*findings, Finding("dataset-unreadable", "warning", error.message, error.fix, place))
    recorded = recorded_dataset(config.block)
    if recorded is not None:
        message = "The dataset cannot be read here, so the measurement recorded in the block is used."
        return recorded, (*findings, Finding("dataset-from-record", "info", message, None, config.place))
    message = f"The dataset was not measured: its complexity counts as neutral, {NEUTRAL_SCORE}."
    return None, (*findings, Finding("dataset-neutral", "warning", message, None, config.place))


def _about_files(dataset: DatasetFingerprint, place: Place | None, trainer: str) -> tuple[Finding, ...]:
    """What stops a training, or is trained on otherwise than it was measured, is said here too."""
    findings = trainer_findings(dataset.sightings, place, trainer)
    if not dataset.failures:
        return findings
    first = dataset.failures[0]
    message = (
        f"Could not be read: {len(dataset.failures):,} of {dataset.found:,} image files ({first.path}: {first.reason}"
    )
    more = ", and others)." if len(dataset.failures) > 1 else ")."
    fix = "autocal analyze-dataset lists them all."
    return (Finding("images-unreadable", "warning", message + more, fix, place), *findings)


def _check_device(name: str | None) -> None:
    """A wrong `--device` is the user's mistake, not a dataset that cannot be read."""
    if name is not None:
        from autocal_cli.dataset.device import pick_device

        pick_device(name)
