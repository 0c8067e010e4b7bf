"""DatasetFingerprint: what was measured of a folder of training images, and how sure it is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

METRIC_VERSION = 2  # of what the metrics mean: another one makes scores others
METRIC_NAMES = ("texture_variance", "edge_density", "color_variation")
NEUTRAL_SCORE = 0.5  # an ordinary photograph, by construction of the reference quantiles


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """One metric over the images that were read. Scores are percentiles 0..1 of the reference photographs.

    `score` is the mean over images, `ci95` its 95% interval as an estimate for the whole folder (of zero width when
    every file was read); `p5`, `median`, `p95` are quantiles over images; `raw_mean` is in the metric's own unit.
    """

    score: float
    ci95: tuple[float, float]
    p5: float
    median: float
    p95: float
    raw_mean: float


@dataclass(frozen=True, slots=True)
class FileIssue:
    """A file that was not measured, and why; `passing`: that says nothing about it, as a lack of rights. `code` is the
    reason of its verdict: one that could be read may be too large, or too small.
    """

    path: str
    reason: str
    passing: bool = False
    code: str = "unreadable"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the trainer takes otherwise than the scan: how many files have the trait, and the name of one."""

    trait: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class TrainingCrops:
    """So many random crops of `side` pixels, as a training reads them first."""

    count: int
    side: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A user's network by which images were scored: its path, and the SHA-256 of its bytes."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class DatasetFingerprint:
    """The measured complexity of a dataset.

    `found` counts image files; each is either `read`, failed (`failures`) or left out of the sample. `skipped` counts
    files that are no images, by reason. `identity` is a SHA-256 over the sorted (relative path, size, mtime) of the
    files found, `seconds` wall time. `crops` says how many crops of the images were measured, where that was not whole
    images. `model` is the user's own network that scored them too.
    """

    roots: tuple[str, ...]
    found: int
    read: int
    skipped: Mapping[str, int]
    failures: tuple[FileIssue, ...]
    metrics: Mapping[str, MetricSummary]
    overall_complexity: float
    overall_ci95: tuple[float, float]
    identity: str
    metric_version: int
    device: str
    seconds: float
    device_reason: str = ""  # why this device, where nobody named one
    sightings: tuple[Sighting, ...] = ()
    crops: TrainingCrops | None = None
    model: ModelFile | None = None


# What a report of a scan holds beside the fingerprint. None of it is stored in a resolved config.

OVERALL = "overall_complexity"
NATIVE = "native_sharpness"


@dataclass(frozen=True, slots=True)
class Traces:
    """What the detectors saw in an image at its native size. Thresholds and their sources: presets/curation.toml.

    `blocks`: levels by which steps across an 8 x 8 grid exceed those across any other, 0 without a grid. `detail`:
    energy of the finest detail relative to twice as coarse detail, in the sharpest tenth of the image: 1/16 where all
    is smooth, about 0.5 for sharp photographs, 1 for noise; None where nothing has contrast. `repeated`: share of rows
    and columns equal to the one before. `rhythm`: how far one period stands out in the second differences, about 1
    without interpolation, 0 where it was not looked for. `noise`: standard deviation in levels. `halos`: share of
    steep edges with a dark and a light rim. `laplacian`: variance of the Laplacian of 8-bit luma. `drawn`: too few
    levels or too many equal neighbours for a photograph. `jpeg_quality`: about that of the JPEG whose steps
    the low frequencies of its 8 x 8 blocks have, 1 to 92; None where they have none.
    """

    blocks: float = 0.0
    detail: float | None = None
    repeated: float = 0.0
    rhythm: float = 0.0
    noise: float = 0.0
    halos: float = 0.0
    laplacian: float = 0.0
    drawn: bool = False
    jpeg_quality: float | None = None


@dataclass(frozen=True, slots=True)
class PairTraces:
    """How the LQ image at the path `lq` lies on its GT image, which has none where that is empty; lengths in LQ pixels.

    `width`, `height`: of the LQ image, where it could be read. `scale`: how much larger GT really shows things, by
    sizes and drift; `fits`: whether its size is a whole scale times that of LQ. `across`, `down`: by how much LQ lies
    to the right and below; `drift`: how much that changes from one end of the image to the other. `agreement`:
    correlation of luma once laid on one another, -1..1; None where nothing could be laid on anything. `colour`:
    greatest difference of a channel in levels of 255. `kernel`: what LQ was plainly reduced by, else empty. `problem`:
    why the LQ image cannot be read, `passing` as of a `FileIssue`.
    """

    lq: str
    scale: float = 1.0
    fits: bool = True
    across: float = 0.0
    down: float = 0.0
    drift: float = 0.0
    agreement: float | None = None
    colour: float = 0.0
    kernel: str = ""
    problem: str = ""
    passing: bool = False
    width: int = 0
    height: int = 0


# Of PairTraces, in a table.
PAIR_NUMBERS = ("width", "height", "scale", "across", "down", "drift", "agreement", "colour", "kernel")

# By these autocal knows its own files: what every page names as its generator, and the first line of every table.
PAGE_GENERATOR = "autocal analyze-dataset"
CSV_COLUMNS = (
    *["path", "status", "reason"],  # status: read, or failed for that reason
    *["verdict", "reasons", "drop_reasons", "width", "height"],
    *(f"{name}_raw" for name in METRIC_NAMES),
    *METRIC_NAMES,
    *(OVERALL, NATIVE, "grey", "alpha", "deviation", "entropy"),
    *(field.name for field in fields(Traces)),
    *["perceptual_hash", "sha256", "model", "red", "green", "blue", "lq"],
    *(f"lq_{name}" for name in PAIR_NUMBERS),
)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the worker that decoded an image noted of it.

    `sha256` is of the file's bytes, hexadecimal. `grey`: equal channels. `alpha`: something is transparent.
    `deviation` is the standard deviation of luma, 0..0.5, `entropy` that of its histogram in bits, 0..8.
    `perceptual_hash` has 64 bits. `native_sharpness` is a share of pixels, 0..1. `mean` is that of red, green and blue
    in levels of 255. `model`: what the user's own network says. `pair` is there where LQ images are. `loss`: pixels a
    byte of a file of lossy compression, 0 of any other.
    """

    path: str
    sha256: str
    grey: bool
    alpha: bool
    deviation: float
    entropy: float
    perceptual_hash: int
    native_sharpness: float
    traces: Traces
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    model: float | None = None
    pair: PairTraces | None = None
    loss: float = 0.0


_KEPT = ImageFacts, Traces, PairTraces  # which a record may hold


def values_of(record: Any) -> tuple[Any, ...]:
    """The values of a record, records in it alike: how many images are held in memory, and kept."""
    values = (getattr(record, name) for name in record.__slots__)
    return tuple(values_of(value) if isinstance(value, _KEPT) else value for value in values)


def facts_of(values: Sequence[Any]) -> ImageFacts:
    """The facts of which these are the values."""
    *seen, traces, mean, model, pair, loss = values
    records: list[Any] = [Traces(*traces), tuple(mean), model, pair and PairTraces(*pair), loss]
    return ImageFacts(*seen, *records)


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image that was read: its facts, upright native size, raw metrics and scores 0..1 in order of METRIC_NAMES."""

    facts: ImageFacts
    width: int
    height: int
    raw: tuple[float, ...]
    scores: tuple[float, ...]
    overall: float


@dataclass(frozen=True, slots=True)
class NativeSharpness:
    """The share of edge pixels, 0..1, in crops of `crop` pixels a side at native size, over the images read.

    `ci95` is the 95% interval of the mean as an estimate for the whole folder. `histogram` counts images over 20 equal
    steps of 0..0.5, the last holding what is above.
    """

    crop: int
    mean: float
    ci95: tuple[float, float]
    p5: float
    median: float
    p95: float
    histogram: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Extreme:
    """One of the lowest or highest images of a metric, with a picture of it as JPEG, long side at most 128."""

    path: str
    raw: float
    score: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Extremes:
    """The lowest images of a metric, lowest first, and the highest, highest first."""

    lowest: tuple[Extreme, ...]
    highest: tuple[Extreme, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """Images that something is true of: all their names, in alphabetical order."""

    paths: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.paths)


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of images that are the same, the largest first: `surplus` counts all but one of each group."""

    groups: tuple[Named, ...]

    @property
    def surplus(self) -> int:
        return sum(group.count - 1 for group in self.groups)


@dataclass(frozen=True, slots=True)
class SizedImage:
    """An image by its pixels: name, upright width and height."""

    path: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Health:
    """Sizes of the images that were read, by number of pixels, and groups of them that are the same.

    `near_duplicates` leaves out flat images and copies to the byte; flipped and turned ones count as the same.
    """

    images: int
    smallest: SizedImage
    median: SizedImage
    largest: SizedImage
    crop: int | None
    exact_duplicates: Duplicates
    near_duplicates: Duplicates


@dataclass(frozen=True, slots=True)
class Example:
    """An image that has a reason, `detail` its number or the image it equals, with a picture of it as JPEG."""

    path: str
    detail: str
    jpeg: bytes


Severity = Literal["look", "drop"]
OF = "of "  # how the detail of a duplicate begins, before the name of the image that is kept


@dataclass(frozen=True, slots=True)
class Rule:
    """When a measure is a reason: `below` or `above` the bounds for look and for drop; None where it never is.

    `photographs`: only where the picture was not drawn. `deviations`: only where it is that many robust standard
    deviations from the median of the set too. `source` says where the bounds come from, `told` how a value is told.
    `range`: from where to where a bound makes sense.
    """

    reason: str
    measure: str
    told: str
    when: Literal["below", "above"]
    source: str
    look: float | None = None
    drop: float | None = None
    photographs: bool = False
    deviations: float | None = None
    range: tuple[float, float] = (-math.inf, math.inf)

    def is_beyond(self, value: float, bound: float | None) -> bool:
        """Whether a value of the measure is one to look at, or to drop, by this bound of it."""
        return bound is not None and (value > bound if self.when == "above" else value < bound)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an image is to be looked at or dropped: `code`, and `detail` with the number or the name behind it."""

    code: str
    severity: Severity
    detail: str


@dataclass(frozen=True, slots=True)
class PairsSummary:
    """What most pairs of a root are like: medians over the pairs that could be laid on one another, `count` of them,
    but for those of another scale.

    `kernel` is the one that most of the images with a plain kernel have, `kernel_share` their share of all; else empty.
    """

    root: str
    count: int
    scale: float
    across: float
    down: float
    colour: float
    kernel: str
    kernel_share: float


@dataclass(frozen=True, slots=True)
class Variety:
    """How many `kinds` of images there are (see plan.py), as how many equally frequent ones they are as varied
    (`effective`), and the share of all images that the ten fullest kinds hold.
    """

    kinds: int
    effective: float
    fullest: float


@dataclass(frozen=True, slots=True)
class Curation:
    """The verdicts on all images that were read or failed: `reasons` by path of those that are not simply kept.

    `pairs` is of each root that has LQ images. `same`: by reason the places, among the images that were read, of those
    that are the same, the one that stays first.
    """

    images: int
    reasons: Mapping[str, tuple[Reason, ...]]
    rules: tuple[Rule, ...]
    pairs: tuple[PairsSummary, ...] = ()
    same: Mapping[str, list[list[int]]] = field(default_factory=dict)

    def verdict(self, path: str) -> Literal["keep", "look", "drop"]:
        found = self.reasons.get(path, ())
        return "drop" if any(reason.severity == "drop" for reason in found) else "look" if found else "keep"

    @property
    def totals(self) -> dict[str, int]:
        """How many images are to drop, to look at and to keep."""
        counts = Counter(map(self.verdict, self.reasons))
        return {"drop": counts["drop"], "look": counts["look"], "keep": self.images - len(self.reasons)}

    def named(self, verdict: str) -> tuple[str, ...]:
        """The images to look at, or to drop, in alphabetical order."""
        return tuple(sorted(path for path in self.reasons if self.verdict(path) == verdict))

    def by_reason(self) -> dict[str, dict[Severity, Named]]:
        """The images of each reason, apart by its severity; reasons in order of the images that they drop."""
        found: dict[str, dict[Severity, list[str]]] = {}
        for path in sorted(self.reasons):
            for reason in self.reasons[path]:
                found.setdefault(reason.code, {"drop": [], "look": []})[reason.severity].append(path)
        order = sorted(found, key=lambda code: (-len(found[code]["drop"]), -len(found[code]["look"]), code))
        return {code: {level: Named(tuple(paths)) for level, paths in found[code].items()} for code in order}


@dataclass(frozen=True, slots=True)
class ModelScores:
    """What the user's network says of the images that were read, in its own unit."""

    mean: float
    p5: float
    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """A fingerprint and what stands beside it. `rows` in alphabetical order.

    `histograms` (counts of images over 20 equal steps of the score, 0 to 1) and `extremes` by name of the metric,
    `overall_complexity` last; of the extremes `native_sharpness`, whose score is the share itself. Where crops were
    measured, histograms count those, and there is a row for each. `examples` by reason, where pictures were asked for.
    """

    fingerprint: DatasetFingerprint
    health: Health
    curation: Curation
    variety: Variety
    sharpness: NativeSharpness
    histograms: Mapping[str, tuple[int, ...]]
    extremes: Mapping[str, Extremes]
    rows: Sequence[ImageRow]
    examples: Mapping[str, tuple[Example, ...]] = field(default_factory=dict)
    model_scores: ModelScores | None = None
