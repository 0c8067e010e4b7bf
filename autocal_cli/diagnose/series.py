"""Arithmetic on what was logged: reduced to so many buckets, smoothed, its noise, and the stretch it ends with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from autocal_cli.diagnose.model import Track

FARTHEST = 1e150  # what lies beyond is taken to be there, so that sums and squares of it stay numbers
BUCKETS = 2_000  # a series is judged on at most so many means; chosen, untested


@dataclass(frozen=True, slots=True)
class Reduced:
    """A track in buckets of equal length in points: the last iteration of each, its mean, least and greatest value.

    `points` were logged; only finite ones count; `broken` is the first iteration with a value that is not finite.
    A bucket without any finite value is left out.
    """

    label: str
    iterations: tuple[int, ...]
    means: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    points: int
    broken: int | None = None

    def __len__(self) -> int:
        return len(self.means)


def within(value: float) -> float:
    return max(-FARTHEST, min(FARTHEST, value))


def reduce_track(track: Track, buckets: int = BUCKETS) -> Reduced:
    """At most `buckets` buckets; nothing that a track ever reached is lost, since each keeps its extremes."""
    size = max(1, math.ceil(len(track) / buckets))
    iterations, means, lows, highs = [], [], [], []
    broken: int | None = None
    for start in range(0, len(track), size):
        values: Sequence[float] = track.values[start : start + size]
        total = sum(values)
        if not abs(total) < FARTHEST:
            bad = next((i for i, value in enumerate(values) if not math.isfinite(value)), None)
            if bad is not None and broken is None:
                broken = track.iterations[start + bad]
            values = [within(value) for value in values if math.isfinite(value)]
            if not values:
                continue
            total = sum(values)
        iterations.append(track.iterations[min(start + size, len(track)) - 1])
        means.append(total / len(values))
        lows.append(min(values))
        highs.append(max(values))
    return Reduced(track.label, tuple(iterations), tuple(means), tuple(lows), tuple(highs), len(track), broken)


def smooth(values: Sequence[float], width: int) -> list[float]:
    """Centred moving means over `width` values, over fewer at both ends."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    half = max(width, 1) // 2
    count = len(values)
    return [(sums[min(count, i + half + 1)] - sums[max(0, i - half)]) / (min(count, i + half + 1) - max(0, i - half))
            for i in range(count)]  # fmt: skip


def running_median(values: Sequence[float], width: int = 3) -> list[float]:
    half = width // 2
    return [median(values[max(0, i - half) : i + half + 1]) for i in range(len(values))]


def noise_of(values: Sequence[float]) -> float | None:
    """Standard deviation of single values about a smooth trend; None below 6 values.

    From second differences x[i-1] - 2 x[i] + x[i+1], which a straight trend leaves at zero and whose variance is six
    times that of independent noise; by their median absolute value, so that a jump counts little. At least that of
    the rounding, 1/sqrt(12) of the last decimal: SSIM is logged to .0001, and stands still for long.
    """
    if len(values) < 6:
        return None
    bends = [abs(a - 2.0 * b + c) for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    decimals = max(len(repr(value).partition(".")[2]) for value in values)
    return max(1.4826 * median(bends) / math.sqrt(6.0), 10.0**-decimals / math.sqrt(12.0))


def last_stretch(values: Sequence[float], holds: Callable[[float], bool]) -> int | None:
    """Index from which on every value holds, to the end; None where the last does not."""
    start: int | None = None
    for index in range(len(values) - 1, -1, -1):
        if not holds(values[index]):
            break
        start = index
    return start


def decibels(ratio: float) -> float:
    """20 log10 of a ratio of amplitudes."""
    return 20.0 * math.log10(ratio)


def mean_of_ends(values: Sequence[float], share: float = 0.1) -> tuple[float, float]:
    """Means of the first and of the last tenth (3 values at least)."""
    count = min(len(values), max(3, int(len(values) * share)))
    return fmean(values[:count]), fmean(values[-count:])
