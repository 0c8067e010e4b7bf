"""How many images to read: a seeded random order, what a sample says of the whole folder, and when it says enough."""

from __future__ import annotations

import math
import random
import tomllib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from autocal_cli.dataset.model import METRIC_NAMES, METRIC_VERSION, MetricSummary
from autocal_cli.errors import AutocalError, Place
from autocal_cli.packaged import preset_text

OVERALL_WEIGHTS = (0.2, 0.4, 0.4)  # in order of METRIC_NAMES; source: fit to human ratings, design, section 5
CHECK_EVERY = 64  # files between two looks at the interval: fixed, so that workers and batches change nothing
LEAST_SAMPLE = 128  # images before the first look; chosen, untested
Z_95 = 1.96

Values = npt.NDArray[np.float64]


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
        correction = math.sqrt((population - n) / (population - 1))
        return np.asarray(Z_95 * np.sqrt(self.variances() / n) * correction)

    def variances(self) -> Values:
        """Of each column, (4,); of two images or more."""
        return np.asarray((self.squares - self.total**2 / self.count).clip(min=0.0) / (self.count - 1))

    def is_enough(self, population: int, tolerance: float) -> bool:
        """Whether every mean, the overall one too, is known to +- `tolerance`."""
        return self.count >= LEAST_SAMPLE and bool((self.half_widths(population) <= tolerance).all())


def sample_order(count: int, seed: int) -> Sequence[int]:
    """The numbers 0..count-1 in the random order that belongs to the seed."""
    order = array("I", range(count))
    random.Random(seed).shuffle(order)
    return order


def expected_sample(population: int, tolerance: float, variance: float = 1 / 12) -> int:
    """About how many images make every mean known to +- `tolerance`, by the `variance` of scores: unless it is known
    that of scores spread evenly over 0..1.
    """
    if tolerance <= 0:
        return population
    endless = (Z_95 / tolerance) ** 2 * variance
    return min(population, max(LEAST_SAMPLE, math.ceil(endless / (1 + endless / max(population, 1)))))


def drawn(count: int, draws: int, seed: int) -> Iterator[int]:
    """The numbers of the images, of `count`, in order of the draws: epoch by epoch, each in a new random order.

    A trainer draws alike; its own random numbers depend on its version, its workers and its machine.
    """
    shuffler, order = random.Random(seed), array("I", range(count))
    for draw in range(draws):
        if draw % count == 0:
            shuffler.shuffle(order)
        yield order[draw % count]


def summarise(
    scores: Values, raw: Values, population: int
) -> tuple[dict[str, MetricSummary], float, tuple[float, float]]:
    """The metrics, the overall complexity, and its 95% interval, of a sample out of `population` readable images.

    Scores 0..1 and raw values are (n, 3), n >= 1.
    """
    means, widths = with_overall(scores).mean(axis=0), Tally.empty().add(scores).half_widths(population)
    intervals = [(max(0.0, float(m - w)), min(1.0, float(m + w))) for m, w in zip(means, widths, strict=True)]
    quantiles = np.quantile(scores, (0.05, 0.5, 0.95), axis=0).T.tolist()
    metrics = {}
    for i, name in enumerate(METRIC_NAMES):
        p5, median, p95 = quantiles[i]
        metrics[name] = MetricSummary(float(means[i]), intervals[i], p5, median, p95, float(raw[:, i].mean()))
    return metrics, float(means[-1]), intervals[-1]


def with_overall(scores: Values) -> Values:
    """Scores (n, 3) with each image's overall complexity as a fourth column: 0.2 texture + 0.4 edges + 0.4 colour."""
    return np.column_stack([scores, scores @ np.asarray(OVERALL_WEIGHTS)])


# Raw metrics -> scores: the percentile of a value among a fixed reference of natural photographs.


TABLE = "reference_quantiles.toml"
QUANTILES = 101  # minimum, 1%, ..., 99%, maximum


def scored(raw: Values, reference: Values) -> Values:
    """Raw values (n, 3) -> scores (n, 3) in 0..1 by the quantiles (3, 101); 0.5 is an ordinary photograph."""
    return np.stack([percentile(raw[:, i], reference[i]) for i in range(len(METRIC_NAMES))], axis=1)


def percentile(values: Values, quantiles: Values) -> Values:
    """Where values (n,) stand among ascending quantiles (q,): 0..1, linear between, in the middle of equal ones."""
    first = np.searchsorted(quantiles, values, side="left")
    after = np.searchsorted(quantiles, values, side="right")
    upper = first.clip(1, len(quantiles) - 1)
    below, above = quantiles[upper - 1], quantiles[upper]
    gap = np.where(above > below, above - below, 1.0)
    between = np.where(first == len(quantiles), upper, upper - 1 + ((values - below) / gap).clip(0.0, 1.0))
    rank = np.where(after > first, (first + after - 1) / 2, between)
    return np.asarray(rank / (len(quantiles) - 1), dtype=np.float64)


def load_reference() -> Values:
    """The quantiles of each metric over the reference photographs, (3, 101), rows in order of METRIC_NAMES.

    Raises AutocalError when the file that comes with autocal does not fit this version's metrics.
    """
    return parse_reference(preset_text(TABLE))


def parse_reference(text: str) -> Values:
    """The quantiles in a TOML text. Raises AutocalError saying what is wrong with it."""
    try:
        table = tomllib.loads(text)
        if table["metric_version"] != METRIC_VERSION:
            raise ValueError(f"metric_version should be {METRIC_VERSION}")
        rows = {name: np.asarray(table["quantiles"][name], dtype=np.float64) for name in METRIC_NAMES}
        for name, row in rows.items():
            if row.shape != (QUANTILES,) or not (np.diff(row) >= 0).all():
                raise ValueError(f"{name} should have {QUANTILES} ascending quantiles")
        return np.stack(list(rows.values()))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise AutocalError(f"not a table of reference quantiles: {error}.", place=Place(TABLE)) from error
