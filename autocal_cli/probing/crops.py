"""Pairs of crops from the user's own images: the target, and the network's input that belongs to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from autocal_cli.dataset.crops import Cut, drawn
from autocal_cli.dataset.decode import read_rgb
from autocal_cli.dataset.source import ImageSource
from autocal_cli.probing.measure import Batch

MOST_MISSES = 20  # images in a row that are too small or cannot be read, before the search ends; chosen, untested


@dataclass(frozen=True, slots=True)
class Images:
    """One target, and the network's input where there is one (else it is made of the target by bicubic reduction)."""

    high: ImageSource
    low: ImageSource | None = None


def batches(images: Sequence[Images], count: int, size: int, crop: int, scale: int, seed: int) -> Iterator[Batch]:
    """`count` batches of `size` pairs of crops, in an order and at places that the seed decides.

    `crop` is the side of the target's crop in pixels, a multiple of `scale`. Images that cannot be read or are smaller
    than the crop are passed over; fewer batches come where `MOST_MISSES` of them follow one another.
    """
    pairs = _pairs(images, crop, scale, seed)
    for _ in range(count):
        found = list(islice(pairs, size))
        if len(found) < size:
            return
        yield torch.stack([low for low, _ in found]), torch.stack([high for _, high in found])


def _pairs(images: Sequence[Images], crop: int, scale: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Crops without end, unless too many images in a row give none."""
    misses = 0
    for draw, index in enumerate(drawn(len(images), sys.maxsize, seed)):
        pair = _pair(images[index], Cut(crop // scale, seed, draw), scale)
        misses = 0 if pair else misses + 1
        if pair:
            yield pair
        elif misses >= MOST_MISSES:
            return


def _pair(images: Images, cut: Cut, scale: int) -> tuple[Tensor, Tensor] | None:
    """The crop at the same place of both images; `cut` counts pixels of the input. None where that cannot be had."""
    try:
        high = read_rgb(images.high)
        low = read_rgb(images.low) if images.low else None
    except Exception:  # of many kinds; the scan of the dataset names each file and its fault
        return None
    size = low.size if low else (high.width // scale, high.height // scale)
    if min(size) < cut.side or high.width < size[0] * scale or high.height < size[1] * scale:
        return None
    box = cut.box(size)
    left, top, right, bottom = (scale * at for at in box)
    target = high.crop((left, top, right, bottom))
    given = low.crop(box) if low else target.resize((cut.side, cut.side), Image.Resampling.BICUBIC)
    return _tensor(given), _tensor(target)


def _tensor(image: Image.Image) -> Tensor:
    """(3, H, W) float32, 0..1"""
    pixels = torch.from_numpy(np.array(image, dtype=np.float32))
    return pixels.permute(2, 0, 1).contiguous() / 255.0
