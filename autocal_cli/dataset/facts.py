"""What is noted of one image beside its metrics, while it is decoded: hashes, grey, sharpness, traces."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import IO

import numpy as np
from PIL import Image

from autocal_cli.dataset.detectors import find_traces
from autocal_cli.dataset.metrics import WINDOW, Pixels, native_edge_share_of_one
from autocal_cli.dataset.model import ImageFacts, NativeSharpness
from autocal_cli.dataset.sampling import Tally

FACTS_VERSION = 4  # of what the facts mean: another one makes cached facts unknown
GREY_LEVELS = 1  # of 255 between channels: what lossy WebP makes of grey (measured at qualities 30, 80 and 100)
HASHED_SIDE = 32  # pixels a side of the image whose lowest frequencies are hashed
HASH_SIDE = 8  # frequencies along each axis


def gather_facts(
    name: str, file: IO[bytes], native: Image.Image, working: Pixels, crop: int, alpha: bool = False
) -> ImageFacts:
    """The facts of an image: its open file, its pixels at native size, its working image; `crop` is the training's."""
    luma = Image.fromarray(working).convert("L")
    spread, entropy = spread_of(luma)
    return ImageFacts(
        path=name,
        sha256=_content_hash(file),
        grey=is_grey(working),
        alpha=alpha,
        deviation=spread,
        entropy=entropy,
        perceptual_hash=perceptual_hash(luma),
        native_sharpness=native_sharpness(native, crop),
        traces=find_traces(native),
        mean=mean_colour(working),
    )


def mean_colour(pixels: Pixels) -> tuple[float, float, float]:
    """The mean of red, green and blue in levels of 255, of every fourth pixel in every fourth row (H, W, 3)."""
    red, green, blue = pixels[::4, ::4].mean(axis=(0, 1)).tolist()
    return red, green, blue


def is_grey(pixels: Pixels) -> bool:
    """Whether red, green and blue are equal to a level throughout (H, W, 3), whatever mode the file has."""
    return _channels_agree(pixels[::8, ::8]) and _channels_agree(pixels)  # most show colour at the first glance


def _channels_agree(pixels: Pixels) -> bool:
    red, green, blue = (pixels[:, :, channel] for channel in range(3))
    most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return bool((most - least <= GREY_LEVELS).all())


def spread_of(luma: Image.Image) -> tuple[float, float]:
    """Standard deviation of 8-bit luma, 0..0.5, in whole numbers up to the last step, and entropy in bits, 0..8."""
    counts = luma.histogram()
    count = sum(counts)
    total = sum(level * n for level, n in enumerate(counts))
    squares = sum(level * level * n for level, n in enumerate(counts))
    entropy = math.log2(count) - sum(n * math.log2(n) for n in counts if n) / count
    return math.sqrt(count * squares - total * total) / (count * 255.0), max(0.0, entropy)


_FREQUENCIES = np.cos(np.pi * np.outer(np.arange(HASH_SIDE), 2 * np.arange(HASHED_SIDE) + 1) / (2 * HASHED_SIDE))
_BITS = 1 << np.arange(HASH_SIDE * HASH_SIDE, dtype=np.uint64)


def perceptual_hash(luma: Image.Image) -> int:
    """64 bits that stay nearly the same through resizing and recompression: signs of the lowest 8 x 8 cosines.

    Bit 8 v + u is 1 where the coefficient of frequencies v (down) and u (across) is positive; that of the mean is 0.
    So the hashes of the flipped and turned image follow from it: `health.turned`.
    """
    small = np.asarray(luma.resize((HASHED_SIDE, HASHED_SIDE), Image.Resampling.BOX), dtype=np.float64)
    positive = (_FREQUENCIES @ small @ _FREQUENCIES.T > 0).ravel()
    positive[0] = False
    return int(_BITS[positive].sum())


def _content_hash(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


# Native sharpness: the edges in the finest detail of an image, which the working size cannot see.
#
# The edge share of `metrics`, but of one octave alone, that of single pixels, on crops of the image at its native size:
# what a training on such crops sees, and what an enlarged or blurred image lacks. A share of pixels, no percentile.


NATIVE_CROP = 128  # side of the crops where the training's own is not known; chosen, untested
FULL_SCALE = 0.5  # edge share where the histogram ends: every other pixel. 100 photographs of BSDS500 reach 0.39
STEPS = 20  # of the histogram

Box = tuple[int, int, int, int]  # left, top, right, bottom

_SHARE_OF_IMAGE = 16  # several crops together hold at most 1/16 of the pixels: decoding stays the cost
_QUARTERS = ((2, 2), (1, 1), (3, 3), (3, 1), (1, 3))  # where crops lie in the room there is, x and y: the middle first


def native_sharpness(image: Image.Image, side: int) -> float:
    """The mean edge share 0..1 of the crops of an RGB image at its native size, 7 pixels a side or more."""
    crops = (np.asarray(image.crop(box)) for box in native_boxes(image.size, side))
    shares = [native_edge_share_of_one(crop) for crop in crops]
    return sum(shares) / len(shares)


def native_boxes(size: tuple[int, int], side: int) -> list[Box]:
    """One to five crops of `side` pixels (7 at least) at places fixed by the sizes alone; no larger than the image.

    >>> native_boxes((100, 80), 128)
    [(0, 0, 100, 80)]
    >>> native_boxes((800, 600), 100)[:2]
    [(350, 250, 450, 350), (175, 125, 275, 225)]
    """
    wide, high = (min(max(side, WINDOW), extent) for extent in size)
    count = max(1, size[0] * size[1] // (_SHARE_OF_IMAGE * wide * high))
    corners = [((size[0] - wide) * x // 4, (size[1] - high) * y // 4) for x, y in _QUARTERS[:count]]
    return [(left, top, left + wide, top + high) for left, top in corners]


def summarise_sharpness(values: Sequence[float], population: int, side: int) -> NativeSharpness:
    """What the images that were read, one or more, say of all `population` of them."""
    shares = np.asarray(values)
    tally = Tally(len(shares), shares.sum(keepdims=True), (shares**2).sum(keepdims=True))
    mean, width = float(shares.mean()), float(tally.half_widths(population)[0])
    p5, median, p95 = (float(value) for value in np.quantile(shares, (0.05, 0.5, 0.95)))
    steps = np.minimum((shares * (STEPS / FULL_SCALE)).astype(int), STEPS - 1)
    return NativeSharpness(
        crop=side,
        mean=mean,
        ci95=(max(0.0, mean - width), mean + width),
        p5=p5,
        median=median,
        p95=p95,
        histogram=tuple(np.bincount(steps, minlength=STEPS).tolist()),
    )
