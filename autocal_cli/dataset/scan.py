"""Scans folders of images: list, sample, decode, measure, score, summarise.

`scan` is the whole story; `Sample` is what has been read so far, and says when that is enough.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np

from autocal_cli.dataset.cache import Fresh, ImageCache, Result, kept, version_of
from autocal_cli.dataset.decode import LARGE_PIXELS, MAX_PIXELS, PIXELS_ONLY, Cut, Wanted, WorkingImage, read_image
from autocal_cli.dataset.facts import NATIVE_CROP
from autocal_cli.dataset.files import ImageSource, ListedFile, printable
from autocal_cli.dataset.listing import Listing, Sightings, list_images
from autocal_cli.dataset.metrics import WINDOW, raw_metrics_of_one
from autocal_cli.dataset.model import (
    METRIC_NAMES,
    METRIC_VERSION,
    DatasetFingerprint,
    FileIssue,
    MetricSummary,
    TrainingCrops,
)
from autocal_cli.dataset.pairs import Paired, with_partners
from autocal_cli.dataset.sampling import (
    CHECK_EVERY,
    Tally,
    Values,
    drawn,
    expected_sample,
    load_reference,
    sample_order,
    scored,
    summarise,
)
from autocal_cli.dataset.scorer import Scorer
from autocal_cli.dataset.workers import (
    BLOCK,
    MANY_IMAGES,
    Device,
    all_ranks,
    check_device,
    choose_device,
    default_workers,
    in_processes,
    look_ahead,
)
from autocal_cli.errors import AutocalError

TOLERANCE = 0.02
BATCH_SIZE = 16  # images measured at once on an accelerator
_ENDLESS = sys.maxsize  # crops that a training could draw: no sample of them is the whole

# Called with images as they were measured, in the order of the sample: raw metrics and scores, both (n, 3).
MeasuredCallback = Callable[[Sequence[WorkingImage], Values, Values], None]


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

    def on_count(count: int) -> None:
        if on_progress:
            on_progress(ScanProgress(done=0, failed=0, found=count, half_width=None, listing=True))

    listing = list_images(roots, names=names, on_count=on_count)
    sample = Sample(listing, tolerance, images, crops, on_measured)
    threads = workers or default_workers()
    computing = choose_device(device, sample.expected, threads)
    wanted = Wanted(
        max_pixels, on_measured is not None, native_crop, gentle, scale=paired.scale if paired else None, scorer=scorer
    )
    file_at = with_partners(listing.files, paired) if paired and crops is None else listing.files.__getitem__
    with warnings.catch_warnings(), all_ranks() as ranks:
        warnings.filterwarnings("ignore", module="PIL")
        share = ranks.share(sample.order(seed, in_order=gentle), CHECK_EVERY)
        items = ((file_at(i), cut) for i, cut in share)
        processes = threads > 1 and sample.expected >= MANY_IMAGES and not (gentle or scorer)
        cache = None if sample.crops else cache_folder
        with _measured(items, wanted, computing, threads, batch_size, cache, processes) as reads:
            for result in ranks.together(reads, sample.items, CHECK_EVERY):
                sample.take(result)
                if on_progress:
                    on_progress(sample.progress())
                if sample.is_enough():
                    break
    if not sample.read:
        shown = "; ".join(f"{issue.path}: {issue.reason}" for issue in sample.failures[:3])
        raise AutocalError(f"none of the {len(sample.failures)} image files can be read ({shown}).")
    metrics, overall_complexity, overall_ci95 = sample.summary()
    return DatasetFingerprint(
        roots=tuple(printable(root) for root in roots),
        found=listing.found,
        read=sample.read,
        skipped=listing.skipped,
        failures=tuple(sorted(sample.failures, key=lambda issue: issue.path)),
        metrics=metrics,
        overall_complexity=overall_complexity,
        overall_ci95=overall_ci95,
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
def _measured(
    items: Iterator[tuple[ListedFile, Cut | None]],
    wanted: Wanted,
    device: Device,
    workers: int,
    batch_size: int,
    cache_folder: Path | None,
    processes: bool,
) -> Iterator[Iterator[Result]]:
    """The images, or crops, with their metrics, in order: on the CPU measured by the worker that decodes them, else in
    batches on the device. What the cache knows of a file is not read again.
    """
    cache = ImageCache(cache_folder, version_of(wanted)) if cache_folder else None
    block = BLOCK if processes else 1
    reading = partial(_read, device.is_cpu)

    def read(files: Sequence[tuple[ListedFile, Cut | None]]) -> list[Fresh]:
        known = [cache.image(file) if cache else None for file, _ in files]
        known = [image if image and image.width * image.height <= wanted.max_pixels else None for image in known]
        jobs = [_job(file, wanted, cut) for (file, cut), image in zip(files, known, strict=True) if image is None]
        fresh = iter(there(jobs) if jobs else ())
        return [(file, image or next(fresh), image is None) for (file, _), image in zip(files, known, strict=True)]

    with (
        closing(cache) if cache else nullcontext(),
        _in_processes(reading) if processes else nullcontext(reading) as there,
        look_ahead(read, iter(lambda: list(islice(items, block)), []), workers) as blocks,
    ):
        results: Iterator[Fresh] = chain.from_iterable(blocks)
        if not device.is_cpu:
            from autocal_cli.dataset.metrics_device import measured

            results = measured(results, device.name, batch_size)
        with closing(kept(results, cache)) as reads:
            yield reads


Job = tuple[ImageSource, Wanted, Cut | None]
Reading = Callable[[Sequence[Job]], list[Result]]


def _job(file: ListedFile, wanted: Wanted, cut: Cut | None) -> Job:
    partner = file.partner.source if file.partner else None
    return file.source, replace(wanted, partner=partner, without_lq=file.without_lq), cut


def _read(with_metrics: bool, jobs: Sequence[Job]) -> list[Result]:
    return [(read_measured if with_metrics else read_image)(*job) for job in jobs]


def _read_apart(reading: Reading, jobs: Sequence[Job]) -> list[Result]:
    """In a process of its own: without working images, whose facts are gathered, since each byte has to travel."""
    nothing = np.empty((0, 0, 3), dtype=np.uint8)
    return [image if isinstance(image, FileIssue) else replace(image, working=nothing) for image in reading(jobs)]


@contextmanager
def _in_processes(reading: Reading) -> Iterator[Reading]:
    """The same in processes. What fails there is read again here: so large images are, which go one at a time."""

    def both(jobs: Sequence[Job]) -> list[Result]:
        there = [
            (file, replace(wanted, max_pixels=min(wanted.max_pixels, LARGE_PIXELS)), cut) for file, wanted, cut in jobs
        ]
        return [image if _is_sound(image) else reading([job])[0] for job, image in zip(jobs, apart(there), strict=True)]

    with in_processes(partial(_read_apart, reading)) as apart:
        yield both


def _is_sound(image: Result) -> bool:
    return isinstance(image, WorkingImage) and not (image.facts and image.facts.pair and image.facts.pair.problem)


def read_measured(source: ImageSource, wanted: Wanted = PIXELS_ONLY, cut: Cut | None = None) -> Result:
    """The working image of a file, or of a crop, with its raw metrics."""
    image = read_image(source, wanted, cut)
    if isinstance(image, FileIssue):
        return image
    size = image.height, image.width
    is_crop = image.thumbnail.shape[:2] == size and max(size) <= wanted.native_crop  # the only one, as it is
    known = image.facts.native_sharpness if image.facts and is_crop else None
    return replace(image, raw=raw_metrics_of_one(image.thumbnail, known))


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """Where a scan stands: files, or crops, `done` (`failed` among them) out of `found`, and how sure the means are.

    `half_width` is the widest of the 95% intervals, halved; None before the first images were measured. While the
    folders are `listing`, `found` still grows. `read_bytes` were read of files, not known from the cache. About
    `expected` of them will be done when the means are known well enough. In the end what was read is `judging`.
    """

    done: int
    failed: int
    found: int
    half_width: float | None
    listing: bool = False
    read_bytes: int = 0
    expected: int = 0
    judging: bool = False


class Sample:
    """The images, or crops, that were read so far, scored in blocks of CHECK_EVERY. `read` counts images.

    It is enough when every mean is known to +- `tolerance`, or so many `images` were read; of `crops` after all.
    """

    def __init__(
        self,
        listing: Listing,
        tolerance: float | None,
        images: int | None,
        crops: TrainingCrops | None,
        on_measured: MeasuredCallback | None,
    ) -> None:
        self.failures = list(listing.failures)
        self.sightings = Sightings(listing.sightings)
        self.crops = crops if listing.files else None
        self.items = self.crops.count if self.crops else len(listing.files)
        self.read = 0
        self._tolerance, self._most = (None, None) if self.crops else (tolerance, images)
        self._listing, self._reference = listing, load_reference()
        self._on_measured = on_measured
        self._taken = self._bytes = 0
        self._drawn: set[str] = set()  # images behind crops, by name, which may be drawn again
        self._unscored: list[WorkingImage] = []
        self._raw: list[Values] = []
        self._tally = Tally.empty()

    @property
    def expected(self) -> int:
        """About how many images, or crops, will be read, by what was read so far."""
        sample = self.items
        if self._tolerance is not None:
            known = (float(self._tally.variances().max()),) if self._tally.count > 1 else ()
            sample = expected_sample(self.items, self._tolerance, *known)
        return sample if self._most is None else min(sample, self._most)

    @property
    def population(self) -> int:
        """How many the means stand for: all images that were found, less what failed; of crops there is no end."""
        return _ENDLESS if self.crops else self._listing.found - len(self.failures)

    def order(self, seed: int, in_order: bool) -> Iterator[tuple[int, Cut | None]]:
        """The places of the files in the order in which they are read, or of those drawn with the crop of each.

        `in_order`: as they are listed, where all are read.
        """
        files = len(self._listing.files)
        if self.crops:
            side = max(self.crops.side, WINDOW)
            return ((i, Cut(side, seed, draw)) for draw, i in enumerate(drawn(files, self.crops.count, seed)))
        as_listed = in_order and self._tolerance is None and self._most is None
        return ((i, None) for i in (range(files) if as_listed else sample_order(files, seed)))

    def take(self, result: WorkingImage | FileIssue) -> None:
        self._taken += 1
        is_new = result.path not in self._drawn
        if self.crops:
            self._drawn.add(result.path)
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
        if self._tolerance is None or self._is_full():
            return self._is_full()
        return self._at_check() and self._tally.is_enough(self.population, self._tolerance)

    def progress(self) -> ScanProgress:
        half_width = float(self._tally.half_widths(self.population).max()) if self._tally.count else None
        before = 0 if self.crops else len(self._listing.failures)
        return ScanProgress(
            self._taken + before,
            len(self.failures),
            self.items if self.crops else self._listing.found,
            half_width,
            read_bytes=self._bytes,
            expected=max(self._taken, self.expected) + before,
        )

    def summary(self) -> tuple[dict[str, MetricSummary], float, tuple[float, float]]:
        """What the images that were read, one or more, say of the whole: metrics, overall complexity, its interval."""
        raw = np.concatenate(self._raw)
        return summarise(scored(raw, self._reference), raw, self.population)

    def crops_read(self) -> TrainingCrops | None:
        return TrainingCrops(self._tally.count, self.crops.side) if self.crops else None

    def _score(self) -> None:
        raw = np.array([image.raw for image in self._unscored], dtype=np.float64).reshape(-1, len(METRIC_NAMES))
        scores = scored(raw, self._reference)
        self._raw.append(raw)
        self._tally = self._tally.add(scores)
        if self._on_measured and self._unscored:
            self._on_measured(self._unscored, raw, scores)
        self._unscored.clear()

    def _at_check(self) -> bool:
        return self._taken % CHECK_EVERY == 0 or self._taken == self.items or self._is_full()

    def _is_full(self) -> bool:
        """Whether as many images were read as are wanted."""
        return self._most is not None and self._tally.count + len(self._unscored) >= self._most
