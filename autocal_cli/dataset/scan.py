"""Folders of images -> DatasetFingerprint: list, sample, decode, measure, score, summarise."""

from __future__ import annotations

import os
import random
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from autocal_cli.dataset.cache import default_workers, look_ahead, reading_images
from autocal_cli.dataset.decode import MAX_PIXELS, PIXELS_ONLY, Cut, Pixels, Wanted, WorkingImage, read_image
from autocal_cli.dataset.facts import NATIVE_CROP
from autocal_cli.dataset.listing import ImageSource, Listing, list_images, merged, printable
from autocal_cli.dataset.metrics import METRIC_VERSION, WINDOW, raw_metrics_of_one
from autocal_cli.dataset.metrics_device import raw_metrics_there
from autocal_cli.dataset.model import METRIC_NAMES, DatasetFingerprint, FileIssue, Sighting, TrainingCrops
from autocal_cli.dataset.sampling import CHECK_EVERY, Summary, Tally, Values, load_reference, sample_order, summarise
from autocal_cli.errors import AutocalError

TOLERANCE = 0.02
BATCH_SIZE = 16


def scan(
    roots: Sequence[Path],
    *,
    names: Sequence[str] | None = None,
    device: str | None = None,
    seed: int = 0,
    tolerance: float | None = TOLERANCE,
    images: int | None = None,
    crops: TrainingCrops | None = None,
    workers: int | None = None,
    batch_size: int = BATCH_SIZE,
    max_pixels: int = MAX_PIXELS,
    native_crop: int = NATIVE_CROP,
    on_progress: Callable[[ScanProgress], None] | None = None,
    on_measured: MeasuredCallback | None = None,
    cache_folder: Path | None = None,
) -> DatasetFingerprint:
    """Measures images in random order until every mean is known to +- `tolerance` (None: all), and never more than
    `images` of them; or instead so many random `crops`, as a training draws them first.

    The images are those under the roots, or with `names` those so named below them; the processes that torchrun
    started share them. The result, `seconds` aside, depends on files, seed, tolerance, `images` and `crops` alone.
    `on_measured` gets each image (or crop) that was read, with the image's facts; its native sharpness is taken on
    crops of `native_crop` pixels. What was measured of whole images is kept in `cache_folder` and not read again; then
    an image comes without its pixels. A file that cannot be read becomes a failure in the record and stops nothing;
    nothing is ever written to the roots. Raises AutocalError when a root is missing or holds no image, when no image
    can be read, and for a device or cache that cannot be used.
    """
    started = time.perf_counter()
    computing = pick_device(device)
    listing = list_images(roots, names=names, on_count=on_progress and _listing_progress(on_progress))
    sample = Sample(listing, Goal(tolerance, images, crops), computing, batch_size, on_measured)
    wanted = Wanted(max_pixels, on_measured is not None, native_crop)
    with warnings.catch_warnings(), all_ranks() as ranks:
        warnings.filterwarnings("ignore", module="PIL")
        with _reading(
            listing, sample.crops, seed, ranks, computing, batch_size, wanted, workers, cache_folder
        ) as reads:
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
        device=str(computing),
        seconds=time.perf_counter() - started,
        sightings=merged((*listing.sightings, *sample.sightings)),
        crops=sample.crops_read(),
    )


def _reading(
    listing: Listing,
    crops: TrainingCrops | None,
    seed: int,
    ranks: Ranks,
    device: torch.device,
    batch_size: int,
    wanted: Wanted,
    workers: int | None,
    cache_folder: Path | None,
) -> AbstractContextManager[Iterator[WorkingImage | FileIssue]]:
    """This rank's share of the images, or crops, in the order of the sample."""
    files, threads = listing.files, workers or default_workers()
    read = partial(read_measured, device=device, wanted=wanted)
    if crops:
        draws = ranks.share(enumerate(drawn(len(files), crops.count, seed)), CHECK_EVERY)
        sources = ((number, files[i].source) for number, i in draws)
        return reading_crops(read, sources, crops.side, seed, threads)
    order = ranks.share(sample_order(len(files), seed), CHECK_EVERY)
    on_device = partial(measured, device=device, batch_size=batch_size)
    return reading_images(read, (files[i] for i in order), cache_folder, wanted, threads, on_device)


def _listing_progress(on_progress: Callable[[ScanProgress], None]) -> Callable[[int], None]:
    return lambda count: on_progress(ScanProgress(done=0, failed=0, found=count, half_width=None, listing=True))


def _nothing_readable(failures: Sequence[FileIssue]) -> AutocalError:
    shown = "; ".join(f"{issue.path}: {issue.reason}" for issue in failures[:3])
    return AutocalError(f"none of the {len(failures)} image files can be read ({shown}).")


# What a scan has read so far, and whether that is enough.


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


# Raw metrics of working images: on the CPU in the worker that decodes them, else in batches of one shape.


def read_measured(
    source: ImageSource, device: torch.device, wanted: Wanted = PIXELS_ONLY, cut: Cut | None = None
) -> WorkingImage | FileIssue:
    """The working image of a file, or of a crop, with its raw metrics where the device is the CPU. Safe in threads."""
    image = read_image(source, wanted, cut)
    if isinstance(image, FileIssue) or device.type != "cpu":
        return image
    return replace(image, raw=raw_metrics_of_one(image.working, image.thumbnail))


def measure(
    images: Sequence[WorkingImage], device: torch.device, batch_size: int = BATCH_SIZE
) -> npt.NDArray[np.float64]:
    """Raw metrics (N, 3) of N working images, in their order: those that they bring, or computed on the device."""
    raw = np.empty((len(images), len(METRIC_NAMES)))
    for i, image in enumerate(images):
        if image.raw is not None:
            raw[i] = image.raw
    for batch in send(images, device, batch_size):
        raw[batch.places] = batch.raw.cpu().double().numpy()
    return raw


# Measuring on an accelerator while the workers decode: results in their order, the newest block still under way.
#
# A block of images is copied to the device and measured there without waiting (pinned memory, one queue); its numbers
# are fetched once the next block has been decoded and sent off. Every rank measures what it reads itself, and what
# comes out has its metrics, as on the CPU: so it can be kept in the cache.


BLOCK = 64  # images sent off before the numbers of the block before are fetched; chosen, untested

File = TypeVar("File")
Read = tuple[File, WorkingImage | FileIssue, bool]  # a file, what came of it, whether it was read now


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of one shape under way: their places, and their raw metrics (N, 3) on the device."""

    places: Sequence[int]
    raw: torch.Tensor


def measured(reads: Iterable[Read[File]], device: torch.device, batch_size: int) -> Iterator[Read[File]]:
    """The same, with the raw metrics of each image, computed on the device in batches of at most `batch_size`.

    What has its metrics already, as all that comes from workers on the CPU, does not wait for a block to fill.
    """
    block: list[Read[File]] = []
    before: list[Read[File]] = []
    under_way: list[Batch] = []
    for read in reads:
        if not block and not before and not _is_bare(read[1]):
            yield read
            continue
        block.append(read)
        if len(block) == BLOCK:
            sent = send([image for _, image, _ in block], device, batch_size)
            yield from _with_numbers(before, under_way)
            block, before, under_way = [], block, sent
    yield from _with_numbers(before, under_way)
    yield from _with_numbers(block, send([image for _, image, _ in block], device, batch_size))


def _is_bare(image: WorkingImage | FileIssue) -> bool:
    return isinstance(image, WorkingImage) and image.raw is None


def send(images: Sequence[WorkingImage | FileIssue], device: torch.device, batch_size: int) -> list[Batch]:
    """Starts measuring the images that have no metrics yet; does not wait for it on CUDA."""
    by_shape: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, image in enumerate(images):
        if isinstance(image, WorkingImage) and _is_bare(image):
            by_shape[image.working.shape].append(place)
    batches = []
    for alike in by_shape.values():
        for start in range(0, len(alike), batch_size):
            places = alike[start : start + batch_size]
            chosen = [image for place in places if isinstance(image := images[place], WorkingImage)]
            working = _to_device([image.working for image in chosen], device)
            thumbnails = _to_device([image.thumbnail for image in chosen], device)
            with torch.inference_mode():
                batches.append(Batch(places, raw_metrics_there(working, thumbnails)))
    return batches


def _to_device(pixels: Sequence[Pixels], device: torch.device) -> torch.Tensor:
    stacked = torch.from_numpy(np.stack(pixels))
    if device.type != "cuda":
        return stacked.to(device)
    return stacked.pin_memory().to(device, non_blocking=True)  # torch keeps the pinned memory until it is copied


def _with_numbers(block: Sequence[Read[File]], batches: Sequence[Batch]) -> Iterator[Read[File]]:
    numbers: dict[int, tuple[float, float, float]] = {}
    for batch in batches:
        for place, (texture, edges, colour) in zip(batch.places, batch.raw.cpu().double().tolist(), strict=True):
            numbers[place] = (texture, edges, colour)
    for place, (file, image, read_now) in enumerate(block):
        if place in numbers and isinstance(image, WorkingImage):
            yield file, replace(image, raw=numbers[place]), read_now
        else:
            yield file, image, read_now


# Which device computes the metrics.


def pick_device(name: str | None = None) -> torch.device:
    """The named device, or the best one here: CUDA, MPS, CPU. Raises AutocalError for one that is not here.

    Of several CUDA devices the processes that torchrun started take one each in turn.
    """
    available = available_devices()
    if name is None:
        alike = [one for one in available if one.startswith(torch.device(available[0]).type)]
        return torch.device(alike[int(os.environ.get("LOCAL_RANK", "0")) % len(alike)])
    if name not in available and f"{name}:0" not in available:
        raise AutocalError(f"device {name!r} is not available here.", fix=f"Available: {', '.join(available)}.")
    return torch.device(name)


def available_devices() -> list[str]:
    """The devices of this machine, best first: `cuda:0`, ..., `mps`, `cpu`."""
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


# Training crops: random ones of the training's own size, of images in random order, as a trainer draws them first.
#
# The trainer's own random numbers depend on its version, its workers and its machine, so these are drawn alike, not the
# same ones.


T = TypeVar("T")
R = TypeVar("R")


def drawn(count: int, draws: int, seed: int) -> Iterator[int]:
    """The numbers of the images, of `count`, in order of the draws: epoch by epoch, each in a new random order."""
    return islice(_epochs(count, seed), draws)


def _epochs(count: int, seed: int) -> Iterator[int]:
    shuffler, order = random.Random(seed), list(range(count))
    while True:
        shuffler.shuffle(order)
        yield from order


@contextmanager
def reading_crops(
    read: Callable[..., R], draws: Iterable[tuple[int, T]], side: int, seed: int, workers: int
) -> Iterator[Iterator[R]]:
    """What `read(image, cut=Cut)` makes of each (number of the draw, image), in order, by workers. Not cached."""

    def read_draw(item: tuple[int, T]) -> R:
        return read(item[1], cut=Cut(max(side, WINDOW), seed, item[0]))

    with look_ahead(read_draw, draws, workers) as results:
        yield results


# Several processes that scan one dataset together, as `torchrun` starts them: who reads what, and what they exchange.
#
# Each block of the sample is shared out; then every rank gets what all made of it, in the order of the sample. So all
# see the same results as one process alone does, and come to the same end at the same image.


_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Ranks:
    """One of `count` processes, `rank` from 0. Alone it takes everything and exchanges nothing."""

    rank: int = 0
    count: int = 1

    def share(self, items: Iterable[T], block: int) -> Iterator[T]:
        """The items that this rank takes: of each `block` of them every `count`-th."""
        return (item for place, item in enumerate(items) if place % block % self.count == self.rank)

    def together(self, mine: Iterator[R], items: int, block: int) -> Iterator[R]:
        """What all ranks made of their shares of so many `items`, in the order of the items. All ranks iterate."""
        if self.count == 1:
            yield from mine
            return
        for start in range(0, items, block):
            own = len(range(self.rank, min(block, items - start), self.count))
            yield from self._exchanged(list(islice(mine, own)))

    def _exchanged(self, mine: Sequence[R]) -> Iterator[R]:
        shares: list[Any] = [None] * self.count
        dist.all_gather_object(shares, mine)
        turns = chain.from_iterable(zip_longest(*shares, fillvalue=_NOTHING))
        return (item for item in turns if item is not _NOTHING)


@contextmanager
def all_ranks() -> Iterator[Ranks]:
    """The processes that torchrun started; alone where it did not. Objects travel by gloo, whatever the device."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or not dist.is_available():
        yield Ranks()
        return
    dist.init_process_group("gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
