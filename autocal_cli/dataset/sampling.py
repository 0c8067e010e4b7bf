"""How many images to read: a seeded random order, what a sample says of the whole folder, and when it says enough."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autocal_cli.dataset.record import METRIC_NAMES, MetricSummary

OVERALL_WEIGHTS = (0.2, 0.4, 0.4)  # in order of METRIC_NAMES; source: fit to human ratings, design, section 5
CHECK_EVERY = 64  # files between two looks at the interval: fixed, so that workers and batches change nothing
LEAST_SAMPLE = 128  # images before the first look; chosen, untested
Z_95 = 1.96

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a sample of images says of the whole folder."""

    metrics: Mapping[str, MetricSummary]
    overall_complexity: float
    overall_ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tally:
    """Running sums over the scores of a sample and their overall complexity: what its intervals need, at any size.

    `count` images; `total` and `squares` are sums of x and x^2, (4,) each, the overall complexity last.
    """

    count: int
    total: Values
    squares: Values

    @classmethod
    def empty(cls) -> Tally:
        return cls(0, np.zeros(len(METRIC_NAMES) + 1), np.zeros(len(METRIC_NAMES) + 1))

    def add(self, scores: Values) -> Tally:
        """The tally with the scores (n, 3) of n further images."""
        columns = with_overall(scores)
        return Tally(
            self.count + len(columns), self.total + columns.sum(axis=0), self.squares + (columns**2).sum(axis=0)
        )

    def half_widths(self, population: int) -> Values:
        """Half the 95% interval of each mean over `population` images: (4,), 1 where nothing is known.

        1.96 sd / sqrt(n) * sqrt((N - n) / (N - 1)): the finite-population correction makes it 0 when all were read.
        """
        n = self.count
        if n >= population:
            return np.zeros_like(self.total)
        if n < 2:
            return np.ones_like(self.total)
        variance = (self.squares - self.total**2 / n).clip(min=0.0) / (n - 1)
        correction = math.sqrt((population - n) / (population - 1))
        return np.asarray(Z_95 * np.sqrt(variance / n) * correction)

    def is_enough(self, population: int, tolerance: float) -> bool:
        """Whether every mean, the overall one too, is known to +- `tolerance`."""
        return self.count >= LEAST_SAMPLE and bool((self.half_widths(population) <= tolerance).all())


def sample_order(count: int, seed: int) -> list[int]:
    """The numbers 0..count-1 in the random order that belongs to the seed."""
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return order


def summarise(scores: Values, raw: Values, population: int) -> Summary:
    """Scores 0..1 and raw values, both (n, 3), n >= 1, of a sample out of `population` >= n readable images."""
    columns = with_overall(scores)
    means, widths = columns.mean(axis=0), Tally.empty().add(scores).half_widths(population)
    intervals = [(max(0.0, float(m - w)), min(1.0, float(m + w))) for m, w in zip(means, widths, strict=True)]
    quantiles = np.quantile(scores, (0.05, 0.5, 0.95), axis=0)
    metrics = {
        name: MetricSummary(
            score=float(means[i]),
            ci95=intervals[i],
            p5=float(quantiles[0, i]),
            median=float(quantiles[1, i]),
            p95=float(quantiles[2, i]),
            raw_mean=float(raw[:, i].mean()),
        )
        for i, name in enumerate(METRIC_NAMES)
    }
    return Summary(metrics, float(means[-1]), intervals[-1])


def with_overall(scores: Values) -> Values:
    """Scores (n, 3) with each image's overall complexity as a fourth column: 0.2 texture + 0.4 edges + 0.4 colour."""
    return np.column_stack([scores, scores @ np.asarray(OVERALL_WEIGHTS)])
