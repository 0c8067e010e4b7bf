"""Texture, edges and colour of one image: the three raw metrics behind a dataset's complexity, and what defines them.

Picked by their correlation with people's ratings of complexity (`benchmarks/complexity_ratings.py`). All look at the
image at long side 128: from 256 and over four octaves they agreed with people a little less, at three times the cost.

Luma is kept in whole numbers, and values or sums that fit 32 bits are integers, so that no result depends on the order
of a sum: `metrics_device.py` gives the same bits on CUDA. Edges are thinned only at the pixels that are strong. One
image at a time stays in the processor's cache, and numpy releases the interpreter lock, so workers measure in parallel.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

OCTAVES = 2  # of edges; texture is that of the first
WINDOW = 7  # pixels a side of the texture window, and the least side of an octave that counts
HALF_TEXTURE = 0.05  # standard deviation of luma that counts as half textured
EDGE_THRESHOLD = 0.10  # of a full black-to-white step
COLOUR_BITS = 5  # bits kept of each channel
LAB_STEP = 10.0  # side of a bin of colours in CIELAB, where black to white is 100

XYZ_OF_RGB = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))  # IEC 61966-2-1
LAB_BINS = 1184  # that sRGB reaches, numbered from 0
LUMA_WEIGHTS = (299.0, 587.0, 114.0)  # ITU-R BT.601, in thousandths
WHITE = 255_000.0  # whole-number luma of a white pixel: 255 * 1000
TAN_22_5 = 2.0**0.5 - 1.0  # tan 22.5 degrees: where one of the four edge directions ends
FIXED_POINT = 2.0**36  # 36 fractional bits sum exactly over the 2^16 pixels of a working image

DOWN, ACROSS = np.uint8(2), np.uint8(4)  # bits of a direction's code, beside 1 for falling

Pixels = npt.NDArray[np.uint8]
Whole = npt.NDArray[np.int32]
Real = npt.NDArray[np.float64]


def raw_metrics_of_one(thumbnail: Pixels, edge_share: float | None = None) -> tuple[float, float, float]:
    """Texture 0..1, edge share 0..1 and occupied colour bins (1 or more) of one image, in order of METRIC_NAMES.

    `thumbnail`: uint8 (H, W, 3) at long side 128, `edge_share`: its `native_edge_share_of_one`, where that is known.
    Raises ValueError where a side is under 7 pixels.
    """
    if min(thumbnail.shape[:2]) < WINDOW:
        raise ValueError(f"an image needs sides of {WINDOW} pixels or more. Found {thumbnail.shape[:2]}")
    levels = list(octaves(_luma(thumbnail)))
    finest = _edge_share(*levels[0]) if edge_share is None else edge_share
    edges = [finest, *(_edge_share(*level) for level in levels[1:])]
    return float(texture(*levels[0])), sum(edges) / len(edges), float(_occupied_colours(thumbnail))


def native_edge_share_of_one(crop: Pixels) -> float:
    """The edge share 0..1 of single pixels (one octave) of a crop at native size: uint8 (H, W, 3)."""
    return _edge_share(_luma(crop), WHITE)


def _occupied_colours(thumbnail: Pixels) -> int:
    high = (thumbnail >> (8 - COLOUR_BITS)).astype(np.uint16)
    colours = (high[..., 0] << 2 * COLOUR_BITS) | (high[..., 1] << COLOUR_BITS) | high[..., 2]
    occupied = np.zeros(LAB_BINS, dtype=bool)
    occupied[lab_bins().take(colours)] = True
    return int(np.count_nonzero(occupied))


@cache
def lab_bins() -> npt.NDArray[np.int64]:
    """The number of the bin of CIELAB in which each sRGB colour of 5 bits a channel lies: (32768,).

    CIE 1976 L*a*b* of the middle of the colour's cell, rounded to whole steps: so greys lie in the middle of a bin, and
    the last bits of a cube root decide nothing.
    """
    level = (np.arange(2**COLOUR_BITS) + 0.5) / 2**COLOUR_BITS
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    red, green, blue = (channel.ravel() for channel in np.meshgrid(light, light, light, indexing="ij"))
    of_white = [(r * red + g * green + b * blue) / (r + g + b) for r, g, b in XYZ_OF_RGB]
    x, y, z = (np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116) for t in of_white)
    steps = [np.rint(axis / LAB_STEP) for axis in (116 * y - 16, 500 * (x - y), 200 * (y - z))]
    return np.unique(steps[0] * 10_000 + steps[1] * 100 + steps[2], return_inverse=True)[1]


def _luma(pixels: Pixels) -> Whole:
    """Whole-number luma less that of middle grey: (H, W, 3) -> (H, W). No matrix product: BLAS would start threads."""
    luma = np.full(pixels.shape[:2], -int(WHITE) // 2, dtype=np.int32)
    for channel, weight in enumerate(LUMA_WEIGHTS):
        luma += np.multiply(pixels[..., channel], int(weight), dtype=np.int32)
    return luma


def octaves(y: Any) -> Iterator[tuple[Any, float]]:
    """Up to 2 octaves of luma (..., H, W), of numpy or torch, with the value of white in each; one whose short side is
    under 7 pixels does not count.

    Each is the 2 x 2 area average of the one before, an odd last row or column dropped. Sums stand for averages, and
    white grows fourfold instead: so values stay whole.
    """
    white = WHITE
    for _ in range(OCTAVES):
        if min(y.shape[-2:]) < WINDOW:
            return
        yield y, white
        height, width = (side // 2 * 2 for side in y.shape[-2:])
        pairs = y[..., 0:height:2, :] + y[..., 1:height:2, :]
        y = pairs[..., 0:width:2] + pairs[..., 1:width:2]
        white *= 4.0


def texture(y: Any, white: float) -> Any:
    """Mean of s / (s + 0.05) over the 7 x 7 windows wholly inside, s their (population) standard deviation: of luma
    (..., H, W), of numpy or torch.
    """
    count = WINDOW * WINDOW
    squares = y * 1.0
    squares *= squares
    variance, total = _box_sum(squares), _box_sum(y) * 1.0
    variance *= count
    total *= total
    variance -= total  # count^2 * (E[y^2] - E[y]^2); below 0 only where whole numbers are not exact, in float32
    s = variance.clip(min=0.0)
    s **= 0.5
    s /= count * white
    s /= s + HALF_TEXTURE
    s *= FIXED_POINT  # so that the sum is exact in any order
    return s.round().sum((-2, -1)) / (FIXED_POINT * s.shape[-2] * s.shape[-1])


def _box_sum(values: Any) -> Any:
    """Sums over 7 x 7 windows, 7 = 2 + 2 + 2 + 1, rows then columns: (..., H, W) -> (..., H-6, W-6)."""
    for is_down in (True, False):

        def cut(start: int, stop: int, of: Any = values, is_down: bool = is_down) -> Any:
            return of[..., start:stop, :] if is_down else of[..., start:stop]

        n = values.shape[-2 if is_down else -1]
        two = cut(0, n - 1) + cut(1, n)
        seven = cut(0, n - 6, two) + cut(2, n - 4, two)
        seven += cut(4, n - 2, two)
        seven += cut(6, n)
        values = seven
    return values


def _edge_share(y: Whole, white: float) -> float:
    gx, gy, power = _gradient(y)
    inside = (y.shape[0] - 2) * (y.shape[1] - 2)
    strong = np.flatnonzero(power > (4 * white * EDGE_THRESHOLD) ** 2)
    step = _step_along(gx.take(strong), gy.take(strong), row=y.shape[1])
    centre = power.take(strong)
    ridge = (centre > power.take(strong - step)) & (centre >= power.take(strong + step))
    return float(np.count_nonzero(ridge) / inside)


def _gradient(y: Whole) -> tuple[Whole, Whole, Real]:
    """Sobel's gx, gy and gx^2 + gy^2, each flat (H W,); the border's power is 0, its gradients have no meaning."""
    flat, row = y.ravel(), y.shape[1]
    gx, gy, power = np.empty_like(flat), np.empty_like(flat), np.empty(y.shape)
    inner = slice(row + 1, -row - 1)  # all that has neighbours, row running on into row
    gx[inner] = _one_two_one(flat[2:] - flat[:-2], row)
    gy[inner] = _one_two_one(flat[2 * row :] - flat[: -2 * row], 1)
    real = gx[inner].astype(np.float64)
    real *= real
    squared = gy[inner].astype(np.float64)
    squared *= squared
    np.add(real, squared, out=power.ravel()[inner])
    power[[0, -1]] = power[:, [0, -1]] = 0.0
    return gx, gy, power.ravel()


def _one_two_one(flat: Whole, step: int) -> Whole:
    """Weights 1, 2, 1 on three values a step apart: (n,) -> (n - 2 step,)."""
    two = flat[:-step] + flat[step:]
    return two[:-step] + two[step:]


def _step_along(gx: Whole, gy: Whole, row: int) -> npt.NDArray[np.int64]:
    """How far along the flat image the next pixel in the gradient's direction lies, of four: `row` is one row down."""
    width, height = np.abs(gx), np.abs(gy)
    code = ((gx > 0) == (gy > 0)).view(np.uint8)  # falling: from upper left to lower right
    code += DOWN * (width <= TAN_22_5 * height).view(np.uint8)
    code += ACROSS * (height <= TAN_22_5 * width).view(np.uint8)
    steps: npt.NDArray[np.int64] = np.array([row - 1, row + 1, row, row, 1, 1, 1, 1]).take(code)
    return steps
