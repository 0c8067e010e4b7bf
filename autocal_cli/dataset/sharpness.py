"""Native sharpness: the edges in the finest detail of an image, which the working size cannot see.

The edge share of `metrics`, but of one octave alone, that of single pixels, on crops of the image at its native size:
what a training on such crops sees, and what an enlarged or blurred image lacks. A share of pixels, no percentile.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from autocal_cli.dataset.metric_numbers import WINDOW
from autocal_cli.dataset.metrics_cpu import native_edge_share_of_one
from autocal_cli.dataset.report_record import NativeSharpness
from autocal_cli.dataset.sampling import Tally

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
