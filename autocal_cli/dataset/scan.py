"""Scans folders of images: list, sample, decode, measure, score, summarise.

`scan` is the whole story; `Sample` is what has been read so far, and says when that is enough.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from autocal_cli.dataset.cache import Fresh, reading_images
from autocal_cli.dataset.decode import MAX_PIXELS, PIXELS_ONLY, Cut, Wanted, WorkingImage, read_image
from autocal_cli.dataset.facts import NATIVE_CROP
from autocal_cli.dataset.files import ImageSource, ListedFile, printable
from autocal_cli.dataset.listing import Listing, Sightings, list_images
from autocal_cli.dataset.metrics import METRIC_VERSION, WINDOW, raw_metrics_of_one
from autocal_cli.dataset.model import METRIC_NAMES, DatasetFingerprint, FileIssue, TrainingCrops
from autocal_cli.dataset.pairs import Paired, PairedFiles
from autocal_cli.dataset.sampling import (
    CHECK_EVERY,
    Summary,
    Tally,
    Values,
    drawn,
    expected_sample,
    load_reference,
    sample_order,
    summarise,
)
from autocal_cli.dataset.scorer import Scorer
from autocal_cli.dataset.workers import (
    Device,
    Ranks,
    all_ranks,
    check_device,
    choose_device,
    default_workers,
    look_ahead,
)
from autocal_cli.errors import AutocalError

TOLERANCE = 0.02
BATCH_SIZE = 16  # images measured at once on an accelerator


def scan(
    roots: Sequence[Path],
    *,
    names: Sequence[str] | None = None,
    device: str | None = None,
    seed: int = 0,
    tolerance: float | None = TOLERANCE,
    images: int | None = None,
    crops: TrainingCrops | None = None,
    paired: Paired | None = None,
    scorer: Scorer | None = None,
    workers: int | None = None,
    batch_size: int = BATCH_SIZE,
    max_pixels: int = MAX_PIXELS,
    native_crop: int = NATIVE_CROP,
    gentle: bool = False,
    on_progress: Callable[[ScanProgress], None] | None = None,
    on_measured: MeasuredCallback | None = None,
    cache_folder: Path | None = None,
) -> DatasetFingerprint:
    """Measures images in random order until every mean is known to +- `tolerance` (None: all), and never more than
    `images` of them; or instead so many random `crops`, as a training draws them first.

    The images are those under the roots, or with `names` those so named below them; the processes that torchrun
    started share them. With `paired` each is held against its LQ image too, unless `crops` are read. The result,
    `seconds` aside, depends on files, seed, tolerance, `images` and `crops` alone.
    `on_measured` gets each image (or crop) that was read, with the image's facts: its native sharpness is taken on
    crops of `native_crop` pixels, and the `scorer` says what it thinks of the whole. A `gentle` scan reads one file at
    a time, with pauses, and all of a folder in order. What was measured of whole images is kept in `cache_folder` and
    not read again; then an image comes without its pixels. A file that cannot be read becomes a failure in the record
    and stops nothing; nothing is ever written to the roots. Raises AutocalError when a root is missing or holds no
    image, when no image can be read, and for a device or cache that cannot be used.
    """
    started = time.perf_counter()
    check_device(device)
    listing = list_images(roots, names=names, on_count=on_progress and _listing_progress(on_progress))
    goal = Goal(tolerance, images, crops if listing.files else None)
    sample = Sample(listing, goal, on_measured)
    threads = workers or default_workers()
    computing = choose_device(device, goal.expected(len(listing.files)), threads)
    scale = paired.scale if paired else None
    wanted = Wanted(max_pixels, on_measured is not None, native_crop, gentle, scale=scale, scorer=scorer)
    reader = Reader(computing, wanted, threads, batch_size)
    files = PairedFiles(listing.files, paired) if paired and crops is None else listing.files
    with warnings.catch_warnings(), all_ranks() as ranks:
        warnings.filterwarnings("ignore", module="PIL")
        with _reading(files, goal, seed, ranks, reader, cache_folder) as reads:
            for result in ranks.together(reads, sample.items, CHECK_EVERY):
                sample.take(result)
                if on_progress:
                    on_progress(sample.progress())
                if sample.is_enough():
                    break
    summary = sample.summary()
    if summary is None:
        raise _nothing_readable(sample.failures)
    return DatasetFingerprint(
        roots=tuple(printable(root) for root in roots),
        found=listing.found,
        read=sample.read,
        skipped=listing.skipped,
        failures=tuple(sorted(sample.failures, key=lambda issue: issue.path)),
        metrics=summary.metrics,
        overall_complexity=summary.overall_complexity,
        overall_ci95=summary.overall_ci95,
        identity=listing.identity,
        metric_version=METRIC_VERSION,
        device=computing.name,
        device_reason=computing.reason,
        seconds=time.perf_counter() - started,
        sightings=sample.sightings.listed(),
        crops=sample.crops_read(),
        model=scorer.file if scorer else None,
    )


@contextmanager
def _reading(
    files: Sequence[ListedFile], goal: Goal, seed: int, ranks: Ranks, reader: Reader, cache_folder: Path | None
) -> Iterator[Iterator[WorkingImage | FileIssue]]:
    """This rank's share of the images, or crops, measured, in the order of the sample."""
    if goal.crops is None:
        in_order = reader.wanted.gentle and goal.reads_all
        order = ranks.share(range(len(files)) if in_order else sample_order(len(files), seed), CHECK_EVERY)
        chosen = (files[i] for i in order)
        with reading_images(reader.read, chosen, cache_folder, reader.wanted, reader.workers, reader.measured) as reads:
            yield reads
        return
    side = max(goal.crops.side, WINDOW)
    draws = ranks.share(enumerate(drawn(len(files), goal.crops.count, seed)), CHECK_EVERY)

    def read_crop(draw: tuple[int, int]) -> Fresh:
        number, i = draw
        return files[i], reader.read(files[i], Cut(side, seed, number)), True

    with look_ahead(read_crop, draws, reader.workers) as results:
        yield (result for _, result, _ in reader.measured(results))


@dataclass(frozen=True, slots=True)
class Reader:
    """How images are read and measured: on the CPU by the worker that decodes them, else in batches on the device."""

    device: Device
    wanted: Wanted
    workers: int
    batch_size: int

    def read(self, file: ListedFile, cut: Cut | None = None) -> WorkingImage | FileIssue:
        """The working image of a file, or of a crop, on the CPU with its raw metrics. Safe in threads."""
        wanted = replace(self.wanted, partner=file.partner.source) if file.partner else self.wanted
        return read_measured(file.source, wanted, cut) if self.device.is_cpu else read_image(file.source, wanted, cut)

    def measured(self, reads: Iterable[Fresh]) -> Iterable[Fresh]:
        if self.device.is_cpu:
            return reads
        from autocal_cli.dataset.metrics_device import measured

        return measured(reads, self.device.name, self.batch_size)


def read_measured(
    source: ImageSource, wanted: Wanted = PIXELS_ONLY, cut: Cut | None = None
) -> WorkingImage | FileIssue:
    """The working image of a file, or of a crop, with its raw metrics."""
    image = read_image(source, wanted, cut)
    if isinstance(image, FileIssue):
        return image
    return replace(image, raw=raw_metrics_of_one(image.working, image.thumbnail))


def _listing_progress(on_progress: Callable[[ScanProgress], None]) -> Callable[[int], None]:
    return lambda count: on_progress(ScanProgress(done=0, failed=0, found=count, half_width=None, listing=True))


def _nothing_readable(failures: Sequence[FileIssue]) -> AutocalError:
    shown = "; ".join(f"{issue.path}: {issue.reason}" for issue in failures[:3])
    return AutocalError(f"none of the {len(failures)} image files can be read ({shown}).")


# Called with images as they were measured, in the order of the sample: raw metrics and scores, both (n, 3).
MeasuredCallback = Callable[[Sequence[WorkingImage], Values, Values], None]

_ENDLESS = sys.maxsize  # crops that a training could draw: no sample of them is the whole


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """Where a scan stands: files, or crops, `done` (`failed` among them) out of `found`, and how sure the means are.

    `half_width` is the widest of the 95% intervals, halved; None before the first images were measured. While the
    folders are `listing`, `found` still grows. `read_bytes` were read of files, not known from the cache.
    """

    done: int
    failed: int
    found: int
    half_width: float | None
    listing: bool = False
    read_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Goal:
    """When to stop: every mean is known to +- `tolerance`, or so many `images` were read; or after all the `crops`."""

    tolerance: float | None
    images: int | None = None
    crops: TrainingCrops | None = None

    @property
    def reads_all(self) -> bool:
        return self.tolerance is None and self.images is None and self.crops is None

    def expected(self, files: int) -> int:
        """About how many images, or crops, will be read of so many files."""
        if self.crops:
            return self.crops.count
        sample = files if self.tolerance is None else expected_sample(files, self.tolerance)
        return sample if self.images is None else min(sample, self.images)


class Sample:
    """The images, or crops, that were read so far, scored in blocks of CHECK_EVERY. `read` counts images."""

    def __init__(self, listing: Listing, goal: Goal, on_measured: MeasuredCallback | None) -> None:
        self.failures = list(listing.failures)
        self.sightings = Sightings(listing.sightings)
        self.crops = goal.crops
        self.items = self.crops.count if self.crops else len(listing.files)
        self.read = 0
        self._listing, self._goal, self._reference = listing, goal, load_reference()
        self._on_measured = on_measured
        self._taken = self._bytes = 0
        self._drawn: set[str] = set()  # images behind crops, by name, which may be drawn again
        self._unscored: list[WorkingImage] = []
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
            self._unscored.append(result)
            self._bytes += result.file_bytes
            self.read += is_new
            for trait in result.traits if is_new else ():
                self.sightings.add(trait, result.path)
        if self._at_check():
            self._score()

    def is_enough(self) -> bool:
        tolerance = None if self.crops else self._goal.tolerance
        return self._is_full() or (
            tolerance is not None and self._at_check() and self._tally.is_enough(self.population, tolerance)
        )

    def progress(self) -> ScanProgress:
        half_width = float(self._tally.half_widths(self.population).max()) if self._tally.count else None
        if self.crops:
            return ScanProgress(self._taken, len(self.failures), self.items, half_width, read_bytes=self._bytes)
        done = self._taken + len(self._listing.failures)
        return ScanProgress(done, len(self.failures), self._listing.found, half_width, read_bytes=self._bytes)

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

    def _score(self) -> None:
        raw = np.array([image.raw for image in self._unscored], dtype=np.float64).reshape(-1, len(METRIC_NAMES))
        scores = self._reference.score(raw)
        self._raw.append(raw)
        self._tally = self._tally.add(scores)
        if self._on_measured:
            self._on_measured(self._unscored, raw, scores)
        self._unscored.clear()

    def _at_check(self) -> bool:
        return self._taken % CHECK_EVERY == 0 or self._taken == self.items or self._is_full()

    def _is_full(self) -> bool:
        """Whether as many images were read as the goal allows."""
        most = self._goal.images
        return most is not None and not self.crops and self._tally.count + len(self._unscored) >= most
