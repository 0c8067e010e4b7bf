"""Measuring on an accelerator while the workers decode: results in their order, the newest block still under way.

A block of images is copied to the device and measured there without waiting (pinned memory, one queue); its numbers are
fetched once the next block has been decoded and sent off. Every rank measures what it reads itself, and what comes out
has its metrics, as on the CPU: so it can be kept in the cache.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from autocal_cli.dataset.decode import Pixels, WorkingImage
from autocal_cli.dataset.metrics import raw_metrics_there
from autocal_cli.dataset.record import FileIssue

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
