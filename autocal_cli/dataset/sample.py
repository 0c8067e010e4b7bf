"""What a scan has read so far, and whether that is enough."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from autocal_cli.dataset.account import merged
from autocal_cli.dataset.decode import WorkingImage
from autocal_cli.dataset.listing import Listing
from autocal_cli.dataset.measure import measure
from autocal_cli.dataset.record import METRIC_NAMES, FileIssue, Sighting, TrainingCrops
from autocal_cli.dataset.reference import load_reference
from autocal_cli.dataset.sampling import CHECK_EVERY, Summary, Tally, Values, summarise

# Called with images as they were measured, in the order of the sample: raw metrics and scores, both (n, 3).
MeasuredCallback = Callable[[Sequence[WorkingImage], Values, Values], None]

_ENDLESS = sys.maxsize  # crops that a training could draw: no sample of them is the whole


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """Where a scan stands: files, or crops, `done` (`failed` among them) out of `found`, and how sure the means are.

    `half_width` is the widest of the 95% intervals, halved; None before the first images were measured. While the
    folders are `listing`, `found` still grows.
    """

    done: int
    failed: int
    found: int
    half_width: float | None
    listing: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """When to stop: every mean is known to +- `tolerance`, or so many `images` were read; or after all the `crops`."""

    tolerance: float | None
    images: int | None = None
    crops: TrainingCrops | None = None


class Sample:
    """The images, or crops, that were read so far, measured in blocks of CHECK_EVERY. `read` counts images."""

    def __init__(
        self, listing: Listing, goal: Goal, device: torch.device, batch_size: int, on_measured: MeasuredCallback | None
    ) -> None:
        self.failures = list(listing.failures)
        self.sightings: tuple[Sighting, ...] = ()
        self.crops = goal.crops if goal.crops and listing.files else None
        self.items = self.crops.count if self.crops else len(listing.files)
        self.read = 0
        self._listing, self._goal, self._reference = listing, goal, load_reference()
        self._device, self._batch_size, self._on_measured = device, batch_size, on_measured
        self._taken = 0
        self._drawn: set[str] = set()  # images behind crops, by name, which may be drawn again
        self._unmeasured: list[WorkingImage] = []
        self._raw: list[Values] = []
        self._tally = Tally.empty()

    @property
    def population(self) -> int:
        """How many the means stand for: all images that were found, less what failed; of crops there is no end."""
        return _ENDLESS if self.crops else self._listing.found - len(self.failures)

    def take(self, result: WorkingImage | FileIssue) -> None:
        self._taken += 1
        is_new = self._is_new(result.path)
        if isinstance(result, FileIssue):
            self.failures.extend([result] if is_new else [])
        else:
            self._unmeasured.append(result)
            self.read += is_new
            if result.traits and is_new:
                found = (Sighting(trait, 1, result.path) for trait in result.traits)
                self.sightings = merged((*self.sightings, *found))
        if self._at_check():
            self._measure()

    def is_enough(self) -> bool:
        tolerance = None if self.crops else self._goal.tolerance
        return self._is_full() or (
            tolerance is not None and self._at_check() and self._tally.is_enough(self.population, tolerance)
        )

    def progress(self) -> ScanProgress:
        half_width = float(self._tally.half_widths(self.population).max()) if self._tally.count else None
        if self.crops:
            return ScanProgress(self._taken, len(self.failures), self.items, half_width)
        done = self._taken + len(self._listing.failures)
        return ScanProgress(done, len(self.failures), self._listing.found, half_width)

    def summary(self) -> Summary | None:
        """What was read says of the whole; None where nothing could be."""
        raw = np.concatenate([np.empty((0, len(METRIC_NAMES))), *self._raw])
        return summarise(self._reference.score(raw), raw, self.population) if len(raw) else None

    def crops_read(self) -> TrainingCrops | None:
        return TrainingCrops(self._tally.count, self.crops.side) if self.crops else None

    def _is_new(self, path: str) -> bool:
        if not self.crops:
            return True
        is_new = path not in self._drawn
        self._drawn.add(path)
        return is_new

    def _measure(self) -> None:
        raw = measure(self._unmeasured, self._device, self._batch_size)
        scores = self._reference.score(raw)
        self._raw.append(raw)
        self._tally = self._tally.add(scores)
        if self._on_measured:
            self._on_measured(self._unmeasured, raw, scores)
        self._unmeasured.clear()

    def _at_check(self) -> bool:
        return self._taken % CHECK_EVERY == 0 or self._taken == self.items or self._is_full()

    def _is_full(self) -> bool:
        """Whether as many images were read as the goal allows."""
        most = self._goal.images
        return most is not None and not self.crops and self._tally.count + len(self._unmeasured) >= most
