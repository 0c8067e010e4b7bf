"""What a scan notes of every image while it goes on, which of them are the same, and the DatasetReport in the end."""

from __future__ import annotations

import io
import marshal
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from autocal_cli.dataset.curation import Policy, choose, judge, kinds_of, load_policy, variety_of
from autocal_cli.dataset.decode import WorkingImage, read_image, read_rgb
from autocal_cli.dataset.facts import HASH_SIDE, NATIVE_CROP, summarise_sharpness
from autocal_cli.dataset.model import (
    METRIC_NAMES,
    NATIVE,
    OF,
    OVERALL,
    Curation,
    DatasetFingerprint,
    DatasetReport,
    Duplicates,
    Example,
    Extreme,
    Extremes,
    FileIssue,
    Health,
    ImageRow,
    ModelScores,
    Named,
    SizedImage,
    facts_of,
    values_of,
)
from autocal_cli.dataset.sampling import Values, with_overall


class RowTable(Sequence[ImageRow]):
    """Rows in the order in which they were added, or that of their paths once sorted. `rows[i]` makes the record.

    Packed, they take about 350 bytes an image, so that a million of them fit in memory.
    """

    def __init__(self) -> None:
        self._packed = bytearray()
        self._ends = array("Q")
        self._order: Sequence[int] = ()

    def add(self, row: ImageRow) -> None:
        self._packed += marshal.dumps(values_of(row))
        self._ends.append(len(self._packed))
        self._order = range(len(self._ends))

    def sort(self) -> None:
        """Puts the rows in alphabetical order of their paths; crops of one image stay in the order of their draws."""
        self._order = array("Q", sorted(range(len(self._ends)), key=lambda i: self._row(i).facts.path))

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> ImageRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ImageRow]: ...
    def __getitem__(self, index: int | slice) -> ImageRow | Sequence[ImageRow]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._row(self._order[index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowTable) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _row(self, i: int) -> ImageRow:
        facts, *row = marshal.loads(self._packed[self._ends[i - 1] if i else 0 : self._ends[i]])
        return ImageRow(facts_of(facts), *row)


BINS = 20  # of a histogram of scores, 0..1
EXTREMES = 5  # lowest and highest images of each metric
COLUMNS = (*METRIC_NAMES, OVERALL)
RANKED = (*COLUMNS, NATIVE)


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
        self._rows = RowTable()
        self._lowest: dict[str, list[_Candidate]] = {name: [] for name in RANKED}
        self._highest: dict[str, list[_Candidate]] = {name: [] for name in RANKED}

    def take(self, images: Sequence[WorkingImage], raw: Values, scores: Values) -> None:
        """Notes images with their raw metrics and scores, both (n, 3)."""
        found: defaultdict[str, list[_Candidate]] = defaultdict(list)
        for image, own, columns in zip(images, raw.tolist(), with_overall(scores).tolist(), strict=True):
            facts = image.facts
            assert facts is not None  # a scan with `on_measured` gathers them
            *metrics, overall = columns
            self._rows.add(ImageRow(facts, image.width, image.height, tuple(own), tuple(metrics), overall))
            # The overall complexity has no unit of its own, and the native sharpness is no percentile.
            values, ranks = (*own, overall, facts.native_sharpness), (*columns, facts.native_sharpness)
            for name, value, score in zip(RANKED, values, ranks, strict=True):
                found[name].append(_Candidate(facts.path, value, score, image))
        for name, several in found.items():  # one that is there with the same value, by another crop, stays once
            lowest = {(one.raw, one.path): one for one in (*several, *self._lowest[name])}
            highest = {(-one.raw, one.path): one for one in (*several, *self._highest[name])}
            self._lowest[name] = [lowest[key] for key in sorted(lowest)[:EXTREMES]]
            self._highest[name] = [highest[key] for key in sorted(highest)[:EXTREMES]]

    def report(
        self,
        fingerprint: DatasetFingerprint,
        crop: int | None = None,
        native_crop: int = NATIVE_CROP,
        policy: Policy | None = None,
        pictures: bool = False,
        most: int | None = None,
    ) -> DatasetReport:
        """What was noted, beside the fingerprint of the same scan; the training's crop, and that of the sharpness.

        `most` images are kept where it is given.
        """
        rows = images = self._rows
        rows.sort()
        if fingerprint.crops:  # of several crops of an image, the last drawn
            images = RowTable()
            for row in {row.facts.path: row for row in rows}.values():
                images.add(row)
        health = assess(images, crop)
        same = {"duplicate": health.exact_duplicates, "near-duplicate": health.near_duplicates}
        curation = judge(images, fingerprint.failures, same, crop, policy or load_policy())
        if most is not None:
            curation = choose(curation, images, most)
        histograms = {name: [0] * BINS for name in COLUMNS}
        for row in rows:
            for counts, score in zip(histograms.values(), (*row.scores, row.overall), strict=True):
                counts[min(int(score * BINS), BINS - 1)] += 1
        model_scores = None
        if fingerprint.model:
            values = np.array([row.facts.model for row in images], dtype=np.float64)
            model_scores = ModelScores(float(values.mean()), *np.quantile(values, (0.05, 0.5, 0.95)).tolist())
        population = fingerprint.found - len(fingerprint.failures)
        return DatasetReport(
            fingerprint=fingerprint,
            health=health,
            curation=curation,
            variety=variety_of(kinds_of(images)),
            sharpness=summarise_sharpness([row.facts.native_sharpness for row in images], population, native_crop),
            histograms={name: tuple(counts) for name, counts in histograms.items()},
            extremes={name: Extremes(_pictured(self._lowest[name]), _pictured(self._highest[name])) for name in RANKED},
            rows=rows,
            examples=examples(curation, images) if pictures else {},
            model_scores=model_scores,
        )


# Which images are the same: copies to the byte by content hash, and what looks alike by perceptual hash.
#
# Near copies are searched by an index (Norouzi, Punjani and Fleet 2012, "Fast search in Hamming space with multi-index
# hashing"): no image is compared with all others.


FLAT_DEVIATION = 0.02  # of luma: under it an image shows next to nothing, and its perceptual hash says nothing either
# Bits of 64 in which the hashes of one picture may differ. Of 258 photographs (BSDS500 and Kodak) those halved, or as
# JPEG of quality 10 to 90, stay within 4 bits of themselves, 99% of those cropped to 98% and 78% of those cropped to
# 95% within 6; different ones are at least 15 apart.
NEAR_BITS = 6
PARTS = 8  # bytes of a hash, of which PARTS - NEAR_BITS are equal at least where NEAR_BITS bits differ at most
KEY_BITS = 16  # of two bytes
FEW = 1_000  # hashes that are all compared, which takes no longer than an index
MOST_ALIKE = 1_000  # candidates of a hash with the same parts: what a folder of frames of one video may hold
POSITIONS = (0, 1, 2, 3, 4, 5, 7)  # as `turned` numbers them; 6 turns the other way than 5, which finds the same pairs

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


def assess(rows: Sequence[ImageRow], crop: int | None = None) -> Health:
    """The health of one image or more, in alphabetical order.

    Of copies to the byte the first alone is among those that look alike, and none that is flat.
    """
    sizes, hashes, shown = [], array("Q"), []
    first: dict[bytes, int] = {}
    copies: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        facts = row.facts
        sizes.append((row.width * row.height, row.width, row.height, facts.path))
        if (known := first.setdefault(bytes.fromhex(facts.sha256), place)) != place:
            copies.setdefault(known, [known]).append(place)
        elif facts.deviation >= FLAT_DEVIATION:
            hashes.append(facts.perceptual_hash)
            shown.append(place)
    near = [[shown[i] for i in group] for group in near_groups(np.asarray(hashes, dtype=np.uint64))]
    exact, alike = (
        duplicates([sizes[place][3] for place in group] for group in found) for found in (copies.values(), near)
    )
    sizes.sort()
    middle = (len(sizes) - 1) // 2
    smallest, median, largest = (SizedImage(sizes[i][3], *sizes[i][1:3]) for i in (0, middle, -1))
    return Health(len(rows), smallest, median, largest, crop, exact, alike)


def duplicates(groups: Iterable[Sequence[str]]) -> Duplicates:
    """Groups by name, the largest first, then in alphabetical order."""
    named = sorted((sorted(group) for group in groups), key=lambda group: (-len(group), group))
    return Duplicates(tuple(Named(tuple(group)) for group in named))


def near_groups(hashes: Hashes) -> list[list[int]]:
    """The places of images that look alike, flipped and turned ones too: linked where hashes, in one of the eight
    positions of the picture, differ in at most NEAR_BITS bits; in groups of what hangs together.
    """
    distinct, where = np.unique(hashes, return_inverse=True)
    leaders = list(range(len(distinct)))

    def leader(place: int) -> int:
        while leaders[place] != place:
            leaders[place] = leaders[leaders[place]]
            place = leaders[place]
        return place

    for first, second in close_pairs(distinct):
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            leaders[leader(other)] = leader(one)
    roots = np.array([leader(place) for place in range(len(distinct))], dtype=np.intp)[where]
    order = np.argsort(roots, kind="stable")
    bounds = np.flatnonzero(np.diff(roots[order])) + 1
    return [group.tolist() for group in np.split(order, bounds) if len(group) > 1]


def close_pairs(distinct: Hashes) -> Iterator[tuple[Places, ...]]:
    """Places of pairs of hashes (n,), all different, that are close in one of the eight positions; some pairs again."""
    for position in POSITIONS:
        others = turned(distinct, position)
        if len(distinct) <= FEW:
            yield np.nonzero(np.bitwise_count(others[:, None] ^ distinct) <= NEAR_BITS)
            continue
        for key, other_key in zip(_keys(distinct), _keys(others), strict=True):
            order = np.argsort(key.astype(np.uint16), kind="stable")  # by radix
            bounds = np.concatenate([[0], np.bincount(key, minlength=2**KEY_BITS).cumsum()])
            # Upright, a hash is compared with those behind it in the order alone, which gives each pair once.
            rows = order if position == 0 else np.arange(len(distinct))
            at = np.arange(1, len(distinct) + 1) if position == 0 else bounds[other_key]
            ends = bounds[other_key[rows] + 1]
            for _ in range(MOST_ALIKE):
                more = at < ends
                rows, at, ends = rows[more], at[more], ends[more]
                if not len(rows):
                    break
                candidates = order[at]
                near = np.bitwise_count(others[rows] ^ distinct[candidates]) <= NEAR_BITS
                yield rows[near], candidates[near]
                at = at + 1


def _keys(hashes: Hashes) -> Iterator[npt.NDArray[np.int64]]:
    """Every choice of two of the eight bytes, as one number: close hashes agree in at least one."""
    parts = [(hashes >> np.uint64(8 * part) & np.uint64(255)).astype(np.int64) for part in range(PARTS)]
    for one, other in combinations(parts, PARTS - NEAR_BITS):
        yield one << 8 | other


def turned(hashes: Hashes, position: int) -> Hashes:
    """The hashes of the pictures in one of eight positions: bit 1 flips left to right, 2 top to bottom, 4 transposes.

    Flipping negates the coefficients of odd frequencies along that axis; transposing exchanges the axes.
    """
    places = np.arange(HASH_SIDE * HASH_SIDE, dtype=np.uint64).reshape(HASH_SIDE, HASH_SIDE)
    one = np.uint64(1)
    if position & 1:
        hashes = hashes ^ (one << places[:, 1::2]).sum()
    if position & 2:
        hashes = hashes ^ (one << places[1::2]).sum()
    if not position & 4:
        return hashes
    result = np.zeros_like(hashes)
    for bit, place in zip(places.ravel(), places.T.ravel(), strict=True):
        result |= (hashes >> bit & one) << place
    return result


# Pictures of extremes and of what each reason means: at native size where it is in the pixels, else small.

EXAMPLES = 6  # of each reason
EXAMPLE_SIZE = (176, 132)  # pixels of a cut at native size
EXAMPLE_QUALITY = 88  # of its JPEG, so that it shows no blocks of its own
JPEG_QUALITY = 75
IN_THE_PIXELS = frozenset({"jpeg-blocks", "enlarged", "blurred", "noise", "halos"})


def _pictured(candidates: Sequence[_Candidate]) -> tuple[Extreme, ...]:
    """With small pictures; one that came from the cache is read for it, and grey where it cannot be any more."""
    found = []
    for one in candidates:
        try:
            picture = Image.fromarray(one.image.thumbnail) if one.image.thumbnail.size else _small(one.path)
        except ValueError:
            picture = Image.new("RGB", (8, 8), (128, 128, 128))
        found.append(Extreme(one.path, one.raw, one.score, _jpeg(picture)))
    return tuple(found)


def examples(curation: Curation, rows: Iterable[ImageRow]) -> dict[str, tuple[Example, ...]]:
    """The first few images of each reason, those to drop first, that can be read again; pairs with their LQ image."""
    judged = (row.facts for row in rows if row.facts.path in curation.reasons)
    lq = {facts.path: facts.pair.lq for facts in judged if facts.pair}
    found = {}
    for code, levels in curation.by_reason().items():
        paths = (levels["drop"].paths + levels["look"].paths)[:EXAMPLES]
        several = [_example(path, code, curation, lq.get(path)) for path in paths]
        found[code] = tuple(one for one in several if one is not None)
    return found


def _example(path: str, code: str, curation: Curation, lq: str | None) -> Example | None:
    detail = next(reason.detail for reason in curation.reasons[path] if reason.code == code)
    beside = detail.removeprefix(OF) if detail.startswith(OF) else lq if code.startswith("pair-") else None
    try:
        picture = _cut(path) if code in IN_THE_PIXELS else _small(path)
        if beside:
            alone, other = picture, _small(beside)
            picture = Image.new("RGB", (alone.width + other.width + 4, max(alone.height, other.height)), "white")
            picture.paste(alone, (0, 0))
            picture.paste(other, (alone.width + 4, 0))
    except Exception:  # an unreadable image has no picture, whatever is wrong with it
        return None
    return Example(path, detail, _jpeg(picture, EXAMPLE_QUALITY if code in IN_THE_PIXELS else JPEG_QUALITY))


def _cut(path: str) -> Image.Image:
    """The middle of it, at native size."""
    image = read_rgb(Path(path))
    width, height = (min(most, side) for most, side in zip(EXAMPLE_SIZE, image.size, strict=True))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _small(path: str) -> Image.Image:
    image = read_image(Path(path))
    if isinstance(image, FileIssue):
        raise ValueError(image.reason)
    return Image.fromarray(image.thumbnail)


def _jpeg(image: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
