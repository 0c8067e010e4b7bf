"""What a scan notes of every image while it goes on, and the DatasetReport in the end."""

from __future__ import annotations

import io
import marshal
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from pathlib import Path
from tempfile import SpooledTemporaryFile, gettempdir
from typing import Any, overload

import numpy as np
from PIL import Image

from autocal_cli.dataset.curation import Policy, judge, load_policy
from autocal_cli.dataset.decode import WorkingImage, read_image, read_rgb
from autocal_cli.dataset.duplicates import Groups, same_images
from autocal_cli.dataset.facts import NATIVE_CROP, summarise_sharpness
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
from autocal_cli.dataset.plan import choose, kind_of, variety_of
from autocal_cli.dataset.sampling import Values, with_overall
from autocal_cli.errors import AutocalError

IN_MEMORY = 32 * 2**20  # bytes of rows, some 90,000 of them
SORTED_AT_ONCE = 50_000  # rows


class RowTable(Sequence[ImageRow]):
    """Rows in the order in which they were added, or that of their paths once sorted. `rows[i]` makes the record.

    Of an image stay 16 bytes in memory; a million take some 350 MB of the disk until the table is gone.
    """

    def __init__(self) -> None:
        self._packed = SpooledTemporaryFile(IN_MEMORY, prefix="autocal.")  # noqa: SIM115 (closed with the table)
        self._ends = array("Q", [0])
        self._order: Sequence[int] = ()

    def add(self, row: ImageRow) -> None:
        packed = marshal.dumps(values_of(row))
        try:
            self._packed.seek(self._ends[-1])
            self._packed.write(packed)
            self._packed.flush()
        except OSError as error:
            with suppress(OSError):  # what could not be written is not tried again at the end
                self._packed.close()
            message = f"No room for the rows of the scan in the temporary folder {gettempdir()}: {error.strerror}."
            raise AutocalError(message, fix="Free some there, or name another by TMPDIR.") from error
        self._ends.append(self._ends[-1] + len(packed))
        self._order = range(len(self._ends) - 1)

    def sort(self) -> None:
        """Puts the rows in alphabetical order of their paths; crops of one image stay in the order of their draws.

        Sorted in blocks and merged, so that only the paths of a block are in memory.
        """
        places = range(len(self._ends) - 1)
        blocks = [
            array("Q", (place for _, place in sorted(map(self._named, places[start : start + SORTED_AT_ONCE]))))
            for start in places[::SORTED_AT_ONCE]
        ]
        merged = merge(*(map(self._named, block) for block in blocks))
        self._order = array("Q", (place for _, place in merged))

    def _named(self, place: int) -> tuple[str, int]:
        return self._unpacked(place)[0][0], place  # the path is the first of the facts

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
        facts, *row = self._unpacked(i)
        return ImageRow(facts_of(facts), *row)

    def _unpacked(self, i: int) -> Any:
        start, end = self._ends[i], self._ends[i + 1]
        self._packed.seek(start)
        return marshal.loads(self._packed.read(end - start))


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
        self._bars = np.zeros((len(COLUMNS), BINS), dtype=np.int64)
        self._lowest: dict[str, list[_Candidate]] = {name: [] for name in RANKED}
        self._highest: dict[str, list[_Candidate]] = {name: [] for name in RANKED}

    def take(self, images: Sequence[WorkingImage], raw: Values, scores: Values) -> None:
        """Notes images with their raw metrics and scores, both (n, 3)."""
        known = [image.facts for image in images if image.facts]  # of all: a scan with `on_measured` gathers them
        columns = with_overall(scores)
        for facts, image, own, (*metrics, overall) in zip(known, images, raw.tolist(), columns.tolist(), strict=True):
            self._rows.add(ImageRow(facts, image.width, image.height, tuple(own), tuple(metrics), overall))
        for bars, column in zip(self._bars, columns.T, strict=True):
            bars += np.bincount(np.minimum((column * BINS).astype(int), BINS - 1), minlength=BINS)
        # The overall complexity has no unit of its own, and the native sharpness is no percentile.
        sharpness = np.array([facts.native_sharpness for facts in known])
        values, ranks = (np.column_stack([*both, sharpness]) for both in ((raw, columns[:, -1]), (columns,)))
        for name, value, rank in zip(RANKED, values.T, ranks.T, strict=True):
            for ends, sign in ((self._lowest, 1.0), (self._highest, -1.0)):
                signed = sign * value
                near = np.flatnonzero(signed <= np.sort(signed)[:EXTREMES][-1]).tolist()
                several = [_Candidate(known[i].path, float(value[i]), float(rank[i]), images[i]) for i in near]
                # One that is there with the same value, by another crop, stays once.
                by_place = {(sign * one.raw, one.path): one for one in (*several, *ends[name])}
                ends[name] = [by_place[key] for key in sorted(by_place)[:EXTREMES]]

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
            for _, (*_, last) in groupby(rows, lambda row: row.facts.path):
                images.add(last)
        same = same_images(images)
        curation = judge(images, fingerprint.failures, same, crop, policy or load_policy(), fingerprint.roots)
        if most is not None:
            curation = choose(curation, images, most)
        sharpness = ((row.facts.native_sharpness, row.facts.model, kind_of(row)) for row in images)
        numbers = np.fromiter(sharpness, dtype="f8, f8, i8", count=len(images))
        model_scores = None
        if fingerprint.model:
            values = numbers["f1"]
            model_scores = ModelScores(float(values.mean()), *np.quantile(values, (0.05, 0.5, 0.95)).tolist())
        population = fingerprint.found - len(fingerprint.failures)
        return DatasetReport(
            fingerprint=fingerprint,
            health=assess(images, curation.same, crop),
            curation=curation,
            variety=variety_of(numbers["f2"]),
            sharpness=summarise_sharpness(numbers["f0"], population, native_crop),
            histograms=dict(zip(COLUMNS, map(tuple, self._bars.tolist()), strict=True)),
            extremes={name: Extremes(_pictured(self._lowest[name]), _pictured(self._highest[name])) for name in RANKED},
            rows=rows,
            examples=examples(curation, images) if pictures else {},
            model_scores=model_scores,
        )


def assess(rows: Sequence[ImageRow], same: Mapping[str, Groups], crop: int | None = None) -> Health:
    """The health of one image or more, in alphabetical order, and of those that are the same."""
    sizes = np.fromiter(((row.width, row.height) for row in rows), dtype=(np.int64, 2), count=len(rows))
    order = np.lexsort((*sizes.T[::-1], sizes.prod(axis=1)))
    ends = (order[i] for i in (0, (len(rows) - 1) // 2, -1))
    smallest, median, largest = (SizedImage(rows[i].facts.path, *sizes[i].tolist()) for i in ends)
    exact, near = (duplicates(rows, same[code]) for code in ("duplicate", "near-duplicate"))
    return Health(len(rows), smallest, median, largest, crop, exact, near)


def duplicates(rows: Sequence[ImageRow], groups: Groups) -> Duplicates:
    """Groups by name, the largest first, then in alphabetical order."""
    named = (Named(tuple(rows[place].facts.path for place in places)) for places in groups)
    return Duplicates(tuple(sorted(named, key=lambda group: (-group.count, group.paths))))


# Pictures of extremes and of what each reason means: at native size where it is in the pixels, else small.

EXAMPLES = 12  # of each reason
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
