"""What is noted of one image beside its metrics, while it is decoded: hashes, grey, sharpness, and what its pixels at
native size tell of its past: JPEG blocks, enlargement, blur, noise, over-sharpening.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from autocal_cli.dataset.metrics import WINDOW, Pixels, native_edge_share_of_one
from autocal_cli.dataset.model import ImageFacts, NativeSharpness, Traces
from autocal_cli.dataset.sampling import Tally

FACTS_VERSION = 12  # of what the facts mean: another one makes cached facts unknown
GREY_LEVELS = 1  # of 255 between channels: what lossy WebP makes of grey (measured at qualities 30, 80 and 100)
HASHED_SIDE = 32  # pixels a side of the image whose lowest frequencies are hashed
HASH_SIDE = 8  # frequencies along each axis

Box = tuple[int, int, int, int]  # left, top, right, bottom


def gather_facts(
    name: str, file: IO[bytes], native: Image.Image, working: Pixels, crop: int, alpha: bool = False
) -> ImageFacts:
    """The facts of an image: its open file, its pixels at native size, its working image; `crop` is the training's."""
    is_small = native.size == working.shape[1::-1]
    luma = (native if is_small else Image.fromarray(working)).convert("L")
    spread, entropy = spread_of(luma)
    file.seek(0)
    return ImageFacts(
        path=name,
        sha256=hashlib.file_digest(file, "sha256").hexdigest(),  # type: ignore[arg-type]
        grey=is_grey(working),
        alpha=alpha,
        deviation=spread,
        entropy=entropy,
        perceptual_hash=perceptual_hash(luma),
        native_sharpness=native_sharpness(native, crop),
        traces=find_traces(luma if is_small else native),
        mean=mean_colour(working),
    )


def mean_colour(pixels: Pixels) -> tuple[float, float, float]:
    """The mean of red, green and blue in levels of 255, of every fourth pixel in every fourth row (H, W, 3)."""
    channels = (pixels[::4, ::4, channel] for channel in range(3))
    red, green, blue = (int(channel.sum()) / channel.size for channel in channels)
    return red, green, blue


def is_grey(pixels: Pixels) -> bool:
    """Whether red, green and blue are equal to a level throughout (H, W, 3), whatever mode the file has."""
    for part in (pixels[::8, ::8], pixels):  # most show colour at the first glance
        red, green, blue = (part[:, :, channel] for channel in range(3))
        most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
        if (most - least > GREY_LEVELS).any():
            return False
    return True


def spread_of(luma: Image.Image) -> tuple[float, float]:
    """Standard deviation of 8-bit luma, 0..0.5, in whole numbers up to the last step, and entropy in bits, 0..8."""
    counts = np.array(luma.histogram())
    count, total, squares = (_POWERS @ counts).tolist()
    present = counts[counts > 0]
    entropy = math.log2(count) - float(present @ np.log2(present)) / count
    return math.sqrt(count * squares - total * total) / (count * 255.0), max(0.0, entropy)


_POWERS = np.arange(256) ** np.arange(3)[:, None]
_FREQUENCIES = np.cos(np.pi * np.outer(np.arange(HASH_SIDE), 2 * np.arange(HASHED_SIDE) + 1) / (2 * HASHED_SIDE))


def perceptual_hash(luma: Image.Image) -> int:
    """64 bits that stay nearly the same through resizing and recompression: signs of the lowest 8 x 8 cosines.

    Bit 8 v + u is 1 where the coefficient of frequencies v (down) and u (across) is positive; that of the mean is 0.
    So the hashes of the flipped and turned image follow from it: `health.turned`.
    """
    small = np.asarray(luma.resize((HASHED_SIDE, HASHED_SIDE), Image.Resampling.BOX), dtype=np.float64)
    positive = (_FREQUENCIES @ small @ _FREQUENCIES.T > 0).ravel()
    positive[0] = False
    return int.from_bytes(np.packbits(positive, bitorder="little").tobytes(), "little")


# Native sharpness: the edge share of `metrics`, but of one octave alone, that of single pixels, on crops of the image
# at its native size: what a training on such crops sees, and what an enlarged or blurred image lacks.

NATIVE_CROP = 128  # side of the crops where the training's own is not known; chosen, untested
FULL_SCALE = 0.5  # edge share where the histogram ends: every other pixel. 100 photographs of BSDS500 reach 0.39
STEPS = 20  # of the histogram

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


def summarise_sharpness(values: npt.ArrayLike, population: int, side: int) -> NativeSharpness:
    """What the images that were read, one or more, say of all `population` of them."""
    shares = np.asarray(values)
    tally = Tally(len(shares), shares.sum(keepdims=True), (shares**2).sum(keepdims=True))
    mean, width = float(shares.mean()), float(tally.half_widths(population)[0])
    p5, median, p95 = np.quantile(shares, (0.05, 0.5, 0.95)).tolist()
    steps = np.minimum((shares * (STEPS / FULL_SCALE)).astype(int), STEPS - 1)
    histogram = tuple(np.bincount(steps, minlength=STEPS).tolist())
    return NativeSharpness(side, mean, (max(0.0, mean - width), mean + width), p5, median, p95, histogram)


# Traces, measured on the luma of up to nine patches spread over the image. Each detector is a number with a unit of its
# own; `presets/curation.toml` says from where it counts, benchmarks/curation.py measures what they catch and what not.

PATCH = 128  # pixels a side
MOST_PATCHES = 3  # along each axis
GRID = 8  # pixels a side of a JPEG block (ITU-T T.81); patches begin at multiples of it
TILE = 14  # pixels a side of the tiles in which detail and noise are looked for
LEAST_SIDE = 2 * GRID  # of an image that is looked at

STEPS_TRIED = np.array([*range(2, 32), *range(32, 66, 2)])  # 2 at JPEG quality 90, 5 at 80, 12 at 50, 60 at 10; so few
# that BLAS starts no thread for them
COMB = 0.5  # mean cosine, 1 where all are multiples; photographs stay below 0, JPEGs of quality 85 above 0.7
LEAST_COUNT = 15  # odd, and even, multiples of a step among the coefficients of a frequency
AGREEING = 0.3  # quantile over the lines of a phase: the others may know nothing of a grid
STEP_CLIP = 4  # levels: how far one pixel counts towards a line of the grid, so that a drawn edge counts no more
STANDS_OUT = 0.005  # of such relative steps, 0.5 where all are equal: 6 in 10 photographs without a grid reach it along
# both axes; where a step is found, 95 of 100 JPEGs of quality 90 do, 98 of quality 70 (as COMB: seen by hand, once)
CONSTANT = 0.97  # share of equal neighbours inside the blocks: a drawing on a raster of 8 pixels, which no JPEG is
CONTRAST = 25.0  # least mean square of wide second differences (levels squared) of a tile that can show detail
SHARPEST, QUIETEST = 0.9, 0.05  # quantile, and share, of tiles: a photograph is sharp somewhere, and quiet somewhere
TEXTURE_RATIO = 0.6  # e1 / e2 (see `_detail_and_noise`) that texture alone hardly passes; noise alone has 1
TEXTURE_DIAGONAL = 2.0  # e3 / e1, the same of texture; noise alone has 3
SPAN = 32  # lines of a part in which lines may repeat; x1.5 repeats 10 of them or 11
GRID_BLOCKS = 0.18  # from which there is a grid, which is a rhythm and repeats lines too
SOFT = 0.4  # detail under which a period is looked for
RIM, PLATEAU = 3, 7  # pixels from an edge to the end of its rim, and to that of what is compared with it
STEEP, HEIGHT = 50, 80  # levels over two pixels, and from plateau to plateau, at a steep edge
BLACK, PAPER = 10, 245  # a plateau darker than that leaves no room to overshoot; a pixel lighter may be that of a text
OVERSHOOT = 0.25  # of the height, on both sides; these bounds were chosen by benchmarks/curation.py
LEAST_STEEP = 75  # edges, that one or two of a few do not count as many
DRAWN_LEVELS = 64  # fewer levels of luma, or
DRAWN_EQUAL = 0.6  # more equal neighbours, have drawings alone
BLOCKS_IN_PHOTOGRAPHS = 0.25  # coarse JPEGs have as many equal neighbours as drawings, and this much of a grid,
COARSE = 30  # or less than this quality

ACROSS, DOWN = 0, 1
_BESIDE = np.arange(-PLATEAU, PLATEAU + 1)[:, None]

Luma = npt.NDArray[np.uint8]
Patches = npt.NDArray[np.int16]  # luma (n, h, w)
Real = npt.NDArray[np.float32]


def find_traces(image: Image.Image) -> Traces:
    """The traces in an RGB or grey image at its native size; none under 16 pixels a side."""
    if min(image.size) < LEAST_SIDE:
        return Traces()
    levels = patches_of(image)
    patches = levels.astype(np.int16)
    excess, zeros, seconds = zip(*(_along(patches, axis) for axis in (ACROSS, DOWN)), strict=True)
    detail, noise = _detail_and_noise(patches, seconds)
    blocks = min(map(_grid_steps, excess, zeros))
    repeated, blank = map(min, zip(*map(_repeated_lines, zeros), strict=True))
    quality = _jpeg_quality(patches[:: -(-len(patches) // 2)])  # two tell as much as nine
    grid = quality is not None or blocks >= GRID_BLOCKS
    coarse = blocks >= BLOCKS_IN_PHOTOGRAPHS or (quality is not None and quality < COARSE)
    return Traces(
        blocks=blocks,
        detail=detail,
        repeated=repeated,
        rhythm=_rhythm(seconds, grid) if detail is not None and detail < SOFT else 0.0,
        noise=noise,
        halos=_halos(levels),
        laplacian=_laplacian_variance(seconds),
        drawn=_is_drawn(levels, zeros[ACROSS], blank, coarse),
        jpeg_quality=quality,
    )


# Steps along one axis of patches are taken flat, a stride from one to the next: row runs on into row, and patch into
# patch, which is faster than row by row; lines that such steps or unset memory reach are left out at last.


def _quantile(values: Real, share: float) -> Real:
    """The value of the nearest rank, along the first axis: NumPy's quantile between two takes ten times as long."""
    rank = round(share * (len(values) - 1))
    return np.asarray(np.partition(values, rank, axis=0)[rank])


def _along(y: Patches, axis: int) -> tuple[Real, Real, Patches]:
    """Of each line across an axis, (n, lines) both: by how much the steps there exceed those before and behind it, on
    average and clipped to STEP_CLIP; and the share of its pixels that make no step. And each pixel's second difference.
    """
    flat, stride = y.ravel(), y.shape[2] if axis == DOWN else 1
    excess, seconds, equal = np.empty_like(y), np.empty_like(y), np.empty(y.shape, dtype=bool)
    steps = flat[stride:] - flat[:-stride]
    np.subtract(steps[stride:], steps[:-stride], out=seconds.ravel()[stride:-stride])
    np.equal(steps, 0, out=equal.ravel()[:-stride])
    np.abs(steps, out=steps)
    inner = np.multiply(steps[stride:-stride], 2, out=excess.ravel()[: -3 * stride])
    inner -= steps[: -2 * stride]
    inner -= steps[2 * stride :]
    np.clip(inner, -STEP_CLIP, STEP_CLIP, out=inner)
    return _line_means(excess, axis)[:, :-3], _line_means(equal.view(np.uint8), axis)[:, :-1], seconds


def _line_means(values: npt.NDArray[Any], axis: int) -> Real:
    """Means along the lines across an axis: (n, lines). Their sums have to fit the type of the values."""
    sums = np.einsum("ijk->ij" if axis == DOWN else "ijk->ik", values)  # half as long as NumPy's sum
    return np.asarray(sums / np.float32(values.shape[1 + axis]), dtype=np.float32)


def patches_of(image: Image.Image) -> Luma:
    """Luma (N, h, w) of one to nine patches in rows and columns over the image; the whole where it is no larger."""
    width, height = (min(PATCH, side) for side in image.size)
    corners = [(left, top) for top in _starts(image.height, height) for left in _starts(image.width, width)]
    tiles = b"".join([image.crop((x, y, x + width, y + height)).convert("L").tobytes() for x, y in corners])
    return np.frombuffer(tiles, dtype=np.uint8).reshape(-1, height, width)


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
    phases = _quantile(whole, AGREEING)
    order = np.argsort(phases)
    grid = (int(order[-1]) + 1) % GRID  # of the differences, one before those in the middle of three
    equal = zeros[:, : zeros.shape[1] // GRID * GRID].reshape(-1, GRID).mean(axis=0)
    equal[grid] = 1.0
    if equal.min() >= CONSTANT:
        return 0.0
    return float(phases[order[-1]] - phases[order[-2]])


def _likely_grid(y: Patches) -> int | None:
    """The row in which an 8 x 8 grid may begin: that of the greatest steps beside their neighbours; None: no row is."""
    steps = _line_means(np.clip(np.abs(np.diff(y, axis=1)), 0, STEP_CLIP), DOWN) + np.float32(0.02)  # so never 0
    relative = steps[:, 1:-1] / (steps[:, :-2] + steps[:, 2:])
    phases = relative[:, : relative.shape[1] // GRID * GRID].reshape(-1, GRID).mean(axis=0)
    if phases.max() - phases.mean() < STANDS_OUT:
        return None
    return (int(phases.argmax()) + 2) % GRID  # the first step in the middle is that into the third row


_COSINES = np.cos(np.pi * np.outer(np.arange(3), 2 * np.arange(GRID) + 1) / (2 * GRID)) / np.array([[8**0.5], [2], [2]])
_LOWEST = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))  # frequencies of a block, down and across
_BASIS = np.stack([np.outer(_COSINES[v], _COSINES[u]).ravel() for v, u in _LOWEST], axis=1).astype(np.float32)
_MAGNITUDES = np.arange(256)[:, None]  # of coefficients; the last stands for all that are greater
_TIMES = np.rint(_MAGNITUDES / STEPS_TRIED) * (_MAGNITUDES < 255)
_ODD, _EVEN = _TIMES % 2 == 1, (_TIMES % 2 == 0) & (_TIMES > 0)
_NEARNESS = np.cos(2 * np.pi * _MAGNITUDES / STEPS_TRIED)
_COMBS = np.hstack([_ODD, _EVEN, _ODD * _NEARNESS, _EVEN * _NEARNESS]).astype(np.float32)


def _jpeg_quality(y: Patches) -> float | None:
    """The quality of libjpeg whose tables (ITU-T T.81, annex K) have the steps that are found: 12 at quality 50."""
    step = _quantised(y, 0, 0)
    if not step and (top := _likely_grid(y)) is not None and (left := _likely_grid(y.swapaxes(1, 2))) is not None:
        step = _quantised(y, top, left)
    if not step:
        return None
    return 100 - 50 * step / 12 if step < 12 else 600 / step


def _quantised(y: Patches, top: int, left: int) -> float:
    """The step of which the low frequencies of 8 x 8 blocks that begin there are multiples; 0 where of none.

    As JPEG leaves them, and nothing else (Fan and de Queiroz 2003, "Identification of bitmap compression history: JPEG
    detection and quantizer estimation"). For each frequency the greatest step for which the mean of cos(2 pi c / step)
    over its coefficients c is above COMB, both over odd multiples and over even ones: what repeats in a drawing has one
    value. Without JPEG the mean is below 0, for small coefficients are the more frequent. The median of five of them.
    """
    high, wide = (y.shape[1] - top) // GRID, (y.shape[2] - left) // GRID
    blocks = y[:, top : top + high * GRID, left : left + wide * GRID].reshape(-1, high, GRID, wide, GRID).swapaxes(2, 3)
    magnitudes = np.abs(blocks.reshape(-1, GRID * GRID).astype(np.float32) @ _BASIS)
    places = np.minimum(magnitudes + 0.5, 255).astype(np.intp) + 256 * np.arange(len(_LOWEST))
    counts = np.bincount(places.ravel(), minlength=256 * len(_LOWEST)).reshape(-1, 256).astype(np.float32)
    odd, even, near_odd, near_even = (counts @ _COMBS).reshape(len(_LOWEST), 4, -1).swapaxes(0, 1)
    combed = (near_odd > COMB * odd) & (near_even > COMB * even) & (np.minimum(odd, even) >= LEAST_COUNT)
    return float(sorted((STEPS_TRIED * combed).max(axis=1))[len(_LOWEST) // 2])


def _repeated_lines(zeros: Real) -> tuple[float, float]:
    """The share of lines that equal the one before, along an axis, which most parts that are not empty reach, and in
    all patches that are not empty: what is enlarged repeats lines everywhere, a drawing where it is blank.
    """
    part = min(SPAN, zeros.shape[1])
    same = zeros == 1.0
    parts, whole = same[:, : same.shape[1] // part * part].reshape(-1, part).mean(axis=1), same.mean(axis=1)
    parts, whole = (shares[shares < 0.95] for shares in (parts, whole))
    average = float(whole.mean()) if len(whole) else 0.0
    return min(average, float(_quantile(parts, AGREEING))) if len(parts) else 0.0, average


def _detail_and_noise(y: Patches, seconds: Sequence[Patches]) -> tuple[float | None, float]:
    """Detail relative to coarser detail in the sharpest tiles, and the noise in the quietest.

    e1, e2: mean squares over a tile of y[x-d] - 2 y[x] + y[x+d], both axes together, for d = 1 and 2. For white noise
    of variance v both are 12 v; for smooth luma e1 / e2 = 1/16; for photographs about 0.45 where they are sharp.
    e3: that of the second difference down of the one across, 36 v for white noise (Immerkaer 1996, "Fast noise variance
    estimation"). Where texture t and noise are mixed e1 = 12 v + t, e2 = 12 v + t / TEXTURE_RATIO and e3 = 36 v + t
    TEXTURE_DIAGONAL; v is the lesser that follows, for fine texture seldom is as fine along the diagonals too.
    """
    fine, wide = _tile_energies(y, seconds)
    contrasted = wide > CONTRAST
    ratios = fine[contrasted] / wide[contrasted]
    detail = float(_quantile(ratios, SHARPEST)) if len(ratios) else None
    count = max(1, int(len(wide) * QUIETEST))
    quiet = np.argpartition(wide, count - 1)[:count]
    energies = np.sort([fine[quiet], wide[quiet], _diagonal_energies(seconds[ACROSS], quiet)])
    e1, e2, e3 = energies[:, [(count - 1) // 2, count // 2]].mean(axis=1).tolist()  # medians
    by_scale = (e1 - TEXTURE_RATIO * e2) / (12 * (1 - TEXTURE_RATIO))
    by_diagonal = (e3 - TEXTURE_DIAGONAL * e1) / (12 * (3 - TEXTURE_DIAGONAL))
    return detail, math.sqrt(max(0.0, min(by_scale, by_diagonal)))


def _tiling(y: Patches) -> tuple[int, int, int, int]:
    """Height in pairs of rows and width of the tiles of a patch, and how many it has down and across."""
    height, width = y.shape[1] // 2, y.shape[2]
    high, wide = min(TILE // 2, height - 2), min(TILE, width - 4)
    return high, wide, (height - 2) // high, (width - 4) // wide


def _diagonal_energies(across: Patches, tiles: npt.NDArray[np.intp]) -> Real:
    """e3 of some of the tiles, from the second differences across."""
    high, wide, rows, columns = _tiling(across)
    windows = np.lib.stride_tricks.sliding_window_view(across, (2 * high + 2, wide), axis=(1, 2))  # and a row around
    places = np.unravel_index(tiles, (len(across), rows, columns))
    inside = windows[:, 1 :: 2 * high, 2::wide][places].astype(np.float32)
    second = inside[:, :-2] - 2 * inside[:, 1:-1] + inside[:, 2:]
    return np.asarray(np.einsum("ijk,ijk->i", second, second) / (2 * high * wide))


def _tile_energies(y: Patches, seconds: Sequence[Patches]) -> tuple[Real, Real]:
    """The mean squares for d = 1 and 2 of each tile, (tiles,), of every other row, without two columns at a side."""
    (count, _, width), height = y.shape, y.shape[1] // 2
    high, wide, rows, columns = _tiling(y)
    even = np.ascontiguousarray(y[:, : 2 * height : 2]).ravel()
    coarse = np.empty((2, len(even)), dtype=np.int16)
    inner = slice(width, len(even) - width)  # every row but the first and the last, which have none above or below
    np.add(even[width - 2 : inner.stop - 2], even[width + 2 : inner.stop + 2], out=coarse[ACROSS, inner])
    np.add(even[: -2 * width], even[2 * width :], out=coarse[DOWN, inner])
    coarse[:, inner] -= 2 * even[inner]
    tiles = []
    for across, down in ([one[:, : 2 * height : 2] for one in seconds], coarse.reshape(2, count, height, width)):
        level, plumb = across.astype(np.float32), down.astype(np.float32)
        level *= level
        plumb *= plumb
        level += plumb
        summed = np.ones(high, dtype=np.float32) @ level[:, 1 : 1 + rows * high].reshape(count, rows, high, width)
        inside = summed[:, :, 2 : 2 + columns * wide].reshape(-1, wide)
        tiles.append(np.einsum("ij->i", inside) / (high * wide))
    return tiles[0], tiles[1]


def _halos(levels: Luma) -> float:
    """The share of steep edges that overshoot on both sides, of some rows and columns.

    From an edge, RIM pixels to a side are its rim, and those beyond, up to PLATEAU, the plateau it should have reached.
    Sharpening makes the dark rim darker and the light rim lighter than their plateaus by a share of the edge's height;
    texture and thin lines seldom do both at once. Steep places that rise within what falls count as edges too.
    """
    steep = overshooting = 0
    every = max(2, len(levels) - 1)  # so that many patches take no longer than few
    for lines in (levels[:, ::every], levels[:, :, ::every].swapaxes(1, 2)):
        width, pixels = lines.shape[2], np.ascontiguousarray(lines, dtype=np.int16).ravel()
        steps = pixels[2:] - pixels[:-2]  # about the pixel one farther
        sizes = np.abs(steps)
        at = np.flatnonzero(sizes >= STEEP)
        column = at % width
        at = at[(column >= PLATEAU) & (column < width - PLATEAU - 2)]
        at = at[(sizes[at] >= sizes[at - 1]) & (sizes[at] > sizes[at + 1])]
        rising = pixels[at + 1 + np.sign(steps[at]) * _BESIDE]  # from dark to light
        first, last = rising[: PLATEAU - RIM], rising[RIM - PLATEAU :]
        low, high = rising[PLATEAU - RIM : PLATEAU].min(axis=0), rising[PLATEAU + 1 : RIM - PLATEAU].max(axis=0)
        dark, light = first.mean(axis=0), last.mean(axis=0)
        height, lightest = light - dark, np.maximum(first.max(axis=0), last.max(axis=0))
        counts = (np.abs(height) >= HEIGHT) & (np.minimum(dark, light) >= BLACK) & (lightest <= PAPER)
        steep += int(np.count_nonzero(counts))
        over = np.minimum(high - light, dark - low) >= OVERSHOOT * height
        overshooting += int(np.count_nonzero(counts & over & (height > 0)))
    return overshooting / max(steep, LEAST_STEEP)


def _laplacian_variance(seconds: Sequence[Patches]) -> float:
    """Of every other row."""
    laplacian = (seconds[ACROSS][:, 1:-1:2] + seconds[DOWN][:, 1:-1:2])[:, :, 1:-1].astype(np.float32)
    mean, square = (float(np.einsum("ijk->", one)) / laplacian.size for one in (laplacian, np.square(laplacian)))
    return square - mean**2


def _median_of_five(a: Real, b: Real, c: Real, d: Real, e: Real) -> Real:
    """Of each five values; a sixth of the time of `_quantile`. The least and the greatest of a to d are left out."""
    low, high = np.maximum(np.minimum(a, b), np.minimum(c, d)), np.minimum(np.maximum(a, b), np.maximum(c, d))
    return np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e))


def _rhythm(seconds: Sequence[Patches], grid: bool) -> float:
    """How far one period of the second differences stands out in both axes, beside longer ones: about 1 without any.

    Interpolated pixels are smoother the farther they lie from those they were made of, which comes back at the period
    of the enlargement (Gallagher 2005, "Detection of linear and cubic interpolation in JPEG compressed images"). Not
    where it is x2, whose pixels all lie equally far; a period of two is that of the colour filter of cameras. Windows
    and fences have periods of their own in each axis. The grid of a JPEG, however faint, and shrunk or not, has longer
    ones too; where there plainly is a `grid`, its periods are left out.
    """
    length = (min(seconds[ACROSS].shape[1:]) - 6) // 12 * 12  # so that periods of 2, 3 and 4 fall on a frequency
    if length < 48:
        return 0.0
    frequencies = np.fft.rfftfreq(length)
    sought, longer = ((frequencies > low) & (frequencies < high) for low, high in ((0.2, 0.45), (0.1, 0.19)))
    if grid:
        off_grid = np.abs(GRID * frequencies - np.rint(GRID * frequencies)) > 0.2
        sought, longer = sought & off_grid, longer & off_grid
    spectra = []
    for axis in (ACROSS, DOWN):
        sizes = np.abs(seconds[axis])
        lines = _line_means(np.clip(sizes, 0, 2 * STEP_CLIP, out=sizes), axis)[:, 1:-1]
        rest = lines[:, 2:-2] - _median_of_five(*(lines[:, i : lines.shape[1] - 4 + i] for i in range(5)))
        spectrum = np.abs(np.fft.rfft(rest[:, :length] * np.hanning(length), axis=1)).mean(axis=0)
        spectra.append(spectrum / max(_quantile(spectrum[sought], 0.5), 1e-6))
    both = np.minimum(*spectra)
    return float(both[sought].max() / max(1.0, both[longer].max()))


def _is_drawn(levels: Luma, zeros: Real, blank: float, coarse: bool) -> bool:
    """Whether the picture was drawn, not photographed: few levels, or equal neighbours beside the repeated lines."""
    glances = (levels[len(levels) // 2], levels.reshape(-1, levels.shape[2]))  # most show enough at the first
    if all(256 - Image.fromarray(part).histogram().count(0) < DRAWN_LEVELS for part in glances):
        return True
    equal = float(zeros.mean())
    return not coarse and (equal - blank) / max(1 - blank, 1e-6) > DRAWN_EQUAL
