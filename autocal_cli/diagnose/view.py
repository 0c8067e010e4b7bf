"""A run as the finders of `faults.py` see it: reduced tracks, and what is derived from them. Pure.

Series reduced and smoothed, their noise, the stretch they end with; the discriminator's separation, the course of
fidelity in dB, and since when each is out of bounds. Every threshold stands here once, with its source.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean, median, pstdev

from autocal_cli.diagnose.model import TOTAL_LABEL, MetricSeries, RunLog, Track, whole_number

FARTHEST = 1e150  # what lies beyond is taken to be there, so that sums and squares of it stay numbers
BUCKETS = 2_000  # a series is judged on at most so many means; chosen, untested
MOST_COST = 3.0  # dB; Blau and Michaeli 2018: perfect perceptual quality costs at most 3 dB of PSNR
FEWEST_POINTS = 12  # logged points below which a course is not judged; chosen, untested
LEAST_LONG = 500  # iterations in which a discriminator should have learnt something; see tests/cases_diagnose
STRETCH = 0.2  # of the run: how long a state must have lasted to be named; chosen, untested
NO_PICTURE = 15.0  # dB; bilinear upscaling of photographs has 20 and more at any scale; chosen, untested
WORST = -1.0  # what one line may say: a relativistic discriminator that errs on a single batch logs -14 (BasicSR #269)
PIXEL = ("l_pix", "l_g_pix", "l_g_l1", "l_g_charbonnier", "l_g_huber", "l_g_mse", "l_g_l2")
SQUARED = ("l_g_mse", "l_g_l2")
TWO_LOGS = 2 * math.log(2)
BLIND_LEVELS = {"vanilla": TWO_LOGS, "bce": TWO_LOGS, "wgan_softplus": TWO_LOGS, "hinge": 2.0, "lsgan": 0.5, "mse": 0.5}

Course = tuple[str, tuple[int, ...], tuple[float, ...]]  # name, iterations, dB on a scale of its own


@dataclass(frozen=True, slots=True)
class Reduced:
    """A track in buckets of equal length in points: the last iteration of each, its mean, least and greatest value.

    Only finite values count; `broken` is the first iteration with one that is not. A bucket without any is left out.
    """

    label: str
    iterations: tuple[int, ...]
    means: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    broken: int | None = None

    def __len__(self) -> int:
        return len(self.means)


@dataclass(frozen=True, slots=True)
class Separation:
    """How well the discriminator tells real from generated, smoothed; and between which bounds that is healthy.

    From `autocal/separation` where it was logged, else the advantage 1 - L_D / L_blind of the discriminator's loss over
    that of one that cannot tell (vanilla: 2 log 2; hinge: 2; least squares: 1/2; half of it where it is halved).
    """

    name: str
    iterations: tuple[int, ...]
    values: tuple[float, ...]
    blind: float
    awake: float
    dominates: float


@dataclass(frozen=True, slots=True)
class View:
    """A run as the finders see it."""

    log: RunLog
    tracks: dict[str, Reduced]
    metrics: tuple[MetricSeries, ...]
    separation: Separation | None
    fidelity: tuple[Course, ...]

    def losses(self) -> list[Reduced]:
        """The generator's losses without their sum, and the discriminator's."""
        return [one for label, one in self.tracks.items() if label.startswith("l_") and label != TOTAL_LABEL]


# Arithmetic on series.


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
    return Reduced(track.label, tuple(iterations), tuple(means), tuple(lows), tuple(highs), broken)


def smooth(values: Sequence[float], width: int) -> list[float]:
    """Centred moving means over `width` values, over fewer at both ends."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    half, count = max(width, 1) // 2, len(values)
    windows = [(max(0, i - half), min(count, i + half + 1)) for i in range(count)]
    return [(sums[end] - sums[start]) / (end - start) for start, end in windows]


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
    fails = next((i for i in range(len(values) - 1, -1, -1) if not holds(values[i])), -1)
    return fails + 1 if fails + 1 < len(values) else None


# What is derived.


def read_separation(log: RunLog, tracks: dict[str, Reduced]) -> Separation | None:
    """The discriminator's separation, or None where nothing that tells it was logged."""
    own = tracks.get("autocal/separation")
    if own and len(own) >= FEWEST_POINTS:
        return Separation("separation", own.iterations, own.means, 0.3, 0.35, 0.98)
    real, fake = tracks.get("l_d_real"), tracks.get("l_d_fake")
    if real is None or fake is None or len(real) < FEWEST_POINTS or len(real) != len(fake):
        return None
    blind = BLIND_LEVELS.get(log.facts.get("gan_type", "").lower()) or _guess(tracks, real, fake)
    if blind is None:
        return None
    if log.facts.get("model_type") in ("ESRGANModel", "RealESRGANRelativisticModel"):
        blind /= 2.0  # BasicSR's ESRGANModel halves both parts
    lines = [max(1.0 - (a + b) / blind, WORST) for a, b in zip(real.means, fake.means, strict=True)]
    values = tuple(smooth(lines, max(5, len(lines) // 12)))
    return Separation("advantage", real.iterations, values, 0.03, 0.05, 0.95)


def _guess(tracks: dict[str, Reduced], real: Reduced, fake: Reduced) -> float | None:
    """The blind level of an unknown kind: the one whose formula, at the mean logits, lies nearest the logged losses.

    Without logits it is told by the first losses, since a fresh discriminator cannot tell: 2 log 2 or 2.
    """
    out_real, out_fake = tracks.get("out_d_real"), tracks.get("out_d_fake")
    if out_real is None or out_fake is None or len(out_real) != len(real) or len(out_fake) != len(fake):
        fresh = fmean(real.means[:3]) + fmean(fake.means[:3])
        return next((level for level in (TWO_LOGS, 2.0) if abs(fresh / level - 1.0) < 0.07), None)
    formulas: dict[str, Callable[[float, float], float]] = {
        "vanilla": lambda r, f: math.log1p(math.exp(-max(r, -50.0))) + math.log1p(math.exp(min(f, 50.0))),
        "hinge": lambda r, f: max(0.0, 1.0 - r) + max(0.0, 1.0 + f),
        "lsgan": lambda r, f: (r - 1.0) ** 2 + f**2,
    }
    rows = list(zip(real.means, fake.means, out_real.means, out_fake.means, strict=True))
    errors = {
        kind: median(abs(lr + lf - formula(r, f)) / (0.1 + lr + lf) for lr, lf, r, f in rows)
        for kind, formula in formulas.items()
    }
    nearest = min(errors, key=lambda kind: errors[kind] if kind == "vanilla" else 2.0 * errors[kind])  # most are
    return BLIND_LEVELS[nearest] if errors[nearest] < 0.25 else None


def read_fidelity(tracks: dict[str, Reduced], metrics: Sequence[MetricSeries]) -> tuple[Course, ...]:
    """Courses of fidelity in dB: PSNR of each data set, medians of three; without any, the pixel loss as -20 log10.

    A logged pixel loss is that of other images each time (in BasicSR of one batch), so that it takes a mean of 15
    points at least (spread of one batch about 2.5 dB, of their mean 0.6).
    """
    courses = [
        (f"PSNR ({one.dataset})", one.iterations, tuple(running_median(one.values)))
        for one in metrics
        if one.metric.lower().startswith("psnr") and len(one.values) >= 3
    ]
    if courses:
        return tuple(courses)
    for label in PIXEL:
        one = tracks.get(label)
        if one and len(one) >= 2 * FEWEST_POINTS and min(one.means) > 0.0:
            factor, width = (10.0 if label in SQUARED else 20.0), max(15, len(one) // 12)
            course = smooth([-factor * math.log10(mean) for mean in one.means], width)
            whole = slice(width // 2, len(course) - width // 2)  # means of full windows alone
            courses.append((label, one.iterations[whole], tuple(course[whole])))
    return tuple(courses)


def no_picture_since(view: View) -> tuple[int, str] | None:
    """Since when, to the end, the output is no picture: by a pixel loss above what images in 0..1 allow, or by PSNR."""
    found = []
    for label in PIXEL:
        one = view.tracks.get(label)
        start = last_stretch(one.means, lambda value: value > 1.0) if one else None
        if one and start is not None and len(one) - start >= 3:
            evidence = f"{label} is {one.means[-1]:.3g}, and images in 0..1 cannot differ by more than 1"
            found.append((one.iterations[start], evidence))
    for metric in view.metrics:
        if metric.metric.lower().startswith("psnr"):
            start = last_stretch(metric.values, lambda value: value < NO_PICTURE)
            if start is not None and len(metric.values) - start >= 2:
                evidence = f"PSNR ({metric.dataset}) is {metric.values[-1]:.1f} dB: no picture"
                found.append((metric.iterations[start], evidence))
    return min(found, default=None)


def fidelity_lost(view: View) -> tuple[int, str, float] | None:
    """Of the courses that lie more than 3 dB under their best to the end, the first: since when, its name, how far."""
    found = []
    cost = view.tracks.get("autocal/cost")
    courses = [("autocal/cost", cost.iterations, cost.means)] if cost else []
    for name, iterations, values in view.fidelity:
        best = accumulate(values, max)
        courses.append((name, iterations, tuple(top - value for top, value in zip(best, values, strict=True))))
    for name, iterations, depths in courses:
        start = last_stretch(depths, lambda depth: depth > MOST_COST)
        if start is not None:
            found.append((iterations[start], name, depths[-1]))
    return min(found, default=None)


def blind_since(view: View) -> int | None:
    """Since when the discriminator is blind, to the end and for long; a fresh one is blind and that says nothing."""
    seen = view.separation
    if seen is None or view.log.last < LEAST_LONG:
        return None
    start = last_stretch(seen.values, lambda value: value < seen.blind)
    if start is None or len(seen.values) - start < FEWEST_POINTS or (not start and drawing_apart(view)):
        return None
    since = seen.iterations[start] if start else view.log.first
    long = max(STRETCH * (view.log.last - view.log.first), 200)
    return since if view.log.last - since >= long else None


def drawing_apart(view: View) -> bool:
    """Whether the mean logits of real and generated images draw apart: a discriminator that is slow, but learns.

    Their difference at one line is that of one batch for both, so that it tells earlier than the losses: its mean over
    the last quarter against that over the second, two standard errors apart and twice as large.
    """
    real, fake = view.tracks.get("out_d_real"), view.tracks.get("out_d_fake")
    if real is None or fake is None or len(real) != len(fake) or len(real) < 2 * FEWEST_POINTS:
        return False
    gaps = [a - b for a, b in zip(real.means, fake.means, strict=True)]
    quarter = len(gaps) // 4
    early, late = gaps[quarter : 2 * quarter], gaps[-quarter:]
    error = math.sqrt((pstdev(early) ** 2 + pstdev(late) ** 2) / quarter)
    return fmean(late) > max(2.0 * fmean(early), fmean(early) + 2.0 * error)


def frozen(view: View) -> bool:
    """Whether the discriminator's outputs stand still: they vary by less than a hundredth, and with no trend."""
    tracks = [view.tracks.get(label) for label in ("l_d_real", "l_d_fake")]
    return all(
        one is not None and len(one) >= FEWEST_POINTS and pstdev(one.means[2:]) < 0.005 * abs(fmean(one.means[2:]))
        for one in tracks
    )


def running(log: RunLog) -> bool:
    """Whether the log was written to within ten of its own intervals, or two minutes; where a validation is due, which
    says nothing until it is done, within an hour."""
    track = log.tracks.get("time")
    recent = [value for value in track.values[-20:] if math.isfinite(value)] if track else []
    pause = 10.0 * log.interval * fmean(recent) if recent else 0.0
    every = whole_number(log.facts.get("val_freq", "")) or 0
    due = every > 0 and -(-log.last // every) * every <= log.last + log.interval
    longest = 3600.0 if due else max(120.0, min(pause, 3600.0))
    return log.silent_for is not None and log.silent_for < longest
