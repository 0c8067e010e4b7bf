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
from dataclasses import replace

from autocal_cli.diagnose.model import Checkpoint, Choice, MetricSeries, RunLog, Validation
from autocal_cli.diagnose.view import noise_of, smooth, within

LOWER = ("lpips", "dists", "niqe", "brisque", "fid", "pi", "mae", "l1", "mse", "ilniqe", "piqe", "dbl")
NEAR = 0.1  # of the pause between validations: a file saved so soon after one has its metrics; chosen


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
        sign = -1.0 if metric.lower().startswith(LOWER) else 1.0
        means = tuple(smooth(values, 3))
        series.append(MetricSeries(dataset, metric, sign, noise_of(values), iterations, values, means))
    return tuple(series)


def judge_checkpoints(
    log: RunLog, series: Sequence[MetricSeries], sound_until: int | None
) -> tuple[tuple[Checkpoint, ...], Choice | None]:
    """Every checkpoint with its metrics, and the one to keep.

    Args:
        log: the run.
        series: its metrics.
        sound_until: the iteration at which the first grave fault began, None for none: none from after it is kept.
    """
    judged = [_with_metrics(one, series) for one in log.checkpoints]
    choosing = [one for one in series if not one.fidelity] if log.adversarial else list(series)
    metrics = {one.name: one for one in (choosing or series)}
    measured = [one for one in judged if one.metrics]
    front = {one.iteration for one in measured if not any(_beats(other, one, metrics) for other in measured)}
    marked = [replace(one, pareto=one.iteration in front) for one in judged]
    sound = [one for one in marked if sound_until is None or one.iteration < sound_until]
    best = _choose(sound, choosing, log.adversarial)
    chosen = _choose([one for one in sound if one.exists], choosing, log.adversarial) or best
    if chosen is None or best is None:
        return tuple(marked), None
    kept, gone = chosen.checkpoint, best.checkpoint
    if choosing and gone is not kept and kept.metrics and not _tied(gone, kept, choosing):
        chosen = replace(chosen, reason=f"{chosen.reason}; {gone.iteration:,} was better, and its file is gone")
    others = [one for one in sound if one is not kept and one.exists >= kept.exists]
    tied = {one.iteration for one in others if _tied(one, kept, choosing)}
    return tuple(replace(one, tied=one.iteration in tied) for one in marked), chosen


def _with_metrics(one: Checkpoint, series: Sequence[MetricSeries]) -> Checkpoint:
    metrics = {}
    for found in series:
        wanted, steps = one.iteration, found.iterations
        at = bisect_right(steps, wanted) - 1
        if at >= 0 and wanted - steps[at] <= NEAR * (steps[-1] - steps[0]) / max(len(steps) - 1, 1):
            metrics[found.name] = found.means[at]
    return replace(one, metrics=metrics)


def _beats(a: Checkpoint, b: Checkpoint, metrics: Mapping[str, MetricSeries]) -> bool:
    """Whether a is better in one metric and no worse in any."""
    both = [(one.sign, name) for name, one in metrics.items() if name in a.metrics and name in b.metrics]
    gains = [sign * (a.metrics[name] - b.metrics[name]) for sign, name in both]
    return min(gains, default=-1.0) >= 0.0 and max(gains) > 0.0


def _choose(sound: Sequence[Checkpoint], choosing: Sequence[MetricSeries], adversarial: bool) -> Choice | None:
    measured = [one for one in sound if one.metrics]
    if choosing and measured:
        ranked = max(measured, key=lambda one: (_standing(one, choosing), one.iteration))
        names = ", ".join(one.metric for one in choosing)
        return Choice(ranked, f"best by {names}")
    if not sound:
        return None
    reason = "it was not validated" if choosing else "no validation metric was logged"
    if adversarial and not choosing:
        reason = "no perceptual metric (LPIPS, DISTS, TOPIQ) was logged, and PSNR or SSIM cannot choose here"
    return Choice(max(sound, key=lambda one: one.iteration), f"the newest; {reason}")


def _standing(one: Checkpoint, choosing: Sequence[MetricSeries]) -> float:
    """Mean over the metrics of how far a checkpoint lies above the worst, in shares of the metric's range."""
    shares = []
    for found in choosing:
        low, high = min(found.sign * mean for mean in found.means), max(found.sign * mean for mean in found.means)
        value = one.metrics.get(found.name)
        if value is not None and high > low:
            shares.append((found.sign * value - low) / (high - low))
    return sum(shares) / len(shares) if shares else 0.0


def _tied(one: Checkpoint, kept: Checkpoint, choosing: Sequence[MetricSeries]) -> bool:
    both = [found for found in choosing if found.name in one.metrics and found.name in kept.metrics]
    near = (abs(one.metrics[found.name] - kept.metrics[found.name]) <= found.step for found in both)
    return bool(both) and all(found.noise is not None for found in both) and all(near)
