"""The scan's quantities as a script by hand would compute them: scikit-image and scipy, one image after the other.

Written from their definition (metrics.py says it in words), for comparison in scan_speed.py; its area average weighs
pixels by the part that is covered, so that values differ a little from autocal's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage import color, filters, io, transform

WORKING_SIZE, THUMBNAIL_SIZE = 256, 128


def scikit_metrics(path: Path) -> tuple[float, float, int]:
    """Texture, edges and occupied colours of an opaque RGB file."""
    thumbnail = scaled(scaled(io.imread(path)[..., :3] / 255.0, WORKING_SIZE), THUMBNAIL_SIZE)
    y = thumbnail @ np.array([0.299, 0.587, 0.114])
    halved = transform.downscale_local_mean(y[: y.shape[0] // 2 * 2, : y.shape[1] // 2 * 2], (2, 2))
    lab = color.rgb2lab((np.rint(thumbnail * 255) // 8 + 0.5) / 32)
    colours = len(np.unique(np.rint(lab / 10).reshape(-1, 3), axis=0))
    return texture(y), float(np.mean([edge_share(y), edge_share(halved)])), colours


def scaled(image: np.ndarray, long_side: int) -> np.ndarray:
    longest = max(image.shape[:2])
    if longest <= long_side:
        return image
    height, width = (max(1, round(side * long_side / longest)) for side in image.shape[:2])
    return transform.resize_local_mean(image, (height, width), channel_axis=-1)


def texture(y: np.ndarray) -> float:
    inside = (slice(3, -3), slice(3, -3))
    mean, squares = ndimage.uniform_filter(y, 7)[inside], ndimage.uniform_filter(y * y, 7)[inside]
    s = np.sqrt(np.clip(squares - mean * mean, 0, None))
    return float((s / (s + 0.05)).mean())


def edge_share(y: np.ndarray) -> float:
    gx, gy = filters.sobel_v(y), filters.sobel_h(y)
    magnitude = np.hypot(gx, gy)
    magnitude[[0, -1]] = magnitude[:, [0, -1]] = 0.0
    sector = np.round(np.degrees(np.arctan2(gy, gx)) / 45).astype(int) % 4
    thin = np.zeros(y.shape, dtype=bool)
    for number, (dy, dx) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        previous, following = np.roll(magnitude, (dy, dx), (0, 1)), np.roll(magnitude, (-dy, -dx), (0, 1))
        thin |= (sector == number) & (magnitude > previous) & (magnitude >= following)
    return float((thin & (magnitude > 0.10))[1:-1, 1:-1].mean())
