"""What is noted of one image beside its metrics, while it is decoded: hashes, grey, blockiness, sharpness, ..."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image

from autocal_cli.dataset.metrics import WINDOW, Pixels, native_edge_share_of_one
from autocal_cli.dataset.model import ImageFacts, NativeSharpness
from autocal_cli.dataset.sampling import Tally

FACTS_VERSION = 2  # of what the facts mean: another one makes cached facts unknown
GRID = 8  # pixels a side of a JPEG block (ITU-T T.81)
BLOCKINESS_AREA = 512  # long side of the middle of the image in which the grid is looked for; chosen, untested
GREY_LEVELS = 1  # of 255 between channels: what lossy WebP makes of grey (measured at qualities 30, 80 and 100)
HASHED_SIDE = 32  # pixels a side of which the library takes the 8 x 8 lowest frequencies
HALF_LEVEL = 0.5  # of 255: added to both sides of the ratio, so that a flat image has 1 and not 0 / 0


def gather_facts(name: str, file: IO[bytes], native: Image.Image, working: Pixels, crop: int) -> ImageFacts:
    """The facts of an image: its open file, its pixels at native size, its working image; `crop` is the training's."""
    luma = Image.fromarray(working).convert("L")
    return ImageFacts(
        path=name,
        sha256=_content_hash(file),
        grey=is_grey(working),
        deviation=deviation(luma),
        blockiness=blockiness(_middle_luma(native)),
        perceptual_hash=perceptual_hash(luma),
        native_sharpness=native_sharpness(native, crop),
    )


def is_grey(pixels: Pixels) -> bool:
    """Whether red, green and blue are equal to a level throughout (H, W, 3), whatever mode the file has."""
    return _channels_agree(pixels[::8, ::8]) and _channels_agree(pixels)  # most show colour at the first glance


def _channels_agree(pixels: Pixels) -> bool:
    red, green, blue = (pixels[:, :, channel] for channel in range(3))
    most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    return bool((most - least <= GREY_LEVELS).all())


def deviation(luma: Image.Image) -> float:
    """The standard deviation of 8-bit luma, 0..0.5, from its histogram: whole numbers up to the last step."""
    counts = luma.histogram()
    count = sum(counts)
    total = sum(level * n for level, n in enumerate(counts))
    squares = sum(level * level * n for level, n in enumerate(counts))
    return math.sqrt(count * squares - total * total) / (count * 255.0)


def blockiness(luma: Pixels) -> float | None:
    """How much steeper luma (H, W) steps across an 8 x 8 grid than elsewhere: 1 without a grid, more with one.

    Along each axis, with a_p the mean of |y[x+1] - y[x]| over the x with x mod 8 = p: (max a_p + 0.5) / (median of the
    other seven + 0.5); the mean of both axes. The grid may start anywhere, as in crops of a JPEG saved as PNG. Drawn
    patterns that repeat every 8 pixels look the same. None under 16 pixels a side, too few to see a grid in.
    """
    if min(luma.shape) < 2 * GRID:
        return None
    across = _steps(luma[:, 1:], luma[:, :-1]).sum(axis=0, dtype=np.int64) / len(luma)
    down = _steps(luma[1:], luma[:-1]).sum(axis=1, dtype=np.int64) / luma.shape[1]
    return (_grid_ratio(across) + _grid_ratio(down)) / 2


def perceptual_hash(luma: Image.Image) -> int | None:
    """64 bits that stay nearly the same through resizing and recompression; None without the library `imagehash`."""
    library = _imagehash()
    if library is None:
        return None
    small = luma.resize((HASHED_SIDE, HASHED_SIDE), Image.Resampling.BOX)  # cheaper than its Lanczos
    return int(str(library.phash(small)), 16)


def has_perceptual_hash() -> bool:
    """Whether the library for it is installed."""
    return _imagehash() is not None


@cache
def _imagehash() -> ModuleType | None:
    try:
        import imagehash
    except ImportError:
        return None
    return imagehash


def _content_hash(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _middle_luma(native: Image.Image) -> Pixels:
    width, height = native.size
    left, top = max(0, (width - BLOCKINESS_AREA) // 2), max(0, (height - BLOCKINESS_AREA) // 2)
    middle = native.crop((left, top, min(width, left + BLOCKINESS_AREA), min(height, top + BLOCKINESS_AREA)))
    return np.asarray(middle.convert("L"))


def _steps(after: Pixels, before: Pixels) -> Pixels:
    """|after - before| without leaving 8 bits."""
    return np.maximum(after, before) - np.minimum(after, before)


def _grid_ratio(steps: npt.NDArray[np.float64]) -> float:
    """The mean steps (n,) between neighbouring columns, or rows -> how far one phase in 8 stands out."""
    whole = steps[: len(steps) // GRID * GRID].reshape(-1, GRID)
    *others, greatest = sorted(whole.mean(axis=0).tolist())
    return float((greatest + HALF_LEVEL) / (others[len(others) // 2] + HALF_LEVEL))


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
