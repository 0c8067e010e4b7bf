"""The raw metrics of `metrics.py` on an accelerator: in batches of one shape, while the workers decode.

Luma is kept in whole numbers, which float64 holds exactly: so the thresholds and ties of edges are decided alike
everywhere, and no sum depends on its order: the same bits at every batch size, and by construction on CPU and CUDA
(tested on CPU). MPS has no float64: in float32, measured on the CPU over 500 images, texture differs by up to 1.4e-3,
and by up to 7e-3 on wholly flat ones, edges by up to 5e-5.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own word for it
from torch import Tensor

from autocal_cli.dataset.decode import WorkingImage
from autocal_cli.dataset.metrics import (
    COLOUR_BITS,
    EDGE_THRESHOLD,
    LAB_BINS,
    LUMA_WEIGHTS,
    TAN_22_5,
    WHITE,
    WINDOW,
    lab_bins,
    octaves,
    texture,
)
from autocal_cli.dataset.model import FileIssue


def raw_metrics(thumbnails: Tensor) -> Tensor:
    """The raw metrics of a batch of images of one shape: uint8 (B, H, W, 3), at long side 128.

    Returns (B, 3) in the order of METRIC_NAMES: texture 0..1, edge share 0..1, occupied colour bins (1 or more); on the
    device and in its own precision. Raises ValueError where a side is under 7 pixels.
    """
    if min(thumbnails.shape[1:3]) < WINDOW:
        raise ValueError(f"an image needs sides of {WINDOW} pixels or more. Found {tuple(thumbnails.shape[1:3])}")
    levels = list(octaves(_luma(thumbnails)))
    edges = [_edge_share(y, white) for y, white in levels]
    columns = (texture(*levels[0]), sum(edges[1:], start=edges[0]) / len(edges), occupied_colours(thumbnails))
    return torch.stack([column.to(precision(thumbnails.device)) for column in columns], dim=1)


def precision(device: torch.device) -> torch.dtype:
    """float64, where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


def occupied_colours(thumbnails: Tensor) -> Tensor:
    """Occupied bins of `lab_bins`: uint8 (B, H, W, 3) -> int64 (B,), 1 or more."""
    red, green, blue = (thumbnails.long() >> (8 - COLOUR_BITS)).unbind(-1)
    colours = ((red << 2 * COLOUR_BITS) | (green << COLOUR_BITS) | blue).flatten(1)
    bins = torch.from_numpy(lab_bins()).to(colours.device)[colours]
    occupied = torch.zeros(len(bins), LAB_BINS, dtype=torch.int64, device=bins.device)
    return occupied.scatter_(1, bins, torch.ones_like(bins)).sum(dim=1)


def _luma(images: Tensor) -> Tensor:
    """y = 0.299 R + 0.587 G + 0.114 B in 0..1, times WHITE to be whole: (B, H, W, 3) -> (B, H, W).

    In float64 less that of middle grey, which no metric sees: sums of squares then stay below 2^53 and so are exact.
    In float32 they are not exact either way, and the dark and flat come out better with black at 0.
    """
    pixels = images.to(precision(images.device))
    red, green, blue = pixels.unbind(-1)
    middle = WHITE / 2 if pixels.dtype == torch.float64 else 0.0
    return LUMA_WEIGHTS[0] * red + LUMA_WEIGHTS[1] * green + LUMA_WEIGHTS[2] * blue - middle


def _edge_share(y: Tensor, white: float) -> Tensor:
    """Share of the pixels with a whole 3 x 3 neighbourhood that lie on a thinned edge over the threshold: (B,).

    Sobel magnitude |g| / 4 is 1 at a unit step; squared throughout, which keeps it whole. Non-maximum suppression goes
    along the gradient, its direction rounded to one of four. A pixel stays when it is > its previous and >= its next
    neighbour (first and second in raster order), so that the two equal pixels of a step count once. Outside the image
    stands 0.
    """
    smooth_rows = y[:, :-2] + 2 * y[:, 1:-1] + y[:, 2:]
    smooth_columns = y[:, :, :-2] + 2 * y[:, :, 1:-1] + y[:, :, 2:]
    gx = smooth_rows[:, :, 2:] - smooth_rows[:, :, :-2]
    gy = smooth_columns[:, 2:] - smooth_columns[:, :-2]
    power = gx * gx + gy * gy
    strong = power > (4 * white * EDGE_THRESHOLD) ** 2
    height, width = power.shape[1:]
    padded = F.pad(power, (1, 1, 1, 1))

    def ridge(dy: int, dx: int) -> Tensor:
        previous = padded[:, 1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        following = padded[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        return (power > previous) & (power >= following)

    across = gy.abs() <= TAN_22_5 * gx.abs()
    down = ~across & (gx.abs() <= TAN_22_5 * gy.abs())
    falling = ~across & ~down & (gx.sign() == gy.sign())  # from upper left to lower right
    rising = ~across & ~down & ~falling
    ridges = (across & ridge(0, 1)) | (down & ridge(1, 0)) | (falling & ridge(1, 1)) | (rising & ridge(1, -1))
    return (strong & ridges).flatten(1).sum(dim=1).to(y.dtype) / strong[0].numel()


BLOCK = 64  # images that wait for their numbers; chosen, untested

File = TypeVar("File")
Read = tuple[File, WorkingImage | FileIssue, bool]  # a file, what came of it, whether it was read now


def measured(reads: Iterable[Read[File]], device: str, batch_size: int) -> Iterator[Read[File]]:
    """The same in their order, with the raw metrics of each image, computed on the device in batches of at most
    `batch_size` while the workers go on decoding. Every rank measures what it reads itself.
    """
    coming = iter(reads)
    while block := list(islice(coming, BLOCK)):
        numbers = _numbers(block, torch.device(device), batch_size)
        for place, (file, image, read_now) in enumerate(block):
            if isinstance(image, WorkingImage) and place in numbers:
                image = replace(image, raw=numbers[place])
            yield file, image, read_now


def _numbers(block: Sequence[Read[File]], device: torch.device, batch_size: int) -> dict[int, tuple[float, ...]]:
    """The raw metrics by the places of the images that have none yet."""
    by_shape: defaultdict[tuple[int, ...], list[tuple[int, WorkingImage]]] = defaultdict(list)
    for place, (_, image, _) in enumerate(block):
        if isinstance(image, WorkingImage) and image.raw is None:
            by_shape[image.thumbnail.shape].append((place, image))
    numbers: dict[int, tuple[float, ...]] = {}
    for alike in by_shape.values():
        for start in range(0, len(alike), batch_size):
            places, images = zip(*alike[start : start + batch_size], strict=True)
            with torch.inference_mode():
                raw = raw_metrics(torch.from_numpy(np.stack([image.thumbnail for image in images])).to(device))
            numbers |= zip(places, map(tuple, raw.cpu().double().tolist()), strict=True)
    return numbers
