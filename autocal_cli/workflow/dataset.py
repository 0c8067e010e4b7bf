"""Measures the images of the training folders that a config names, or those of folders, and judges them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autocal_cli.calibration.calibrate import DATASET_INFO
from autocal_cli.calibration.model import DatasetScores
from autocal_cli.calibration.resolved import read_record
from autocal_cli.config.model import DatasetRoot, DatasetSection, KeyPath, TrainingConfig, Value
from autocal_cli.dataset.listing import listed_once
from autocal_cli.dataset.model import METRIC_NAMES, NEUTRAL_SCORE, DatasetFingerprint, PairsSummary, TrainingCrops
from autocal_cli.dataset.pairs import Paired, is_template
from autocal_cli.dataset.trainer_view import REDUX, trainer_findings
from autocal_cli.dataset.workers import check_device
from autocal_cli.errors import AutocalError, Finding, Place, listed
from autocal_cli.workflow.images import (
    SHOWN,
    check_lq_is_not_gt,
    check_pairs,
    existing_roots,
    meta_info_of,
    training_names,
)
from autocal_cli.workflow.named_files import find_root

if TYPE_CHECKING:
    from autocal_cli.dataset.model import Curation, DatasetReport
    from autocal_cli.dataset.scan import MeasuredCallback, ScanProgress

LEAST_CROP = 7  # one window of the texture metric
SHIFTED = 0.1  # LQ pixels that all pairs are shifted by, to be told; what kernels do evenly stays under 0.02
COLOURED = 5.0  # levels of 255 by which all pairs differ, to be told; single pairs of one colour differ by 4.6 at most
WITH_MODEL = "(with --model)"  # how presets/curation.toml marks what a user's network can measure

ProgressCallback = Callable[["ScanProgress"], None]


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """What to measure and how. `folders` stand in for the config's own, and `lq` are the LQ images of each; `tolerance`
    None reads every file, `images` at most so many; `batches` instead as many training crops as so many batches have.
    `crop` and `batch_size` are the training's, where they are not the config's. `model` is a network that scores the
    images too.
    """

    folders: tuple[Path, ...] = ()
    skip: bool = False
    device: str | None = None
    seed: int = 0
    tolerance: float | None = 0.02
    images: int | None = None
    batches: int | None = None
    crop: int | None = None
    batch_size: int | None = None
    lq: tuple[Path, ...] = ()
    model: Path | None = None
    workers: int | None = None
    max_pixels: int | None = None
    use_cache: bool = True
    gentle: bool = False
    on_progress: ProgressCallback | None = None


@dataclass(frozen=True, slots=True)
class CurationOptions:
    """How images are judged: a community's numbers (`like`), changes of them, how many are kept at `most`, and whether
    pictures are wanted.
    """

    like: str | None = None
    thresholds: tuple[str, ...] = ()
    most: int | None = None
    pictures: bool = False


def scan_folders(
    folders: tuple[Path, ...],
    options: DatasetOptions,
    cache_folder: Path | None,
    names: Sequence[str] | None = None,
    crops: TrainingCrops | None = None,
    on_measured: MeasuredCallback | None = None,
    native_crop: int | None = None,
    paired: Paired | None = None,
) -> DatasetFingerprint:
    """Scans folders, or `names` in them, or `crops` of them, as `options` say; `paired`: beside their LQ images.

    Raises AutocalError when there is nothing to read.
    """
    from autocal_cli.dataset.decode import MAX_PIXELS
    from autocal_cli.dataset.facts import NATIVE_CROP
    from autocal_cli.dataset.scan import scan
    from autocal_cli.dataset.scorer import Scorer

    return scan(
        folders,
        names=names,
        device=options.device,
        seed=options.seed,
        tolerance=options.tolerance,
        images=options.images,
        crops=crops,
        paired=paired,
        scorer=Scorer(options.model) if options.model else None,
        workers=options.workers,
        max_pixels=options.max_pixels or MAX_PIXELS,
        native_crop=native_crop or NATIVE_CROP,
        gentle=options.gentle,
        on_progress=options.on_progress,
        on_measured=on_measured,
        cache_folder=cache_folder,
    )


def cache_folder(options: DatasetOptions) -> Path | None:
    """Where measured images and digests of lists are kept: AUTOCAL_CACHE, else the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get("AUTOCAL_CACHE")
    folder = Path(named) if named else user_cache_path("autocal", appauthor=False)
    return folder if options.use_cache else None


def usable_cache(options: DatasetOptions) -> tuple[Path | None, tuple[Finding, ...]]:
    """Where measured images are kept; None with a finding if they cannot be, without which a scan goes on."""
    from autocal_cli.dataset.cache import ImageCache

    folder = cache_folder(options)
    if folder is None:
        return None, ()
    try:
        ImageCache(folder, "").close()
    except AutocalError as error:
        return None, (Finding("cache-unusable", "warning", error.message, error.fix),)
    return folder, ()


@listed_once()
def measure_dataset(
    config: TrainingConfig, by_hand: Mapping[KeyPath, Value], options: DatasetOptions
) -> tuple[DatasetScores | None, tuple[Finding, ...]]:
    """The scores of the training images, or None with a finding that says why there is none.

    Nothing is measured where the user's own values (`by_hand`) hold every score already.
    Folders given by hand must be readable (AutocalError). Of those that the config names, what is missing or unreadable
    is a warning; when none is left, the fingerprint recorded in the config's block serves, where there is one.
    """
    check_device(options.device)
    if options.skip or (not options.folders and all((*DATASET_INFO, name) in by_hand for name in METRIC_NAMES)):
        return None, ()
    crops = training_crops(options.batches, config.batch_size, config.crop, config.path)
    if options.folders:
        cache, findings = usable_cache(options)
        dataset = scan_folders(options.folders, options, cache, crops=crops)
        about = (*about_crops(crops), *check_pairs(config, options.seed), *_about_files(dataset, None, config.trainer))
        return DatasetScores.of(dataset), (*findings, *about)
    present, findings = existing_roots(config)
    findings = (*findings, *check_pairs(config, options.seed))
    if present:
        cache, about_cache = usable_cache(options)
        findings, place = (*findings, *about_cache), config.dataset_roots[0].place
        try:
            dataset = scan_folders(tuple(present), options, cache, training_names(config), crops)
            about = (*about_crops(crops), *_about_files(dataset, place, config.trainer))
            return DatasetScores.of(dataset), (*findings, *about)
        except AutocalError as error:
            unread = Finding("dataset-unreadable", "warning", error.message, error.fix, error.place or place)
            findings = (*findings, unread)
    record = read_record(config.block)
    if record is not None and record.dataset is not None:
        message = "The dataset cannot be read here, so the measurement recorded in the block is used."
        return record.dataset, (*findings, Finding("dataset-from-record", "info", message, None, config.place))
    message = f"The dataset was not measured: its complexity counts as neutral, {NEUTRAL_SCORE}."
    return None, (*findings, Finding("dataset-neutral", "warning", message, None, config.place))


def _about_files(dataset: DatasetFingerprint, place: Place | None, trainer: str) -> tuple[Finding, ...]:
    """What stops a training, or is trained on otherwise than it was measured, is said here too."""
    findings = trainer_findings(dataset.sightings, place, trainer)
    if not dataset.failures:
        return findings
    first, others = dataset.failures[0], ", and others" if len(dataset.failures) > 1 else ""
    counted = f"{len(dataset.failures):,} of {dataset.found:,} image files"
    message = f"Could not be read: {counted} ({first.path}: {first.reason}{others})."
    fix = "autocal analyze-dataset --verbose lists them all."
    return (Finding("images-unreadable", "warning", message, fix, place), *findings)


# `autocal analyze-dataset` as one function: folders, or a training config that names them, in; a report out.


def survey(
    config: TrainingConfig | None, options: DatasetOptions, curation: CurationOptions | None = None
) -> tuple[DatasetReport, tuple[Finding, ...]]:
    """Scans folders, the options' or else the config's, and judges their images in the same pass.

    With a config its GT and LQ images are held against each other too. Raises AutocalError when there is nothing to
    read.
    """
    from autocal_cli.dataset.curation import load_policy
    from autocal_cli.dataset.facts import NATIVE_CROP
    from autocal_cli.dataset.health import Ledger
    from autocal_cli.dataset.scan import ScanProgress

    how = curation or CurationOptions()
    policy = load_policy(how.like, how.thresholds, options.model is not None)
    crop = options.crop or (config.crop if config else None)
    batch_size = options.batch_size or (config.batch_size if config else None)
    crops = training_crops(options.batches, batch_size, crop, config.path if config else None)
    folders, names, findings = _images(config, options.folders)
    ledger, native_crop = Ledger(), crop or NATIVE_CROP
    pairs = _with_lq(config, options) if options.lq else None if options.folders else config
    paired = _paired(pairs, folders) if pairs else None
    cache, about_cache = usable_cache(options)
    with listed_once():  # and forgotten before the report, which takes the place of the listings in memory
        dataset = scan_folders(folders, options, cache, names, crops, ledger.take, native_crop, paired)
        about_pairs = tuple(_about_pairs(pairs, options)) if pairs else ()
    if options.on_progress:
        options.on_progress(ScanProgress(dataset.read, 0, dataset.read, None, judging=True))
    report = ledger.report(dataset, crop, native_crop, policy, how.pictures, how.most)
    unmeasured = [one for one in policy.unmeasured if not (options.model and WITH_MODEL in one)]
    message = f"Not measured here, of what --like {how.like} filters by: {'; '.join(unmeasured)}."
    return report, (
        *findings,
        *about_cache,
        *about_crops(crops, paired is not None),
        *([Finding("curation-unmeasured", "info", message)] if unmeasured else ()),
        *about_pairs,
        *about_all_pairs(report.curation.pairs),
        *_about_choice(report.curation, how.most),
        *trainer_findings(dataset.sightings, trainer=config.trainer if config else REDUX),
    )


def _about_pairs(config: TrainingConfig, options: DatasetOptions) -> Iterator[Finding]:
    """Findings on names and sizes. Folders given by hand stand in no section of a config, so none is named."""
    for finding in (*check_lq_is_not_gt(config), *check_pairs(config, options.seed)):
        yield replace(finding, message=finding.message.removeprefix("train: ")) if options.lq else finding


def _about_choice(curation: Curation, most: int | None) -> Iterator[Finding]:
    """Where --choose finds no more images than it is to keep."""
    left = curation.images - curation.totals["drop"]
    if most is not None and left < most:
        message = (
            f"--choose {most:,} left nothing out, for only {left:,} of {curation.images:,} images are not dropped."
        )
        yield Finding("choice-is-all", "info", message)


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


def _with_lq(config: TrainingConfig | None, options: DatasetOptions) -> TrainingConfig:
    """The training as if its config named the folders given by hand. Raises AutocalError where they do not pair."""
    if len(options.lq) != len(options.folders):
        folders = "1 folder" if len(options.lq) == 1 else f"{len(options.lq)} folders"
        message = f"--lq names {folders}, PATH {len(options.folders)}."
        raise AutocalError(message, fix="Give one --lq DIR for each PATH, in the same order.")
    for folder in options.lq:
        if not folder.exists():
            raise AutocalError(f"{folder}: no such file or directory.", fix="Correct --lq DIR.")
    sides = ("PATH", options.folders), ("--lq", options.lq)
    gt, lq = (
        tuple(DatasetRoot(name, str(one.absolute()), Place(str(one))) for one in several) for name, several in sides
    )
    section = DatasetSection("train", gt, lq)
    return replace(config or TrainingConfig("", trainer=""), datasets=(section,), dataset_roots=gt)


def _paired(config: TrainingConfig, folders: Sequence[Path]) -> Paired | None:
    """The LQ folder of each GT folder of the training set, None where it has none that is here."""
    section, beside = config.training_set, Path(config.path).parent
    if section is None or not is_template(section.filename_tmpl):
        return None
    lq = {find_root(gt, beside): find_root(lq, beside) for gt, lq in zip(section.gt, section.lq, strict=False)}
    found = tuple(lq.get(folder.absolute() if folder not in lq else folder) for folder in folders)
    return Paired(found, section.filename_tmpl, meta_info_of(section, beside), config.scale) if any(found) else None


def about_all_pairs(several: Sequence[PairsSummary]) -> Iterator[Finding]:
    """What a network learns from pairs that are all shifted, or coloured, alike: to do the same."""
    scales = {pairs.root: round(pairs.scale) for pairs in several if pairs.count}
    if len(set(scales.values())) > 1:
        told = listed((f"{root} is x{scale}" for root, scale in scales.items()), SHOWN)
        fix = "A training has one scale, and ends at a pair of another: take the folders of one scale."
        yield Finding("pairs-scales-differ", "warning", f"The folders' pairs are of several scales: {told}.", fix)
    for pairs in several:
        of_root = f"{pairs.root}: " if len(several) > 1 else ""
        if math.hypot(pairs.across, pairs.down) >= SHIFTED:
            reduced = f" (reduced by {pairs.kernel})" if pairs.kernel else ""
            message = (
                f"{of_root}The LQ images lie {pairs.across:+.2f} pixels right and {pairs.down:+.2f} below their GT "
                f"images, over the median of {pairs.count:,} pairs{reduced}: the network learns to shift what it "
                "enlarges."
            )
            fix = "Make the LQ images anew, with the samples' centres kept."
            yield Finding("pairs-shifted", "warning", message, fix)
        if pairs.colour >= COLOURED:
            message = (
                f"{of_root}A channel of the LQ images differs by {pairs.colour:.0f} of 255 levels from that of their "
                f"GT images, the median of {pairs.count:,} pairs: the network learns to change colours or brightness."
            )
            fix = "Make the LQ images anew; red and blue may be swapped, or levels be of another range."
            yield Finding("pairs-coloured", "warning", message, fix)


# `--batches N`: how many crops of what size that is.


def training_crops(
    batches: int | None, batch_size: int | None, crop: int | None, config: str | None = None
) -> TrainingCrops | None:
    """The crops of so many batches (optimiser steps), None where none are asked for.

    Raises AutocalError where batch size or crop are not known, or the crop is too small to measure.
    """
    if batches is None:
        return None
    place = Place(config) if config else None
    if batch_size is None:
        message = "--batches needs the training's batch size, which is not known."
        fix = "State datasets.train.batch_size_per_gpu." if config else "Give --batch-size N, or --config FILE."
        raise AutocalError(message, place=place, fix=fix)
    if crop is None:
        message = "--batches needs the size of the training's crop, which is not known."
        fix = "State datasets.train.lq_size or gt_size." if config else "Give --crop N, or --config FILE."
        raise AutocalError(message, place=place, fix=fix)
    if crop < LEAST_CROP:
        message = f"--batches cannot measure crops of {crop} pixels: it takes {LEAST_CROP} a side or more."
        raise AutocalError(message, place=place)
    return TrainingCrops(batches * batch_size, crop)


def about_crops(crops: TrainingCrops | None, paired: bool = False) -> tuple[Finding, ...]:
    """How far scores of crops can be compared with others, and what is not judged of images that are `paired`.
    Measured by benchmarks/crop_scores.py.
    """
    if crops is None:
        return ()
    pairs = " LQ images are not laid on them: of pairs names and sizes alone are looked at." if paired else ""
    message = (
        f"Scores are of crops of {crops.side} x {crops.side} pixels, but percentiles among whole photographs, which "
        "hold more colours: over BSDS500 colour is 0.13 in crops of 64, 0.39 of 128, 0.50 of 192 and of whole images."
        f"{pairs}"
    )
    return (Finding("crops-measured", "info", message, "Compare them with those of crops of the same size alone."),)
