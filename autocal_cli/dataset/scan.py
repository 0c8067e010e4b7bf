"""Folders of images -> DatasetFingerprint: list, sample, decode, measure, score, summarise."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import torch

from autocal_cli.dataset.account import merged
from autocal_cli.dataset.cached_reads import reading_images
from autocal_cli.dataset.crops import drawn, reading_crops
from autocal_cli.dataset.decode import MAX_PIXELS, Wanted, WorkingImage
from autocal_cli.dataset.device import pick_device
from autocal_cli.dataset.device_blocks import measured
from autocal_cli.dataset.listing import Listing, list_images
from autocal_cli.dataset.lookahead import default_workers
from autocal_cli.dataset.measure import BATCH_SIZE, read_measured
from autocal_cli.dataset.metric_numbers import METRIC_VERSION
from autocal_cli.dataset.ranks import Ranks, all_ranks
from autocal_cli.dataset.record import DatasetFingerprint, FileIssue, TrainingCrops
from autocal_cli.dataset.sample import Goal, MeasuredCallback, Sample, ScanProgress
from autocal_cli.dataset.sampling import CHECK_EVERY, sample_order
from autocal_cli.dataset.sharpness import NATIVE_CROP
from autocal_cli.dataset.source import printable
from autocal_cli.errors import AutocalError

TOLERANCE = 0.02


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
