"""What is noted of one image beside its metrics, while it is decoded: hashes, grey, blockiness, sharpness, ..."""

from __future__ import annotations

import hashlib
import math
from functools import cache
from types import ModuleType
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image

from autocal_cli.dataset.report_record import ImageFacts
from autocal_cli.dataset.sharpness import native_sharpness

FACTS_VERSION = 2  # of what the facts mean: another one makes cached facts unknown
GRID = 8  # pixels a side of a JPEG block (ITU-T T.81)
BLOCKINESS_AREA = 512  # long side of the middle of the image in which the grid is looked for; chosen, untested
GREY_LEVELS = 1  # of 255 between channels: what lossy WebP makes of grey (measured at qualities 30, 80 and 100)
HASHED_SIDE = 32  # pixels a side of which the library takes the 8 x 8 lowest frequencies
HALF_LEVEL = 0.5  # of 255: added to both sides of the ratio, so that a flat image has 1 and not 0 / 0

Pixels = npt.NDArray[np.uint8]


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
