"""Which checkpoint to keep, by validation metrics and their noise, and what cannot be told from it.

    m(i)   a metric at validation i; noise s from its second differences (series.noise_of)
    M(i)   the mean of m(i-1), m(i), m(i+1), lest one lucky validation choose; its error is s / sqrt(3)
    tied   M(i) and M(best) differ by less than 2 s sqrt(2/3), in every metric that chooses

Metrics of likeness (PSNR, SSIM) cannot choose among checkpoints of an adversarial training: they reward the one that
the adversarial loss touched least (Blau and Michaeli 2018). There perceptual metrics choose, and where none is logged
the newest checkpoint from before the first fault is kept.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autocal_cli.diagnose.model import Checkpoint, Choice, JudgedCheckpoint, MetricNoise, RunLog, Validation
from autocal_cli.diagnose.series import noise_of, smooth, within

LOWER = ("lpips", "dists", "niqe", "brisque", "fid", "pi", "mae", "l1", "mse", "ilniqe", "piqe", "dbl")
FIDELITY = ("psnr", "ssim", "ms_ssim", "msssim", "mssim")
TELLING = 2.0  # standard errors of a difference: about 95%
FEWEST = 6  # validations below which nothing is said of noise
NEAR = 0.1  # of the pause between validations: a file saved so soon after one has its metrics; chosen
SHARE_FLAT = 0.2  # of the validations after which a standstill is named; chosen, untested


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """A metric over the run: iterations, values as logged, means of three, and its noise."""

    judged: MetricNoise
    iterations: tuple[int, ...]
    values: tuple[float, ...]
    means: tuple[float, ...]

    @property
    def sign(self) -> float:
        return 1.0 if self.judged.higher_is_better else -1.0

    @property
    def fidelity(self) -> bool:
        return is_fidelity(self.judged.metric)

    @property
    def step(self) -> float:
        """The least difference between two means of three that the noise does not explain."""
        return TELLING * (self.judged.noise or 0.0) * math.sqrt(2.0 / 3.0)

    @property
    def best(self) -> int:
        """Index of the best mean."""
        return max(range(len(self.means)), key=lambda i: self.sign * self.means[i])

    def flat_since(self) -> int | None:
        """The first validation that is as good as the best, noise aside; None where too few came after it."""
        if self.judged.noise is None:
            return None
        best = self.sign * self.means[self.best]
        first = next(i for i, mean in enumerate(self.means) if self.sign * mean >= best - self.step)
        return self.iterations[first] if len(self.means) - first > SHARE_FLAT * len(self.means) + 2 else None

    def worse_since(self, least: float) -> int | None:
        """The best validation, where the end is worse by more than `least` and four standard errors."""
        if self.judged.noise is None or len(self.means) - self.best < 4:
            return None
        lost = self.sign * (self.means[self.best] - self.means[-1])
        return self.iterations[self.best] if lost > max(2.0 * self.step, least) else None


def is_fidelity(metric: str) -> bool:
    return metric.lower().startswith(FIDELITY)


def metric_series(validations: Sequence[Validation]) -> tuple[MetricSeries, ...]:
    """Every metric of every data set, finite values alone."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for one in validations:
        for metric, value in one.metrics.items():
            if math.isfinite(value):
                found.setdefault((one.dataset, metric), []).append((one.iteration, within(value)))
    series = []
    for (dataset, metric), points in found.items():
        iterations, values = zip(*points, strict=True)
        noise = noise_of(values)
        judged = MetricNoise(dataset, metric, not metric.lower().startswith(LOWER), noise, len(values))
        series.append(MetricSeries(judged, iterations, values, tuple(smooth(values, 3))))
    return tuple(series)


def judge_checkpoints(
    log: RunLog, series: Sequence[MetricSeries], sound_until: int | None
) -> tuple[tuple[JudgedCheckpoint, ...], Choice | None]:
    """Every checkpoint with its metrics, and the one to keep.

    Args:
        log: the run.
        series: its metrics.
        sound_until: the iteration at which the first grave fault began, None for none: none from after it is kept.
    """
    judged = [_with_metrics(one, series) for one in _dated(log)]
    choosing = [one for one in series if not one.fidelity] if log.adversarial else list(series)
    metrics = {one.judged.name: one for one in (choosing or series)}
    measured = [one for one in judged if one.metrics]
    front = {one.iteration for one in measured if not any(_beats(other, one, metrics) for other in measured)}
    best = {name: max(measured, key=lambda one: one_of.sign * one.metrics.get(name, -math.inf * one_of.sign)).iteration
            for name, one_of in metrics.items() if measured}  # fmt: skip
    marked = [
        replace(
            one,
            pareto=one.iteration in front,
            best=tuple(name for name, at in best.items() if at == one.iteration),
        )
        for one in judged
    ]
    sound = [one for one in marked if sound_until is None or (one.iteration or 0) < sound_until]
    chosen = _choose(sound, choosing, log.adversarial)
    if chosen is None:
        return tuple(marked), None
    tied = {
        one.iteration
        for one in sound
        if choosing and one.metrics and one is not chosen.checkpoint and _tied(one, chosen.checkpoint, choosing)
    }
    return tuple(replace(one, tied=one.iteration in tied) for one in marked), chosen


def _dated(log: RunLog) -> list[Checkpoint]:
    """The checkpoints by iteration; the one called latest stands for the last iteration, unless that has its own."""
    found = log.checkpoints
    known = {one.iteration for one in found}
    latest = [replace(one, iteration=log.last) for one in found if one.iteration is None and log.last not in known]
    return [one for one in found if one.iteration is not None] + latest


def _with_metrics(one: Checkpoint, series: Sequence[MetricSeries]) -> JudgedCheckpoint:
    metrics = {}
    for found in series:
        wanted, steps = one.iteration or 0, found.iterations
        at = bisect_right(steps, wanted) - 1
        if at >= 0 and wanted - steps[at] <= NEAR * (steps[-1] - steps[0]) / max(len(steps) - 1, 1):
            metrics[found.judged.name] = found.means[at]
    return JudgedCheckpoint(one.iteration, one.path or None, one.exists, metrics)


def _beats(a: JudgedCheckpoint, b: JudgedCheckpoint, metrics: Mapping[str, MetricSeries]) -> bool:
    """Whether a is better in one metric and no worse in any."""
    gains = [one.sign * (a.metrics[name] - b.metrics[name]) for name, one in metrics.items() if name in a.metrics and name in b.metrics]  # fmt: skip  # noqa: E501
    return bool(gains) and min(gains) >= 0.0 and max(gains) > 0.0


def _choose(sound: Sequence[JudgedCheckpoint], choosing: Sequence[MetricSeries], adversarial: bool) -> Choice | None:
    measured = [one for one in sound if one.metrics]
    if choosing and measured:
        ranked = max(measured, key=lambda one: (_standing(one, choosing), one.iteration or 0))
        names = ", ".join(one.judged.metric for one in choosing)
        return Choice(ranked, f"best by {names}")
    if not sound:
        return None
    newest = max(sound, key=lambda one: one.iteration or 0)
    if adversarial:
        reason = (
            "the newest; no perceptual metric (LPIPS, DISTS, TOPIQ) was logged, and PSNR or SSIM cannot choose here"
        )
    else:
        reason = "the newest; no validation metric was logged"
    return Choice(newest, reason)


def _standing(one: JudgedCheckpoint, choosing: Sequence[MetricSeries]) -> float:
    """Mean over the metrics of how far a checkpoint lies above the worst, in shares of the metric's range."""
    shares = []
    for found in choosing:
        low, high = min(found.sign * mean for mean in found.means), max(found.sign * mean for mean in found.means)
        value = one.metrics.get(found.judged.name)
        if value is not None and high > low:
            shares.append((found.sign * value - low) / (high - low))
    return sum(shares) / len(shares) if shares else 0.0


def _tied(one: JudgedCheckpoint, kept: JudgedCheckpoint, choosing: Sequence[MetricSeries]) -> bool:
    pairs = [
        (found, one.metrics[found.judged.name], kept.metrics[found.judged.name])
        for found in choosing
        if found.judged.name in one.metrics and found.judged.name in kept.metrics
    ]
    return bool(pairs) and all(
        found.judged.noise is not None and abs(value - best) <= found.step for found, value, best in pairs
    )
