"""Rows of images -> Health: sizes, grey, flat and blocky images, duplicates."""

from __future__ import annotations

import io
import os
import statistics
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from autocal_cli.dataset.decode import WorkingImage, read_image
from autocal_cli.dataset.facts import NATIVE_CROP, summarise_sharpness
from autocal_cli.dataset.metrics import Pixels
from autocal_cli.dataset.model import (
    METRIC_NAMES,
    NATIVE,
    OVERALL,
    DatasetFingerprint,
    DatasetReport,
    Duplicates,
    Extreme,
    Extremes,
    FileIssue,
    Health,
    ImageFacts,
    ImageRow,
    Named,
    SizedImage,
)
from autocal_cli.dataset.sampling import Values, with_overall

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


# Which images are the same: copies to the byte by content hash, near copies by perceptual hash.


# Bits of 64 in which the hashes of one picture may differ. Measured on 200 photographs of BSDS500 and 8 of Kodak:
# halved, or as JPEG of quality 90, 50 or 20, each stays within 4 bits of itself; different ones are at least 14 apart.
NEAR_BITS = 4
LISTED_GROUPS = 100
LISTED_NAMES = 100  # of a group
HASH_BITS = 64

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def exact_duplicates(rows: Iterable[ImageRow]) -> Duplicates:
    """Images whose files are equal byte for byte."""
    return _duplicates(_grouped((row.facts.sha256, row.facts.path) for row in rows).values())


def near_duplicates(rows: Iterable[ImageRow]) -> Duplicates | None:
    """Images that look alike: linked where hashes differ in at most NEAR_BITS bits, in groups of what hangs together.

    Of copies to the byte only the first counts. None where the images have no perceptual hash.
    """
    distinct = {row.facts.sha256: row.facts for row in sorted(rows, key=lambda row: row.facts.path, reverse=True)}
    if any(facts.perceptual_hash is None for facts in distinct.values()):
        return None
    alike = _grouped((facts.perceptual_hash or 0, facts.path) for facts in distinct.values())
    leaders = {value: value for value in alike}
    for first, second in close_pairs(alike):
        leaders[_leader(leaders, second)] = _leader(leaders, first)
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for value, paths in alike.items():
        groups[_leader(leaders, value)] += paths
    return _duplicates(groups.values())


def close_pairs(hashes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Pairs of distinct hashes at most NEAR_BITS bits apart, some more than once.

    Such a pair agrees wholly in at least one of NEAR_BITS + 1 parts of its bits, so only hashes that share a part are
    compared: far fewer than all pairs.
    """
    known = sorted(set(hashes))
    for low, high in _parts():
        shared = _grouped(((value >> low) & ((1 << (high - low)) - 1), value) for value in known)
        for candidates in shared.values():
            for first, second in combinations(candidates, 2):
                if (first ^ second).bit_count() <= NEAR_BITS:
                    yield first, second


def _parts() -> list[tuple[int, int]]:
    bounds = [i * HASH_BITS // (NEAR_BITS + 1) for i in range(NEAR_BITS + 2)]
    return list(pairwise(bounds))


def _leader(leaders: dict[int, int], value: int) -> int:
    while leaders[value] != value:
        leaders[value] = leaders[leaders[value]]
        value = leaders[value]
    return value


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    groups: defaultdict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _duplicates(groups: Iterable[Sequence[str]]) -> Duplicates:
    """Groups of two or more, the largest first, then by name."""
    several = sorted((sorted(group) for group in groups if len(group) > 1), key=lambda group: (-len(group), group))
    surplus = sum(len(group) - 1 for group in several)
    listed = tuple(Named(len(group), tuple(group[:LISTED_NAMES])) for group in several[:LISTED_GROUPS])
    return Duplicates(len(several), surplus, listed)


# A line an image while a scan goes on, and in the end the DatasetReport of them all.


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
