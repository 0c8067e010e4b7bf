"""A run as the finders of `faults.py` see it: reduced tracks, and what is derived from them. Pure.

The discriminator's separation, the course of fidelity in dB, and since when each is out of bounds. Every threshold
stands here once, with its source.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, pstdev

from autocal_cli.diagnose.model import STEP_TIME, TOTAL_LABEL, MetricSeries, RunLog
from autocal_cli.diagnose.series import Reduced, decibels, last_stretch, running_median, smooth

MOST_COST = 3.0  # dB; Blau and Michaeli 2018: perfect perceptual quality costs at most 3 dB of PSNR
FEWEST_POINTS = 12  # logged points below which a course is not judged; chosen, untested
LEAST_LONG = 500  # iterations in which a discriminator should have learnt something; see tests/cases_diagnose
STRETCH = 0.2  # of the run: how long a state must have lasted to be named; chosen, untested
PIXEL = ("l_pix", "l_g_pix", "l_g_l1", "l_g_charbonnier", "l_g_huber", "l_g_mse", "l_g_l2")
SQUARED = ("l_g_mse", "l_g_l2")


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
    """A run as the finders see it: reduced tracks, metrics, and what was derived from both."""

    log: RunLog
    tracks: dict[str, Reduced]
    metrics: tuple[MetricSeries, ...]
    separation: Separation | None
    fidelity: tuple[tuple[str, tuple[int, ...], tuple[float, ...]], ...]  # name, iterations, dB on a scale of its own

    def losses(self) -> list[Reduced]:
        """The generator's losses without their sum, and the discriminator's."""
        return [one for label, one in self.tracks.items() if label.startswith("l_") and label != TOTAL_LABEL]


BLIND_LEVELS = {"vanilla": 2 * math.log(2), "bce": 2 * math.log(2), "wgan_softplus": 2 * math.log(2), "hinge": 2.0,
          "lsgan": 0.5, "mse": 0.5}  # fmt: skip


WORST = -1.0  # what one line may say: a relativistic discriminator that errs on a single batch logs -14 (BasicSR #269)


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
    sums = [a + b for a, b in zip(real.means, fake.means, strict=True)]
    if log.facts.get("model_type") in ("ESRGANModel", "RealESRGANRelativisticModel"):
        blind /= 2.0  # BasicSR's ESRGANModel halves both parts
    width = max(5, len(sums) // 12)
    lines = [max(1.0 - value / blind, WORST) for value in sums]
    values = tuple(smooth(lines, width))
    return Separation("advantage", real.iterations, values, 0.03, 0.05, 0.95)


def _guess(tracks: dict[str, Reduced], real: Reduced, fake: Reduced) -> float | None:
    """The blind level of an unknown kind: the one whose formula, at the mean logits, lies nearest the logged losses.

    Without logits it is told by the first losses, since a fresh discriminator cannot tell: 2 log 2 or 2.
    """
    out_real, out_fake = tracks.get("out_d_real"), tracks.get("out_d_fake")
    if out_real is None or out_fake is None or len(out_real) != len(real) or len(out_fake) != len(fake):
        fresh = fmean(real.means[:3]) + fmean(fake.means[:3])
        return next((level for level in (2 * math.log(2), 2.0) if abs(fresh / level - 1.0) < 0.07), None)
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


def read_fidelity(
    tracks: dict[str, Reduced], metrics: Sequence[MetricSeries]
) -> tuple[tuple[str, tuple[int, ...], tuple[float, ...]], ...]:
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
            factor, width = (0.5 if label in SQUARED else 1.0), max(15, len(one) // 12)
            logs = [-factor * decibels(mean) for mean in one.means]
            course, half = smooth(logs, width), width // 2
            whole = slice(half, len(course) - half)  # means of full windows alone
            courses.append((label, one.iterations[whole], tuple(course[whole])))
    return tuple(courses)


def lost_since(iterations: Sequence[int], values: Sequence[float], most: float) -> tuple[int, float] | None:
    """Since which iteration a course lies more than `most` dB under the best before, to its end; and how far."""
    best, depths = -math.inf, []
    for value in values:
        best = max(best, value)
        depths.append(best - value)
    start = last_stretch(depths, lambda depth: depth > most)
    return None if start is None else (iterations[start], depths[-1])


NO_PICTURE = 15.0  # dB; bilinear upscaling of photographs has 20 and more at any scale; chosen, untested


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
    return min(found) if found else None


def fidelity_lost(view: View) -> tuple[str, int, float] | None:
    """The earliest course that lies more than 3 dB under its best to the end: name, since when, how far."""
    cost = view.tracks.get("autocal/cost")
    found = []
    if cost and len(cost):
        start = last_stretch(cost.means, lambda value: value > MOST_COST)
        if start is not None:
            found.append((cost.iterations[start], "autocal/cost", cost.means[-1]))
    for name, iterations, values in view.fidelity:
        lost = lost_since(iterations, values, MOST_COST)
        if lost:
            found.append((lost[0], name, lost[1]))
    if not found:
        return None
    since, name, depth = min(found)
    return name, since, depth


def blind_since(view: View) -> int | None:
    """Since when the discriminator is blind, to the end and for long; a fresh one is blind and that says nothing."""
    seen = view.separation
    if seen is None or view.log.last < LEAST_LONG:
        return None
    start = last_stretch(seen.values, lambda value: value < seen.blind)
    if start is None or len(seen.values) - start < FEWEST_POINTS:
        return None
    if not start and drawing_apart(view):
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


def share_of_sum(view: View, label: str) -> float | None:
    """A loss's part of the generator's sum over the last third, by value."""
    parts = {one.label: abs(fmean(one.means[-max(1, len(one) // 3) :])) for one in view.losses()
             if not one.label.startswith("l_d_") and len(one)}  # fmt: skip
    total = sum(parts.values())
    return parts[label] / total if label in parts and total > 0.0 else None


def dominated_since(view: View) -> int | None:
    seen = view.separation
    if seen is None:
        return None
    start = last_stretch(seen.values, lambda value: value > seen.dominates)
    if start is None or len(seen.values) - start < FEWEST_POINTS:
        return None
    since = seen.iterations[start]
    return since if view.log.last - since >= STRETCH * (view.log.last - view.log.first) else None


def above_blind(view: View, one: Reduced) -> bool:
    """Whether a discriminator's loss ends above twice what a blind one has: that is no part of the game."""
    blind = BLIND_LEVELS.get(view.log.facts.get("gan_type", "vanilla").lower(), 2 * math.log(2)) / 2.0
    return fmean(one.means[-5:]) > 2.0 * blind


def running(log: RunLog) -> bool:
    """Whether the log was written to within ten of its own intervals, or two minutes."""
    track = log.tracks.get(STEP_TIME)
    recent = [value for value in track.values[-20:] if math.isfinite(value)] if track else []
    pause = 10.0 * log.interval * fmean(recent) if recent else 0.0
    return log.silent_for is not None and log.silent_for < max(120.0, min(pause, 3600.0))
