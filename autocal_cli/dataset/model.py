"""DatasetFingerprint: what was measured of a folder of training images, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
    """A file that was not measured, and why."""

    path: str
    reason: str


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
class DatasetFingerprint:
    """The measured complexity of a dataset.

    `found` counts image files; each is either `read`, failed (`failures`) or left out of the sample. `skipped` counts
    files that are no images, by reason. `identity` is a SHA-256 over the sorted (relative path, size, mtime) of the
    files found, `metric_version` the version of the metrics' definition, `seconds` wall time. `sightings` are of all
    files that were listed, and of the images that were read. `crops` says how many crops of those images were measured,
    where that was not whole images.
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


# What a report of a scan holds beside the fingerprint. None of it is stored in a resolved config.


OVERALL = "overall_complexity"
NATIVE = "native_sharpness"

# By these autocal knows its own files: what every page names as its generator, and the first line of every table.
PAGE_GENERATOR = "autocal analyze-dataset"
CSV_COLUMNS = (
    "path",
    "status",  # read or failed
    "reason",
    "width",
    "height",
    *(f"{name}_raw" for name in METRIC_NAMES),
    *METRIC_NAMES,
    OVERALL,
    NATIVE,
    "grey",
    "deviation",
    "blockiness",
    "perceptual_hash",
    "sha256",
)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the worker that decoded an image noted of it.

    `sha256` is of the file's bytes, hexadecimal. `grey`: equal channels. `deviation` is the standard
    deviation of luma, 0..0.5. `blockiness` is a ratio, 1 without a grid; None for images under 16 pixels a side.
    `perceptual_hash` has 64 bits; None without a hash library. `native_sharpness` is a share of pixels, 0..1.
    """

    path: str
    sha256: str
    grey: bool
    deviation: float
    blockiness: float | None
    perceptual_hash: int | None
    native_sharpness: float


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
    """How many images something is true of, and the first of their names in alphabetical order."""

    count: int
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of images that are the same: `surplus` counts all but one of each group. The largest are listed."""

    groups: int
    surplus: int
    listed: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class SizedImage:
    """An image by its pixels: name, upright width and height."""

    path: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Health:
    """What may be wrong with the images that were read.

    `smallest`, `median`, `largest` by number of pixels. `below_crop`: a side under `crop`, both None without a crop.
    `blockiness_median` and `blocky` count the `blockiness_known` images alone. `near_duplicates` leaves out flat
    images and copies to the byte; None where no hash library is installed.
    """

    images: int
    smallest: SizedImage
    median: SizedImage
    largest: SizedImage
    crop: int | None
    below_crop: Named | None
    grey: Named
    flat: Named
    blocky: Named
    blockiness_known: int
    blockiness_median: float | None
    exact_duplicates: Duplicates
    near_duplicates: Duplicates | None


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """A fingerprint and what stands beside it. `rows` in alphabetical order.

    `histograms` (counts of images over 20 equal steps of the score, 0 to 1) and `extremes` by name of the metric,
    `overall_complexity` last; of the extremes `native_sharpness`, whose score is the share itself. Where crops were
    measured, histograms count those, and there is a row for each.
    """

    fingerprint: DatasetFingerprint
    health: Health
    sharpness: NativeSharpness
    histograms: Mapping[str, tuple[int, ...]]
    extremes: Mapping[str, Extremes]
    rows: tuple[ImageRow, ...]
