"""How a GT image and its LQ image lie on one another: scale, sub-pixel shift, colour, and the kernel that reduced it.

Measured on the luma of up to nine patches of the LQ image, each beside the part of the GT image that it should show,
reduced by the kernel where one is plain, by area otherwise: what is left of fine stripes by samples alone seems to lie
elsewhere, by up to a pixel. `presets/curation.toml` says from where a difference counts; benchmarks/curation.py
measures what is caught and what not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from autocal_cli.dataset.model import PairTraces

PATCH = 64  # pixels a side of an LQ patch
LEAST_PATCH = 24  # of an LQ image so small that two of 64 do not lie side by side
MOST_PATCHES = 3  # along each axis
LEAST_SIDE = 16  # of an LQ image that is looked at
LEAST_CONTRAST = 3.0  # standard deviation in levels of a patch that can show a shift
LEAST_SLOPE = 1.0  # levels a pixel, in every direction, of such a patch
STEPS = 3  # of Gauss and Newton, from whole pixels to a fraction; chosen
MARGIN = 4  # pixels of a patch that a shift may take from beyond its border
COLOURS_SIDE = 16  # pixels of the long side at which colours are compared: no kernel is seen any more
KERNEL_MARGIN = 3  # LQ pixels that the widest kernel (Lanczos) reaches over the border of a patch
SURE = 0.5  # agreement of a patch that counts for the drift
LEAST_PLACED = 4  # patches that tell a drift
PLAIN_RATIO = 0.7  # a kernel's residual beside that of the next best one, under which it is named

Real = npt.NDArray[np.float64]
Luma = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]  # left, top, right, bottom
Shift = tuple[float, float, float]  # right, down, agreement


def measure_pair(gt: Image.Image, lq: Image.Image, path: str, scale: int | None = None) -> PairTraces:
    """The traces of an RGB pair, upright, `path` naming the LQ image; without `scale` that of the sizes counts."""
    by_size = gt.width / lq.width
    scale = scale or max(1, round(by_size))
    fits = gt.size == (lq.width * scale, lq.height * scale)
    reachable = all(high > scale * (low - 1) for high, low in zip(gt.size, lq.size, strict=True))
    if not reachable or min(lq.size) < LEAST_SIDE:
        return PairTraces(path, by_size, fits, width=lq.width, height=lq.height)
    patches = list(_patches(gt, lq, scale))
    kernel = _kernel(scale, patches) if scale > 1 and patches else ""
    aside = _aside(kernel, scale)
    reduce = reducing(scale)[kernel or "box"]
    placed = [(box, shift) for high, low, box in patches if (shift := _shift(reduce(high), low)) is not None]
    shifts = np.array([shift for _, shift in placed])
    across, down, agreement = np.median(shifts, axis=0).tolist() if placed else (0.0, 0.0, None)
    drift, growth = _drift(placed, lq.size)
    return PairTraces(
        path,
        scale=by_size * (1 + growth),
        fits=fits,
        across=across + aside,
        down=down + aside,
        drift=drift,
        agreement=agreement,
        colour=_colour(gt, lq),
        kernel=kernel,
        width=lq.width,
        height=lq.height,
    )


def _patches(gt: Image.Image, lq: Image.Image, scale: int) -> Iterator[tuple[Luma, Real, Box]]:
    """Luma of the GT image and of the LQ image for each patch, and where it lies in the latter."""
    width, height = (min(low, high // scale) for low, high in zip(lq.size, gt.size, strict=True))
    wide, high = (min(PATCH, max(side // 2, LEAST_PATCH), side) for side in (width, height))
    for top in _starts(height, high):
        for left in _starts(width, wide):
            box = (left, top, left + wide, top + high)
            low = np.asarray(lq.crop(box).convert("L"), dtype=np.float64)
            if low.std() >= LEAST_CONTRAST:
                part = gt.crop((scale * left, scale * top, scale * box[2], scale * box[3]))
                yield np.asarray(part.convert("L"), dtype=np.float32), low, box


def _starts(side: int, patch: int) -> list[int]:
    count = min(MOST_PATCHES, -(-side // patch))
    return [(side - patch) * i // max(1, count - 1) for i in range(count)]


def _drift(placed: Sequence[tuple[Box, Shift]], size: tuple[int, int]) -> tuple[float, float]:
    """How many LQ pixels the shift changes from one end of the image to the other, the greater of both axes, and by
    what share the image is larger than it should be there; 0 where patches lie in one row or column.
    """
    found = [(0.0, 0.0)]
    for axis in (0, 1):
        at = np.array([float(box[axis]) for box, shift in placed if shift[2] >= SURE])
        if len(at) >= LEAST_PLACED and np.ptp(at) > 0:
            shifts = np.array([shift[axis] for _, shift in placed if shift[2] >= SURE])
            slope = float(((at - at.mean()) * (shifts - shifts.mean())).mean() / at.var())
            found.append((abs(slope) * size[axis], -slope))
    return max(found)


def _shift(high: Real, low: Real) -> Shift | None:
    """By how many LQ pixels `low` lies to the right of, and below, `high`, and how well it agrees with it there, -1..1.

    The whole pixels by phase correlation, the rest by least squares: low = gain high(x - shift) + offset. None where
    the patch has no structure in some direction, so that nothing tells how far it lies along it.
    """
    if high.std() < LEAST_CONTRAST:
        return None
    shift: Real = np.asarray(_whole_shift(high, low), dtype=np.float64)
    for _ in range(STEPS):
        moved = _moved(high, *shift)
        down, across = (np.asarray(np.gradient(moved, axis=axis)) for axis in (0, 1))
        inside = _inside(shift, low.shape)
        columns = np.stack([part[inside].ravel() for part in (across, down, moved, np.ones_like(moved))], axis=1)
        # Slopes that the patch itself and a constant do not explain; of their mean squares that of the direction where
        # it is least.
        slopes, rest = columns[:, :2], columns[:, 2:]
        slopes = slopes - rest @ np.linalg.lstsq(rest, slopes, rcond=None)[0]
        least = np.linalg.eigvalsh(slopes.T @ slopes)[0].clip(min=0.0) / len(columns)
        if float(np.sqrt(least)) < LEAST_SLOPE:
            return None
        solved = np.linalg.lstsq(columns, low[inside].ravel(), rcond=None)[0]
        if abs(solved[2]) < 1e-3:
            break
        shift = shift - np.clip(solved[:2] / solved[2], -1.0, 1.0)
    inside = _inside(shift, low.shape)
    x, y = (part[inside] - part[inside].mean() for part in (_moved(high, *shift), low))
    agreement = (x * y).sum() / max(np.sqrt((x * x).sum() * (y * y).sum()), 1e-9)
    return float(shift[0]), float(shift[1]), float(agreement)


def _whole_shift(high: Real, low: Real) -> tuple[int, int]:
    """The peak of the phase correlation (Kuglin and Hines 1975), right and down, at most a quarter of the patch."""
    window = np.outer(np.hanning(low.shape[0]), np.hanning(low.shape[1]))
    spectrum = np.fft.rfft2((low - low.mean()) * window) * np.fft.rfft2((high - high.mean()) * window).conj()
    spectrum /= np.sqrt(np.abs(spectrum) + 1e-9)  # half whitened: a full one follows noise alone where LQ is blurred
    surface = np.fft.irfft2(spectrum, low.shape)
    reach = [side // 4 for side in low.shape]
    near = np.roll(surface, reach, axis=(0, 1))[: 2 * reach[0] + 1, : 2 * reach[1] + 1]
    down, across = np.unravel_index(int(near.argmax()), near.shape)
    return int(across) - reach[1], int(down) - reach[0]


def _moved(image: Real, across: float, down: float) -> Real:
    """The image moved right and down by a fraction of pixels, in the frequencies; what leaves it comes in again."""
    rows, columns = (np.fft.fftfreq(image.shape[0]), np.fft.rfftfreq(image.shape[1]))
    turn = np.outer(np.exp(-2j * np.pi * rows * down), np.exp(-2j * np.pi * columns * across))
    return np.asarray(np.fft.irfft2(np.fft.rfft2(image) * turn, image.shape))


def _inside(shift: Real, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """What a moved patch shows of the patch itself, eight pixels a side at least."""
    taken = (min(MARGIN + int(abs(part)), (side - 8) // 2) for part, side in zip(shift[::-1], shape, strict=True))
    return tuple(slice(pixels, -pixels) for pixels in taken)


def _gain(x: Real, y: Real, least: float = 0.0) -> float:
    """The slope of the straight line through y over x; 1 where the variance of x is no more than `least`."""
    spread = float(x.var())
    return float(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > least else 1.0


def _colour(gt: Image.Image, lq: Image.Image) -> float:
    """The greatest difference of a channel in levels, as the straight line through its values tells it."""
    size = (max(1, lq.width * COLOURS_SIDE // max(lq.size)), max(1, lq.height * COLOURS_SIDE // max(lq.size)))
    high, low = (np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float64) for image in (gt, lq))
    worst = 0.0
    for channel in range(3):
        x, y = high[..., channel].ravel(), low[..., channel].ravel()
        worst = max(worst, float(np.hypot(y.mean() - x.mean(), (_gain(x, y, 1.0) - 1) * x.std())))
    return worst


# The kernel: the GT patch with the most contrast, reduced by each, beside the LQ patch.

ANTIALIASED = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def _kernel(scale: int, patches: Sequence[tuple[Luma, Real, Box]]) -> str:
    """The kernel whose residual, after a fit of gain and offset, is plainly the least; "" where none is."""
    high, patch, _ = max(patches, key=lambda patch: float(patch[1].std()))
    inner = (slice(KERNEL_MARGIN, -KERNEL_MARGIN),) * 2
    low, residuals = patch[inner].ravel(), {}
    for name, reduce in reducing(scale).items():
        x = reduce(high)[inner].ravel()
        rest = low - low.mean() - _gain(x, low) * (x - x.mean())
        residuals[name] = float(np.sqrt((rest**2).mean()))
    best, second, *_ = sorted(residuals, key=lambda name: residuals[name])
    return best if residuals[best] < PLAIN_RATIO * residuals[second] else ""


def _aside(kernel: str, scale: int) -> float:
    """By how many LQ pixels the sample that a kernel takes lies before the middle of those for which it stands."""
    taken = {"nearest": scale // 2, "nearest, upper left": 0}.get(kernel, (scale - 1) / 2)
    return ((scale - 1) / 2 - taken) / scale


def reducing(scale: int) -> dict[str, Callable[[Luma], Real]]:
    """How each kernel reduces luma to 1/scale, at its usual place of the samples."""

    def resized(how: Image.Resampling) -> Callable[[Luma], Real]:
        return lambda luma: np.asarray(
            Image.fromarray(luma).resize((luma.shape[1] // scale, luma.shape[0] // scale), how), np.float64
        )

    found = {name: resized(how) for name, how in ANTIALIASED.items()}
    found["nearest"] = lambda luma: luma[scale // 2 :: scale, scale // 2 :: scale].astype(np.float64)
    found["nearest, upper left"] = lambda luma: luma[::scale, ::scale].astype(np.float64)
    if scale % 2 == 0:  # in between four pixels; of odd scales such a sample is a pixel itself
        found["bicubic without antialias"] = lambda luma: _sampled(luma, scale, CUBIC)
        if scale > 2:  # at 2 the same as box
            found["bilinear without antialias"] = lambda luma: _sampled(luma, scale, (0.5, 0.5))
    return found


CUBIC = (-0.09375, 0.59375, 0.59375, -0.09375)  # half way, with a = -0.75, as OpenCV and PyTorch have it


def _sampled(luma: Luma, scale: int, weights: tuple[float, ...]) -> Real:
    sampled = luma.astype(np.float64)
    for axis in (0, 1):
        side, first = luma.shape[axis], scale // 2 - len(weights) // 2
        taps = [np.arange(first + i, first + i + side, scale).clip(0, side - 1) for i in range(len(weights))]
        parts = [weight * sampled.take(tap, axis=axis) for weight, tap in zip(weights, taps, strict=True)]
        sampled = sum(parts[1:], start=parts[0])
    return sampled
