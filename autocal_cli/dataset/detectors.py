"""What the pixels of an image at native size tell of its past: JPEG blocks, enlargement, blur, noise, over-sharpening.

Measured on the luma of up to nine patches spread over the image. Each detector is a number with a unit of its own;
`presets/curation.toml` says from where it counts. benchmarks/curation.py measures what they catch and what not.
"""

from __future__ import annotations

import math

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

Luma = npt.NDArray[np.uint8]
Patches = npt.NDArray[np.int16]


def find_traces(image: Image.Image) -> Traces:
    """The traces in an RGB or grey image at its native size; none under 16 pixels a side."""
    if min(image.size) < LEAST_SIDE:
        return Traces()
    levels = patches_of(image)
    y = levels.astype(np.int16)
    across, down = y[:, :, 1:] - y[:, :, :-1], y[:, 1:] - y[:, :-1]
    detail, noise = _detail_and_noise(y)
    halos, laplacian = _halos_and_laplacian(y, across, down)
    axes = (across, down.swapaxes(1, 2))
    blocks = min(_grid_steps(differences) for differences in axes)
    repeated = min(_repeated_lines(differences) for differences in axes)
    return Traces(
        blocks=blocks,
        detail=detail,
        repeated=repeated,
        rhythm=_rhythm(axes) if detail is not None and detail < SOFT else 0.0,
        noise=noise,
        halos=halos,
        laplacian=laplacian,
        drawn=_is_drawn(levels, across, repeated, blocks),
    )


def patches_of(image: Image.Image) -> Luma:
    """Luma (N, h, w) of one to nine patches in rows and columns over the image; the whole where it is no larger."""
    width, height = (min(PATCH, side) for side in image.size)
    corners = [(left, top) for top in _starts(image.height, height) for left in _starts(image.width, width)]
    return np.stack([np.asarray(image.crop((x, y, x + width, y + height)).convert("L")) for x, y in corners])


def _starts(side: int, patch: int) -> list[int]:
    count = max(1, min(MOST_PATCHES, side // patch))
    return [(side - patch) * (2 * i + 1) // (2 * count) // GRID * GRID for i in range(count)]


def _grid_steps(differences: Patches) -> float:
    """How many levels the steps across the lines of an 8 x 8 grid exceed their neighbours', along the last axis.

    A pixel's step beside the mean of the steps before and behind it, clipped to STEP_CLIP; the mean along each line;
    what seven in ten lines of a phase reach, for each of the 8 phases; the greatest phase less the second. So most
    lines of a phase have to agree, of which a drawn frame or window knows nothing; a strong edge counts no more than a
    faint one; and what repeats every 2 or 4 pixels, as in enlarged images, stands in several phases. The grid may begin
    anywhere, as in crops of a JPEG.
    """
    steps = np.abs(differences)
    excess = 2 * steps[:, :, 1:-1] - steps[:, :, :-2] - steps[:, :, 2:]
    lines = np.clip(excess, -STEP_CLIP, STEP_CLIP).mean(axis=1, dtype=np.float32)
    whole = lines[:, : lines.shape[1] // GRID * GRID].reshape(-1, GRID)
    if not len(whole):
        return 0.0
    phases = np.quantile(whole, AGREEING, axis=0)
    order = np.argsort(phases)
    grid = (int(order[-1]) + 1) % GRID  # of the differences, one before those in the middle of three
    equal = [float((steps[:, :, phase::GRID] == 0).mean()) for phase in range(GRID) if phase != grid]
    if min(equal) >= CONSTANT:
        return 0.0
    return float(phases[order[-1]] - phases[order[-2]])


def _repeated_lines(differences: Patches) -> float:
    """The share of lines that equal the one before, along the last axis, in patches that are not empty."""
    same = ~differences.any(axis=1)
    shares = same.mean(axis=1)
    live = shares[shares < 0.95]
    return float(live.mean()) if len(live) else 0.0


def _detail_and_noise(y: Patches) -> tuple[float | None, float]:
    """Detail relative to coarser detail in the sharpest tiles, and the noise in the quietest.

    e1, e2: mean squares over a tile of y[x-d] - 2 y[x] + y[x+d], both axes together, for d = 1 and 2. For white noise
    of variance v both are 12 v; for smooth luma e1 / e2 = 1/16; for photographs about 0.45 where they are sharp.
    Of e1 = 12 v + t and e2 = 12 v + t / TEXTURE_RATIO follows v where texture and noise are mixed.
    """
    above, over, row, under, below = (y[:, start : y.shape[1] - 4 + start : 2] for start in range(5))  # every other row
    centre = 2 * row[:, :, 2:-2]
    fine = _tile_means(row[:, :, 1:-3] + row[:, :, 3:-1] - centre, over[:, :, 2:-2] + under[:, :, 2:-2] - centre)
    wide = _tile_means(row[:, :, :-4] + row[:, :, 4:] - centre, above[:, :, 2:-2] + below[:, :, 2:-2] - centre)
    contrasted = wide > CONTRAST
    ratios = fine[contrasted] / wide[contrasted]
    detail = float(np.quantile(ratios, SHARPEST)) if len(ratios) else None
    count = max(1, int(len(wide) * QUIETEST))
    quiet = np.argpartition(wide, count - 1)[:count]
    excess = float(np.median(fine[quiet])) - TEXTURE_RATIO * float(np.median(wide[quiet]))
    return detail, math.sqrt(max(0.0, excess / (1 - TEXTURE_RATIO) / 12))


def _tile_means(*parts: Patches) -> npt.NDArray[np.float32]:
    """The mean of the squares of all parts together, (N, h, w) of every other row, over each tile: (tiles,)."""
    count, height, width = parts[0].shape
    high, wide = min(TILE // 2, height), min(TILE, width)
    rows, columns = height // high, width // wide
    total = np.zeros((count, rows * high, columns * wide), dtype=np.float32)
    for part in parts:
        real = part[:, : rows * high, : columns * wide].astype(np.float32)
        real *= real
        total += real
    down = total.reshape(count, rows, high, columns * wide).sum(axis=2)
    return np.asarray(down.reshape(-1, wide).sum(axis=1) / (high * wide))


def _halos_and_laplacian(y: Patches, across: Patches, down: Patches) -> tuple[float, float]:
    """The share of strong edges clipped at black and at white, the lesser of both, and the Laplacian's variance.

    Sharpening drives both sides of an edge to the ends of the range; a blown sky is clipped at one end alone.
    """
    laplacian = across[:, 1:-1, 1:] - across[:, 1:-1, :-1] + down[:, 1:, 1:-1] - down[:, :-1, 1:-1]
    centre = y[:, 1:-1, 1:-1]
    dark, light = laplacian >= STRONG, laplacian <= -STRONG  # the pixel is darker, or lighter, than its neighbours
    black = int(np.count_nonzero(dark & (centre <= 1)))
    white = int(np.count_nonzero(light & (centre >= 254)))
    strong = int(np.count_nonzero(dark)) + int(np.count_nonzero(light))
    real = laplacian.astype(np.float32)
    return min(black, white) / max(strong, LEAST_STRONG), float(real.var())


def _rhythm(axes: tuple[Patches, ...]) -> float:
    """How far one period of the second differences stands out, in the axis where it does less: about 2 without any.

    Interpolated pixels are smoother the farther they lie from those they were made of, which comes back at the period
    of the enlargement (Gallagher 2005, "Detection of linear and cubic interpolation in JPEG compressed images"). Not
    where it is x2, whose pixels all lie equally far.
    """
    found = []
    for differences in axes:
        steps = np.minimum(np.abs(differences[:, :, 1:] - differences[:, :, :-1]), 2 * STEP_CLIP)
        lines = steps.mean(axis=1, dtype=np.float32)
        level = np.median(np.stack([lines[:, i : lines.shape[1] - 4 + i] for i in range(5)]), axis=0)
        rest = lines[:, 2:-2] - level
        length = rest.shape[1] // 12 * 12  # so that periods of 2, 3 and 4 fall on a frequency
        if length < 48:
            return 0.0
        spectrum = np.abs(np.fft.rfft(rest[:, :length] * np.hanning(length), axis=1)).mean(axis=0)
        high = spectrum[np.fft.rfftfreq(length) > 0.2]
        found.append(float(high.max() / max(np.median(high), 1e-6)))
    return min(found)


def _is_drawn(levels: Luma, across: Patches, repeated: float, blocks: float) -> bool:
    """Whether the picture was drawn, not photographed: few levels, or equal neighbours beside the repeated lines."""
    histogram = Image.fromarray(levels.reshape(-1, levels.shape[2])).histogram()
    if 256 - histogram.count(0) < DRAWN_LEVELS:
        return True
    equal = np.count_nonzero(across == 0) / across.size
    return blocks < BLOCKS_IN_PHOTOGRAPHS and bool((equal - repeated) / max(1 - repeated, 1e-6) > DRAWN_EQUAL)
