"""A line an image while a scan goes on, and in the end the DatasetReport of them all."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from autocal_cli.dataset.decode import Pixels, WorkingImage, read_image
from autocal_cli.dataset.health import assess
from autocal_cli.dataset.record import METRIC_NAMES, DatasetFingerprint, FileIssue
from autocal_cli.dataset.report_record import NATIVE, OVERALL, DatasetReport, Extreme, Extremes, ImageFacts, ImageRow
from autocal_cli.dataset.sampling import Values, with_overall
from autocal_cli.dataset.sharpness import NATIVE_CROP, summarise_sharpness

BINS = 20  # of a histogram of scores
EXTREMES = 5  # lowest and highest images of each metric
JPEG_QUALITY = 75
COLUMNS = (*METRIC_NAMES, OVERALL)
RANKED = (*COLUMNS, NATIVE)
_GONE = np.full((8, 8, 3), 128, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An image that is among the extremes so far."""

    path: str
    raw: float
    score: float
    image: WorkingImage


class Ledger:
    """`take` is a scan's `on_measured`. Of an image stay its row, and its pixels while it is among the extremes."""

    def __init__(self) -> None:
        self._rows: list[ImageRow] = []
        self._lowest: dict[str, list[_Candidate]] = {name: [] for name in RANKED}
        self._highest: dict[str, list[_Candidate]] = {name: [] for name in RANKED}

    def take(self, images: Sequence[WorkingImage], raw: Values, scores: Values) -> None:
        """Notes images with their raw metrics and scores, both (n, 3)."""
        columns = with_overall(scores)
        self._rows += [_row(*line) for line in zip(images, raw, columns, strict=True)]
        raw_columns = np.column_stack([raw, columns[:, -1]])  # the overall complexity has no unit of its own
        for i, name in enumerate(COLUMNS):
            found = [
                _Candidate(_path(image), float(raw_columns[n, i]), float(columns[n, i]), image)
                for n, image in enumerate(images)
            ]
            self._rank(name, found)
        sharpness = [(image, _facts(image).native_sharpness) for image in images]
        self._rank(NATIVE, [_Candidate(_path(image), share, share, image) for image, share in sharpness])

    def _rank(self, name: str, found: Sequence[_Candidate]) -> None:
        """Puts images among the extremes so far; one that is there with the same value, by another crop, stays once."""
        lowest = {(one.raw, one.path): one for one in (*found, *self._lowest[name])}
        highest = {(-one.raw, one.path): one for one in (*found, *self._highest[name])}
        self._lowest[name] = [lowest[key] for key in sorted(lowest)[:EXTREMES]]
        self._highest[name] = [highest[key] for key in sorted(highest)[:EXTREMES]]

    def report(
        self, fingerprint: DatasetFingerprint, crop: int | None = None, native_crop: int = NATIVE_CROP
    ) -> DatasetReport:
        """What was noted, beside the fingerprint of the same scan; the training's crop, and that of the sharpness."""
        rows = sorted(self._rows, key=lambda row: row.facts.path)
        images = list({row.facts.path: row for row in rows}.values())  # of several crops of an image, one
        population = fingerprint.found - len(fingerprint.failures)
        return DatasetReport(
            fingerprint=fingerprint,
            health=assess(images, crop),
            sharpness=summarise_sharpness([row.facts.native_sharpness for row in images], population, native_crop),
            histograms={name: histogram([_score(row, i) for row in rows]) for i, name in enumerate(COLUMNS)},
            extremes={name: Extremes(_pictured(self._lowest[name]), _pictured(self._highest[name])) for name in RANKED},
            rows=tuple(rows),
        )


def histogram(scores: Sequence[float]) -> tuple[int, ...]:
    """Counts over 20 equal steps of 0..1; the last step holds 1 too."""
    counts = [0] * BINS
    for score in scores:
        counts[min(int(score * BINS), BINS - 1)] += 1
    return tuple(counts)


def _row(image: WorkingImage, raw: Values, columns: Values) -> ImageRow:
    scores = tuple(float(score) for score in columns)
    return ImageRow(
        _facts(image), image.width, image.height, tuple(float(value) for value in raw), scores[:-1], scores[-1]
    )


def _facts(image: WorkingImage) -> ImageFacts:
    assert image.facts is not None  # a scan with `on_measured` gathers them
    return image.facts


def _path(image: WorkingImage) -> str:
    return _facts(image).path


def _score(row: ImageRow, column: int) -> float:
    return (*row.scores, row.overall)[column]


def _pictured(candidates: Sequence[_Candidate]) -> tuple[Extreme, ...]:
    return tuple(Extreme(one.path, one.raw, one.score, _jpeg(_thumbnail(one))) for one in candidates)


def _thumbnail(candidate: _Candidate) -> Pixels:
    """Its small picture; one that came from the cache is read for it. Grey where it cannot be read any more."""
    image: WorkingImage | FileIssue = candidate.image
    if not candidate.image.thumbnail.size:
        image = read_image(Path(os.fsdecode(candidate.image.path)))
    return _GONE if isinstance(image, FileIssue) else image.thumbnail


def _jpeg(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
