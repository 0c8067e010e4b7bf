"""Folders of images -> DatasetFingerprint: list, sample, decode, measure, score, summarise."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from autocal_cli.dataset.account import merged
from autocal_cli.dataset.cached_reads import kept, open_cache, read_unknown, with_known
from autocal_cli.dataset.decode import MAX_PIXELS, WorkingImage
from autocal_cli.dataset.device import pick_device
from autocal_cli.dataset.device_blocks import measured as on_device
from autocal_cli.dataset.listing import Listing, list_images
from autocal_cli.dataset.lookahead import default_workers, look_ahead
from autocal_cli.dataset.measure import BATCH_SIZE, measure, read_measured
from autocal_cli.dataset.metrics import METRIC_VERSION
from autocal_cli.dataset.ranks import all_ranks
from autocal_cli.dataset.record import METRIC_NAMES, DatasetFingerprint, FileIssue, Sighting
from autocal_cli.dataset.reference import Reference, load_reference
from autocal_cli.dataset.sampling import CHECK_EVERY, Tally, Values, sample_order, summarise
from autocal_cli.dataset.source import printable
from autocal_cli.errors import AutocalError

TOLERANCE = 0.02

# Called with images as they were measured, in the order of the sample: raw metrics and scores, both (n, 3).
MeasuredCallback = Callable[[Sequence[WorkingImage], Values, Values], None]


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """Where a scan stands: files `done` (`failed` among them) out of `found`, and how sure the means are so far.

    `half_width` is the widest of the 95% intervals, halved; None before the first images were measured. While the
    folders are `listing`, `found` still grows.
    """

    done: int
    failed: int
    found: int
    half_width: float | None
    listing: bool = False


def scan(
    roots: Sequence[Path],
    *,
    names: Sequence[str] | None = None,
    device: str | None = None,
    seed: int = 0,
    tolerance: float | None = TOLERANCE,
    images: int | None = None,
    workers: int | None = None,
    batch_size: int = BATCH_SIZE,
    max_pixels: int = MAX_PIXELS,
    on_progress: Callable[[ScanProgress], None] | None = None,
    on_measured: MeasuredCallback | None = None,
    cache_folder: Path | None = None,
) -> DatasetFingerprint:
    """Measures images in random order until every mean is known to +- `tolerance` (None: all), and never more than
    `images` of them.

    The images are those under the roots, or with `names` those so named below them; the processes that torchrun
    started share them. The result, `seconds` aside, depends on files, seed, tolerance and `images` alone. `on_measured`
    gets each image that was read, with its facts. What was measured is kept in `cache_folder` and not read again; then
    an image comes without its pixels. A file that cannot be read becomes a failure in the record and stops nothing;
    nothing is ever written to the roots. Raises AutocalError when a root is missing or holds no image, when no image
    can be read, and for a device or cache that cannot be used.
    """
    started = time.perf_counter()
    computing, reference = pick_device(device), load_reference()
    listing = list_images(roots, names=names, on_count=on_progress and _listing_progress(on_progress))
    sample = _Sample(listing, reference, computing, batch_size, tolerance, images, on_measured)
    order = (listing.files[i] for i in sample_order(len(listing.files), seed))
    read = partial(read_measured, device=computing, max_pixels=max_pixels, facts=on_measured is not None)
    with (
        warnings.catch_warnings(),
        all_ranks() as ranks,
        open_cache(cache_folder, facts=on_measured is not None) as cache,
        look_ahead(
            read_unknown(read),
            with_known(ranks.share(order, CHECK_EVERY), cache, max_pixels),
            workers or default_workers(),
        ) as results,
        closing(kept(on_device(results, computing, batch_size), cache)) as reads,
    ):
        warnings.filterwarnings("ignore", module="PIL")
        for result in ranks.together(reads, len(listing.files), CHECK_EVERY):
            sample.take(result)
            if on_progress:
                on_progress(sample.progress())
            if sample.is_enough():
                break
    raw = sample.raw()
    if not len(raw):
        raise _nothing_readable(sample.failures)
    summary = summarise(reference.score(raw), raw, sample.readable)
    return DatasetFingerprint(
        roots=tuple(printable(root) for root in roots),
        found=listing.found,
        read=len(raw),
        skipped=listing.skipped,
        failures=tuple(sorted(sample.failures, key=lambda issue: issue.path)),
        metrics=summary.metrics,
        overall_complexity=summary.overall_complexity,
        overall_ci95=summary.overall_ci95,
        identity=listing.identity,
        metric_version=METRIC_VERSION,
        device=str(computing),
        seconds=time.perf_counter() - started,
        sightings=merged((*listing.sightings, *sample.sightings)),
    )


class _Sample:
    """What was read so far, measured in blocks of CHECK_EVERY files."""

    def __init__(
        self,
        listing: Listing,
        reference: Reference,
        device: torch.device,
        batch_size: int,
        tolerance: float | None,
        images: int | None,
        on_measured: MeasuredCallback | None,
    ) -> None:
        self.failures = list(listing.failures)
        self.sightings: tuple[Sighting, ...] = ()
        self._listing, self._reference = listing, reference
        self._device, self._batch_size, self._tolerance = device, batch_size, tolerance
        self._most, self._on_measured = images, on_measured
        self._taken = 0
        self._unmeasured: list[WorkingImage] = []
        self._raw: list[Values] = []
        self._tally = Tally.empty()

    @property
    def readable(self) -> int:
        """How many images the means stand for: all that were found, less what failed."""
        return self._listing.found - len(self.failures)

    def take(self, result: WorkingImage | FileIssue) -> None:
        self._taken += 1
        if isinstance(result, FileIssue):
            self.failures.append(result)
        else:
            self._unmeasured.append(result)
            if result.traits:
                found = (Sighting(trait, 1, result.path) for trait in result.traits)
                self.sightings = merged((*self.sightings, *found))
        if self._at_check():
            self._measure()

    def _measure(self) -> None:
        raw = measure(self._unmeasured, self._device, self._batch_size)
        scores = self._reference.score(raw)
        self._raw.append(raw)
        self._tally = self._tally.add(scores)
        if self._on_measured:
            self._on_measured(self._unmeasured, raw, scores)
        self._unmeasured.clear()

    def is_enough(self) -> bool:
        if self._is_full():
            return True
        return (
            self._tolerance is not None and self._at_check() and self._tally.is_enough(self.readable, self._tolerance)
        )

    def progress(self) -> ScanProgress:
        done = self._taken + len(self._listing.failures)
        half_width = float(self._tally.half_widths(self.readable).max()) if self._tally.count else None
        return ScanProgress(done, len(self.failures), self._listing.found, half_width)

    def raw(self) -> Values:
        return np.concatenate([np.empty((0, len(METRIC_NAMES))), *self._raw])

    def _at_check(self) -> bool:
        return self._taken % CHECK_EVERY == 0 or self._taken == len(self._listing.files) or self._is_full()

    def _is_full(self) -> bool:
        """Whether as many images were read as `images` allows."""
        return self._most is not None and self._tally.count + len(self._unmeasured) >= self._most


def _listing_progress(on_progress: Callable[[ScanProgress], None]) -> Callable[[int], None]:
    return lambda count: on_progress(ScanProgress(done=0, failed=0, found=count, half_width=None, listing=True))


def _nothing_readable(failures: Sequence[FileIssue]) -> AutocalError:
    shown = "; ".join(f"{issue.path}: {issue.reason}" for issue in failures[:3])
    return AutocalError(f"none of the {len(failures)} image files can be read ({shown}).")
