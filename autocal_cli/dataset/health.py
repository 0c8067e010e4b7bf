"""What a scan notes of every image while it goes on, and the DatasetReport of them all in the end."""

from __future__ import annotations

import io
import json
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from autocal_cli.dataset.curation import Groups, Policy, judge, load_policy
from autocal_cli.dataset.decode import WorkingImage, read_image, read_rgb
from autocal_cli.dataset.duplicates import duplicates, exact_groups, near_groups
from autocal_cli.dataset.facts import NATIVE_CROP, summarise_sharpness
from autocal_cli.dataset.metrics import Pixels
from autocal_cli.dataset.model import (
    METRIC_NAMES,
    NATIVE,
    OF,
    OVERALL,
    Curation,
    DatasetFingerprint,
    DatasetReport,
    Example,
    Extreme,
    Extremes,
    FileIssue,
    Health,
    ImageFacts,
    ImageRow,
    ModelScores,
    PairTraces,
    SizedImage,
    Traces,
)
from autocal_cli.dataset.sampling import Values, with_overall
from autocal_cli.dataset.variety import choose, kinds_of, variety_of

# The rows of a scan, packed: about 300 bytes an image, so that a million of them fit in memory.


_METRICS = len(METRIC_NAMES)
_TRACES = ("blocks", "repeated", "rhythm", "noise", "halos", "laplacian")
_NUMBERS = 2 + 2 * _METRICS + 4 + 1 + 4 + len(_TRACES) + 1  # of a row, in the order in which `add` writes them
_GREY, _ALPHA, _DRAWN = 1, 2, 4


class RowTable(Sequence[ImageRow]):
    """Rows in the order in which they were added, or that of their paths once `sorted`. `rows[i]` makes the record."""

    def __init__(self) -> None:
        self._paths = bytearray()
        self._ends = array("Q")
        self._digests = bytearray()
        self._hashes = array("Q")
        self._numbers = array("d")
        self._pairs: dict[int, bytes] = {}
        self._order: Sequence[int] = ()

    def add(self, row: ImageRow) -> None:
        facts, traces = row.facts, row.facts.traces
        self._paths += facts.path.encode("utf-8")
        self._ends.append(len(self._paths))
        self._digests += bytes.fromhex(facts.sha256)
        self._hashes.append(facts.perceptual_hash)
        flags = _GREY * facts.grey + _ALPHA * facts.alpha + _DRAWN * traces.drawn
        detail = float("nan") if traces.detail is None else traces.detail
        self._numbers.extend((row.width, row.height, *row.raw, *row.scores, row.overall))
        self._numbers.extend((facts.native_sharpness, facts.deviation, facts.entropy, detail, *facts.mean))
        self._numbers.append(float("nan") if facts.model is None else facts.model)
        self._numbers.extend(getattr(traces, name) for name in _TRACES)
        self._numbers.append(flags)
        if facts.pair:
            self._pairs[len(self._ends) - 1] = json.dumps(astuple(facts.pair)).encode()
        self._order = range(len(self._ends))

    def sort(self) -> None:
        """Puts the rows in alphabetical order of their paths; crops of one image stay in the order of their draws."""
        self._order = array("Q", sorted(range(len(self._ends)), key=self._path_bytes))

    def digests(self) -> list[bytes]:
        return [bytes(self._digests[32 * i : 32 * i + 32]) for i in self._order]

    def hashes(self) -> npt.NDArray[np.uint64]:
        return np.asarray(self._hashes, dtype=np.uint64)[np.asarray(self._order, dtype=np.intp)]

    def paths(self) -> Iterator[str]:
        return (self._path_bytes(i).decode("utf-8") for i in self._order)

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> ImageRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ImageRow]: ...
    def __getitem__(self, index: int | slice) -> ImageRow | Sequence[ImageRow]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = self._order[index]
        numbers = self._numbers[_NUMBERS * i : _NUMBERS * (i + 1)].tolist()
        width, height, *rest = numbers
        raw, scores = tuple(rest[:_METRICS]), tuple(rest[_METRICS : 2 * _METRICS])
        overall, sharpness, deviation, entropy, detail, red, green, blue, model, *traces, flags = rest[2 * _METRICS :]
        facts = ImageFacts(
            path=self._path_bytes(i).decode("utf-8"),
            sha256=self._digests[32 * i : 32 * i + 32].hex(),
            grey=bool(int(flags) & _GREY),
            alpha=bool(int(flags) & _ALPHA),
            deviation=deviation,
            entropy=entropy,
            perceptual_hash=self._hashes[i],
            native_sharpness=sharpness,
            traces=Traces(
                detail=None if detail != detail else detail,
                drawn=bool(int(flags) & _DRAWN),
                **dict(zip(_TRACES, traces, strict=True)),
            ),
            mean=(red, green, blue),
            model=None if model != model else model,
            pair=PairTraces(*json.loads(self._pairs[i])) if i in self._pairs else None,
        )
        return ImageRow(facts, int(width), int(height), raw, scores, overall)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowTable) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _path_bytes(self, i: int) -> bytes:
        return bytes(self._paths[self._ends[i - 1] if i else 0 : self._ends[i]])


FLAT_DEVIATION = 0.02  # of luma: under it an image shows next to nothing, and its perceptual hash says nothing either


def assess(rows: RowTable, crop: int | None = None) -> tuple[Health, Groups]:
    """The health of one image or more, in alphabetical order, and the groups of those that are the same."""
    sizes = sorted((row.width * row.height, row.width, row.height, row.facts.path) for row in rows)
    groups = same_images(rows)
    paths = list(rows.paths())
    exact, near = ([[paths[place] for place in group] for group in found] for found in (groups.exact, groups.near))
    health = Health(
        images=len(rows),
        smallest=SizedImage(sizes[0][3], *sizes[0][1:3]),
        median=SizedImage(sizes[(len(sizes) - 1) // 2][3], *sizes[(len(sizes) - 1) // 2][1:3]),
        largest=SizedImage(sizes[-1][3], *sizes[-1][1:3]),
        crop=crop,
        exact_duplicates=duplicates(exact),
        near_duplicates=duplicates(near),
    )
    return health, groups


def same_images(rows: RowTable) -> Groups:
    """Copies to the byte, and images that look alike: of such copies the first alone, and none that is flat."""
    digests = rows.digests()
    first: dict[bytes, int] = {}
    for place, digest in enumerate(digests):
        first.setdefault(digest, place)
    shown = [place for place in first.values() if rows[place].facts.deviation >= FLAT_DEVIATION]
    near = near_groups(rows.hashes()[np.asarray(shown, dtype=np.intp)])
    return Groups(exact_groups(digests), [[shown[i] for i in group] for group in near])


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
        self._rows = RowTable()
        self._lowest: dict[str, list[_Candidate]] = {name: [] for name in RANKED}
        self._highest: dict[str, list[_Candidate]] = {name: [] for name in RANKED}

    def take(self, images: Sequence[WorkingImage], raw: Values, scores: Values) -> None:
        """Notes images with their raw metrics and scores, both (n, 3)."""
        columns = with_overall(scores)
        for line in zip(images, raw, columns, strict=True):
            self._rows.add(_row(*line))
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
        rows = self._rows
        rows.sort()
        images = rows if fingerprint.crops is None else _one_each(rows)
        health, groups = assess(images, crop)
        population = fingerprint.found - len(fingerprint.failures)
        counts = np.zeros((len(COLUMNS), BINS), dtype=np.int64)
        for row in rows:
            for i in range(len(COLUMNS)):
                counts[i, _bin(_score(row, i))] += 1
        curation = judge(images, fingerprint.failures, groups, crop, policy or load_policy())
        if most is not None:
            curation = choose(curation, images, most)
        return DatasetReport(
            fingerprint=fingerprint,
            health=health,
            curation=curation,
            variety=variety_of(kinds_of(images)),
            sharpness=summarise_sharpness([row.facts.native_sharpness for row in images], population, native_crop),
            histograms={name: tuple(counts[i].tolist()) for i, name in enumerate(COLUMNS)},
            extremes={name: Extremes(_pictured(self._lowest[name]), _pictured(self._highest[name])) for name in RANKED},
            rows=rows,
            examples=examples(curation, _partners(images, curation)) if pictures else {},
            model_scores=_model_scores([row.facts.model for row in images]) if fingerprint.model else None,
        )


def _model_scores(scores: Sequence[float | None]) -> ModelScores:
    values = np.array(scores, dtype=np.float64)
    return ModelScores(float(values.mean()), *np.quantile(values, (0.05, 0.5, 0.95)).tolist())


def _one_each(rows: RowTable) -> RowTable:
    """Of several crops of an image, the last drawn."""
    last = {row.facts.path: row for row in rows}
    images = RowTable()
    for row in last.values():
        images.add(row)
    return images


def _bin(score: float) -> int:
    """Of 20 equal steps over 0..1, the last of which holds 1 too."""
    return min(int(score * BINS), BINS - 1)


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


# Pictures of what each reason means: at native size where it is in the pixels, small where it is in the whole.

EXAMPLES = 6  # of each reason
EXAMPLE_SIZE = (176, 132)  # pixels of a cut at native size
EXAMPLE_QUALITY = 88  # of its JPEG, so that it shows no blocks of its own
IN_THE_PIXELS = frozenset({"jpeg-blocks", "enlarged", "blurred", "noise", "halos"})


def _partners(rows: Sequence[ImageRow], curation: Curation) -> dict[str, str]:
    """The LQ image of each that has a reason."""
    judged = (row.facts for row in rows if row.facts.path in curation.reasons)
    return {facts.path: facts.pair.lq for facts in judged if facts.pair}


def examples(curation: Curation, lq: Mapping[str, str]) -> dict[str, tuple[Example, ...]]:
    """The first few images of each reason, those to drop first, that can be read again; pairs with their `lq` image."""
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
        picture = _cut_of(path) if code in IN_THE_PIXELS else _small(path)
        if beside:
            other = _small(beside)
            both = Image.new("RGB", (picture.width + other.width + 4, max(picture.height, other.height)), "white")
            both.paste(picture, (0, 0))
            both.paste(other, (picture.width + 4, 0))
            picture = both
    except Exception:  # an unreadable image has no picture, whatever is wrong with it
        return None
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=EXAMPLE_QUALITY if code in IN_THE_PIXELS else JPEG_QUALITY)
    return Example(path, detail, buffer.getvalue())


def _cut_of(path: str) -> Image.Image:
    image = read_rgb(Path(path))
    width, height = (min(most, side) for most, side in zip(EXAMPLE_SIZE, image.size, strict=True))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _small(path: str) -> Image.Image:
    image = read_image(Path(path))
    if isinstance(image, FileIssue):
        raise ValueError(image.reason)
    return Image.fromarray(image.thumbnail)
