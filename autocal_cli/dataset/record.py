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
    sightings: tuple[Sighting, ...] = ()
    crops: TrainingCrops | None = None
