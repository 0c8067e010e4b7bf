"""Rows of images -> Health: sizes, grey, flat and blocky images, duplicates."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from autocal_cli.dataset.duplicates import exact_duplicates, near_duplicates
from autocal_cli.dataset.report_record import Health, ImageRow, Named, SizedImage

FLAT_DEVIATION = 0.02  # standard deviation of luma, about five of 255 levels; chosen, untested
BLOCKY = 1.3  # ratio of `facts.blockiness`; what it catches is measured by benchmarks/blockiness.py
LISTED = 100  # names kept of each kind; all are counted


def assess(rows: Sequence[ImageRow], crop: int | None = None) -> Health:
    """The health of one image or more. `crop` is the side of the training crop in pixels of these images."""
    by_size = sorted(rows, key=lambda row: (row.width * row.height, row.width, row.facts.path))
    known = [row.facts.blockiness for row in rows if row.facts.blockiness is not None]
    return Health(
        images=len(rows),
        smallest=_sized(by_size[0]),
        median=_sized(by_size[(len(by_size) - 1) // 2]),
        largest=_sized(by_size[-1]),
        crop=crop,
        below_crop=None if crop is None else _named(rows, lambda row: min(row.width, row.height) < crop),
        grey=_named(rows, lambda row: row.facts.grey),
        flat=_named(rows, is_flat),
        blocky=_named(rows, lambda row: row.facts.blockiness is not None and row.facts.blockiness >= BLOCKY),
        blockiness_known=len(known),
        blockiness_median=statistics.median(known) if known else None,
        exact_duplicates=exact_duplicates(rows),
        near_duplicates=near_duplicates([row for row in rows if not is_flat(row)]),
    )


def is_flat(row: ImageRow) -> bool:
    """Whether an image shows next to nothing; then its perceptual hash says nothing either."""
    return row.facts.deviation < FLAT_DEVIATION


def _sized(row: ImageRow) -> SizedImage:
    return SizedImage(row.facts.path, row.width, row.height)


def _named(rows: Sequence[ImageRow], holds: Callable[[ImageRow], bool]) -> Named:
    paths = sorted(row.facts.path for row in rows if holds(row))
    return Named(len(paths), tuple(paths[:LISTED]))
