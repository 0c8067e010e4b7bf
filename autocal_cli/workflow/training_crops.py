"""`--batches N`: how many crops of what size that is."""

from __future__ import annotations

from autocal_cli.config.record import TrainingConfig
from autocal_cli.dataset.record import TrainingCrops
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.workflow.roots import training_section

LEAST_CROP = 7  # one window of the texture metric


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


def about_crops(crops: TrainingCrops | None) -> tuple[Finding, ...]:
    """How far scores of crops can be compared with others. Measured by benchmarks/crop_scores.py."""
    if crops is None:
        return ()
    message = (
        f"Scores are of crops of {crops.side} x {crops.side} pixels, but percentiles among whole photographs, which "
        "hold more colours: over BSDS500 colour is 0.13 in crops of 64, 0.39 of 128, 0.50 of 192 and of whole images."
    )
    return (Finding("crops-measured", "info", message, "Compare them with those of crops of the same size alone."),)


def crop_of(config: TrainingConfig) -> int | None:
    """The side of the crop that training takes of GT images, in pixels."""
    train = training_section(config)
    return train.gt_size if train else None
