"""What the pixels of an image at native size tell of its past: JPEG blocks, enlargement, blur, noise, over-sharpening.

Measured on the luma of up to nine patches spread over the image. Each detector is a number with a unit of its own;
`presets/curation.toml` says from where it counts. benchmarks/curation.py measures what they catch and what not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from autocal_cli.dataset.model import Traces

PATCH = 128  # pixels a side
MOST_PATCHES = 3  # along each axis
GRID = 8  # pixels a side of a JPEG block (ITU-T T.81); patches begin at multiples of it
TILE = 14  # pixels a side of the tiles in which detail and noise are looked for
LEAST_SIDE = 2 * GRID  # of an image that is looked at

AGREEING = 0.3  # quantile over the lines of a phase: the others may know nothing of a grid
STEP_CLIP = 4  # levels: how far one pixel counts towards a line of the grid, so that a drawn edge counts no more
CONSTANT = 0.97  # share of equal neighbours inside the blocks: a drawing on a raster of 8 pixels, which no JPEG is
CONTRAST = 25.0  # least mean square of wide second differences (levels squared) of a tile that can show detail
SHARPEST, QUIETEST = 0.9, 0.05  # quantile, and share, of tiles: a photograph is sharp somewhere, and quiet somewhere
TEXTURE_RATIO = 0.6  # e1 / e2 (see `_detail_and_noise`) that texture alone hardly passes; noise alone has 1
SOFT = 0.34  # detail under which a period is looked for
STRONG = 30  # levels of the Laplacian at a strong edge
LEAST_STRONG = 500  # strong pixels, that a few clipped ones do not count as many
DRAWN_LEVELS = 64  # fewer levels of luma, or
DRAWN_EQUAL = 0.6  # more equal neighbours, have drawings alone
BLOCKS_IN_PHOTOGRAPHS = 0.25  # coarse JPEGs have as many equal neighbours as drawings, and this much of a grid

ACROSS, DOWN = 0, 1

Luma = npt.NDArray[np.uint8]
Patches = npt.NDArray[np.int16]  # (N, h, w)
Flat = npt.NDArray[np.int16]
Real = npt.NDArray[np.float32]


def find_traces(image: Image.Image) -> Traces:
    """The traces in an RGB or grey image at its native size; none under 16 pixels a side."""
    if min(image.size) < LEAST_SIDE:
        return Traces()
    levels = patches_of(image)
    # One patch at a time: arrays of all take memory from the system anew each time, which costs more than the sums.
    several = [levels[i : i + 1].astype(np.int16) for i in range(len(levels))]
    axes = [_joined(_along(y, axis) for y in several) for axis in (ACROSS, DOWN)]
    detail, noise = _detail_and_noise(*_joined(_tile_energies(y) for y in several))
    halos, laplacian = _halos_and_laplacian(several)
    blocks = min(_grid_steps(excess, zeros) for excess, zeros in axes)
    repeated = min(_repeated_lines(zeros) for _, zeros in axes)
    return Traces(
        blocks=blocks,
        detail=detail,
        repeated=repeated,
        rhythm=_rhythm(several) if detail is not None and detail < SOFT else 0.0,
        noise=noise,
        halos=halos,
        laplacian=laplacian,
        drawn=_is_drawn(levels, axes[ACROSS][1], repeated, blocks),
    )


def _joined(parts: Iterable[tuple[Real, Real]]) -> tuple[Real, Real]:
    first, second = zip(*parts, strict=True)
    return np.concatenate(first), np.concatenate(second)


# Steps from pixel to pixel along one axis of patches (N, h, w) are taken flat, a stride from one to the next: row runs
# on into row, and patch into patch, which is faster than row by row; what lies over an end is left out at last.


def _along(y: Patches, axis: int) -> tuple[Real, Real]:
    """Of each line across an axis, (N, lines) both: by how much the steps there exceed those before and behind it, on
    average and clipped to STEP_CLIP; and the share of its pixels that make no step.
    """
    stride = y.shape[2] if axis == DOWN else 1
    steps = _differences(y.reshape(-1), stride)
    zeros = _line_means(steps == 0, y.shape, axis, 1)
    np.abs(steps, out=steps)
    excess = 2 * steps[stride:-stride]
    excess -= steps[: -2 * stride]
    excess -= steps[2 * stride :]
    return _line_means(np.clip(excess, -STEP_CLIP, STEP_CLIP, out=excess), y.shape, axis, 3), zeros


def _differences(flat: Flat, stride: int) -> Flat:
    return flat[stride:] - flat[:-stride]


def _line_means(values: npt.NDArray[Any], shape: tuple[int, ...], axis: int, short: int) -> Real:
    """Means along the lines across an axis of flat values, which are `short` by so many strides: (N, lines)."""
    whole = np.zeros(shape, dtype=np.int16)
    whole.reshape(-1)[: len(values)] = values
    along = 1 if axis == ACROSS else 2
    sums = whole.sum(axis=along, dtype=np.int16)
    return np.asarray(sums[:, : sums.shape[1] - short] / np.float32(shape[along]), dtype=np.float32)


def patches_of(image: Image.Image) -> Luma:
    """Luma (N, h, w) of one to nine patches in rows and columns over the image; the whole where it is no larger."""
    width, height = (min(PATCH, side) for side in image.size)
    corners = [(left, top) for top in _starts(image.height, height) for left in _starts(image.width, width)]
    return np.stack([np.asarray(image.crop((x, y, x + width, y + height)).convert("L")) for x, y in corners])


def _starts(side: int, patch: int) -> list[int]:
    count = max(1, min(MOST_PATCHES, side // patch))
    return [(side - patch) * (2 * i + 1) // (2 * count) // GRID * GRID for i in range(count)]


def _grid_steps(lines: Real, zeros: Real) -> float:
    """How many levels the steps across the lines of an 8 x 8 grid exceed their neighbours', along an axis.

    A pixel's step beside the mean of the steps before and behind it, clipped to STEP_CLIP; the mean along each line;
    what seven in ten lines of a phase reach, for each of the 8 phases; the greatest phase less the second. So most
    lines of a phase have to agree, of which a drawn frame or window knows nothing; a strong edge counts no more than a
    faint one; and what repeats every 2 or 4 pixels, as in enlarged images, stands in several phases. The grid may begin
    anywhere, as in crops of a JPEG.
    """
    whole = lines[:, : lines.shape[1] // GRID * GRID].reshape(-1, GRID)
    if not len(whole):
        return 0.0
    phases = np.quantile(whole, AGREEING, axis=0)
    order = np.argsort(phases)
    grid = (int(order[-1]) + 1) % GRID  # of the differences, one before those in the middle of three
    equal = zeros[:, : zeros.shape[1] // GRID * GRID].reshape(-1, GRID).mean(axis=0)
    if np.delete(equal, grid).min() >= CONSTANT:
        return 0.0
    return float(phases[order[-1]] - phases[order[-2]])


def _repeated_lines(zeros: Real) -> float:
    """The share of lines that equal the one before, along an axis, in patches that are not empty."""
    shares = (zeros == 1.0).mean(axis=1)
    live = shares[shares < 0.95]
    return float(live.mean()) if len(live) else 0.0


def _detail_and_noise(fine: Real, wide: Real) -> tuple[float | None, float]:
    """Detail relative to coarser detail in the sharpest tiles, and the noise in the quietest.

    e1, e2: mean squares over a tile of y[x-d] - 2 y[x] + y[x+d], both axes together, for d = 1 and 2. For white noise
    of variance v both are 12 v; for smooth luma e1 / e2 = 1/16; for photographs about 0.45 where they are sharp.
    Of e1 = 12 v + t and e2 = 12 v + t / TEXTURE_RATIO follows v where texture and noise are mixed.
    """
    contrasted = wide > CONTRAST
    ratios = fine[contrasted] / wide[contrasted]
    detail = float(np.quantile(ratios, SHARPEST)) if len(ratios) else None
    count = max(1, int(len(wide) * QUIETEST))
    quiet = np.argpartition(wide, count - 1)[:count]
    excess = float(np.median(fine[quiet])) - TEXTURE_RATIO * float(np.median(wide[quiet]))
    return detail, math.sqrt(max(0.0, excess / (1 - TEXTURE_RATIO) / 12))


def _tile_energies(y: Patches) -> tuple[Real, Real]:
    """The mean squares for d = 1 and 2 of each tile, (tiles,), of every other row."""
    height, width = y.shape[1] // 2 * 2, y.shape[2]
    even, odd = (np.ascontiguousarray(y[:, first:height:2]).reshape(-1) for first in (0, 1))
    inner = slice(width, len(even) - width)  # every row but the first and the last, which have none above or below
    centre = 2 * even[inner]
    tiles = []
    for near, above, below in ((1, odd[: -2 * width], odd[inner]), (2, even[: -2 * width], even[2 * width :])):
        across = even[width - near : inner.stop - near] + even[width + near : inner.stop + near]
        energy = np.zeros(len(even), dtype=np.float32)
        for second in (across - centre, above + below - centre):
            real = second.astype(np.float32)
            real *= real
            energy[inner] += real
        tiles.append(_tile_means(energy.reshape(len(y), -1, width)[:, 1:-1]))
    return tiles[0], tiles[1]


def _tile_means(energy: Real) -> Real:
    """The mean over each tile of every other row (N, h, w), without two columns at either side: (tiles,)."""
    count, height, width = energy.shape
    high, wide = min(TILE // 2, height), min(TILE, width - 4)
    rows, columns = height // high, (width - 4) // wide
    down = energy[:, : rows * high].reshape(count, rows, high, width).sum(axis=2)
    inside = down[:, :, 2 : 2 + columns * wide].reshape(-1, wide)
    return np.asarray(inside.sum(axis=1) / (high * wide))


def _halos_and_laplacian(several: Sequence[Patches]) -> tuple[float, float]:
    """The share of strong edges clipped at black and at white, the lesser of both, and the Laplacian's variance.

    Sharpening drives both sides of an edge to the ends of the range; a blown sky is clipped at one end alone.
    """
    black = white = strong = count = 0
    total = squares = 0.0
    for y in several:
        laplacian = _laplacian(y)
        dark, light = laplacian >= STRONG, laplacian <= -STRONG  # the pixel is darker, or lighter, than its neighbours
        black += int(np.count_nonzero(dark & (y <= 1)))
        white += int(np.count_nonzero(light & (y >= 254)))
        strong += int(np.count_nonzero(dark)) + int(np.count_nonzero(light))
        count += len(y) * (y.shape[1] - 2) * (y.shape[2] - 2)
        real = laplacian.astype(np.float32)
        total += float(real.sum())
        real *= real
        squares += float(real.sum())
    return min(black, white) / max(strong, LEAST_STRONG), squares / count - (total / count) ** 2


def _laplacian(y: Patches) -> Patches:
    """The sum of the four neighbours less four times the pixel, 0 at the borders of a patch."""
    flat, row, laplacian = y.reshape(-1), y.shape[2], np.zeros_like(y)
    inner = laplacian.reshape(-1)[row:-row]
    np.multiply(flat[row:-row], -4, out=inner)
    for shifted in (flat[row - 1 : -row - 1], flat[row + 1 : len(flat) - row + 1], flat[: -2 * row], flat[2 * row :]):
        inner += shifted
    laplacian[:, [0, -1]] = laplacian[:, :, [0, -1]] = 0
    return laplacian


def _rhythm(several: Sequence[Patches]) -> float:
    """How far one period of the second differences stands out, in the axis where it does less: about 2 without any.

    Interpolated pixels are smoother the farther they lie from those they were made of, which comes back at the period
    of the enlargement (Gallagher 2005, "Detection of linear and cubic interpolation in JPEG compressed images"). Not
    where it is x2, whose pixels all lie equally far.
    """
    found = []
    for axis in (ACROSS, DOWN):
        lines = np.concatenate([_second_lines(y, axis) for y in several])
        level = np.median(np.stack([lines[:, i : lines.shape[1] - 4 + i] for i in range(5)]), axis=0)
        rest = lines[:, 2:-2] - level
        length = rest.shape[1] // 12 * 12  # so that periods of 2, 3 and 4 fall on a frequency
        if length < 48:
            return 0.0
        spectrum = np.abs(np.fft.rfft(rest[:, :length] * np.hanning(length), axis=1)).mean(axis=0)
        high = spectrum[np.fft.rfftfreq(length) > 0.2]
        found.append(float(high.max() / max(np.median(high), 1e-6)))
    return min(found)


def _second_lines(y: Patches, axis: int) -> Real:
    """The mean size of the second differences, clipped, of each line across an axis: (N, lines)."""
    stride = y.shape[2] if axis == DOWN else 1
    seconds = np.abs(_differences(_differences(y.reshape(-1), stride), stride))
    return _line_means(np.minimum(seconds, 2 * STEP_CLIP, out=seconds), y.shape, axis, 2)


def _is_drawn(levels: Luma, zeros: Real, repeated: float, blocks: float) -> bool:
    """Whether the picture was drawn, not photographed: few levels, or equal neighbours beside the repeated lines."""
    histogram = Image.fromarray(levels.reshape(-1, levels.shape[2])).histogram()
    if 256 - histogram.count(0) < DRAWN_LEVELS:
        return True
    equal = float(zeros.mean())
    return blocks < BLOCKS_IN_PHOTOGRAPHS and bool((equal - repeated) / max(1 - repeated, 1e-6) > DRAWN_EQUAL)
