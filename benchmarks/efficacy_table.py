"""Outcomes of the efficacy benchmark as tables: means over seeds with their interval, and what a wrong weight costs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from efficacy_run import Outcome, Setting
from scipy.stats import t as student

Rows = Mapping[Setting, Outcome]
Measure = Callable[[Outcome], float]


@dataclass(frozen=True)
class Cell:
    """Mean over the seeds that did not diverge, half of its 95% interval, and how many of how many seeds diverged."""

    mean: float
    half_width: float
    diverged: int
    runs: int

    def __str__(self) -> str:
        lost = f" ({self.diverged} of {self.runs} diverged)" if self.diverged else ""
        return ("-" if math.isnan(self.mean) else f"{self.mean:.2f}") + lost


@dataclass(frozen=True)
class Group:
    """The runs of one loss set, variant and scale, by method and factor."""

    losses: str
    variant: str
    scale: int
    rows: Rows

    @property
    def methods(self) -> list[str]:
        return list(dict.fromkeys(setting.method for setting in self.rows))

    @property
    def factors(self) -> list[float]:
        return sorted({setting.factor for setting in self.rows})

    def outcomes(self, method: str, factor: float) -> list[Outcome]:
        return [outcome for s, outcome in self.rows.items() if s.method == method and s.factor == factor]

    def cell(self, method: str, factor: float, measure: Measure) -> Cell:
        runs = self.outcomes(method, factor)
        values = [measure(run) for run in runs if not run.diverged]
        mean = statistics.mean(values) if values else math.nan
        return Cell(mean, self.half_width(measure, len(values)), sum(run.diverged for run in runs), len(runs))

    def half_width(self, measure: Measure, seeds: int) -> float:
        """Of the 95% interval of a mean of so many seeds; the deviation is pooled over all cells of the group.

        t(0.975, n - k) s / sqrt(seeds), s^2 the mean of the cells' variances weighted by their degrees of freedom.
        """
        squares, freedom = 0.0, 0
        for method in self.methods:
            for factor in self.factors:
                values = [measure(run) for run in self.outcomes(method, factor) if not run.diverged]
                if len(values) > 1:
                    squares += statistics.variance(values) * (len(values) - 1)
                    freedom += len(values) - 1
        if not (freedom and seeds):
            return math.nan
        return float(student.ppf(0.975, freedom)) * math.sqrt(squares / freedom / seeds)

    def spread(self, method: str, measure: Measure) -> float:
        """Largest less smallest mean over the factors; nan where all runs of a factor diverged."""
        means = [self.cell(method, factor, measure).mean for factor in self.factors]
        return max(means) - min(means) if not any(map(math.isnan, means)) else math.nan

    def lost(self, method: str, factor: float) -> float:
        """(static at x1 - method) / (static at x1 - static), in dB of PSNR; nan where static loses nothing to speak of.

        Below the half width of the difference of two means nothing was lost that could be told from the seeds' noise.
        """
        right = self.cell("static", 1.0, psnr).mean
        static_loss = right - self.cell("static", factor, psnr).mean
        noise = math.sqrt(2) * self.half_width(psnr, len(self.outcomes("static", factor)))
        if factor == 1.0 or not static_loss > noise:
            return math.nan
        return (right - self.cell(method, factor, psnr).mean) / static_loss


def psnr(outcome: Outcome) -> float:
    return outcome.psnr


@dataclass(frozen=True)
class Quality:
    """A measure of quality. `better` takes two of its values and says by how much the first is the better one."""

    of: Measure
    better: Callable[[float, float], float]

    def half_width(self, group: Group, seeds: int) -> float:
        return group.half_width(self.of, seeds)


def higher(one: float, other: float) -> float:
    return one - other


def lower(one: float, other: float) -> float:
    return other - one


def nearer_to_one(one: float, other: float) -> float:
    return abs(1.0 - other) - abs(1.0 - one)


QUALITIES: Mapping[str, Quality] = {
    "PSNR": Quality(psnr, higher),
    "SSIM": Quality(lambda outcome: outcome.ssim, higher),
    "LPIPS": Quality(lambda outcome: outcome.lpips, lower),
    "detail": Quality(lambda outcome: outcome.high_frequency, nearer_to_one),
    "told apart": Quality(lambda outcome: outcome.told_apart, lower),
}


def groups(rows: Rows) -> list[Group]:
    keys = dict.fromkeys((s.losses, s.variant, s.scale) for s in rows)
    return [
        Group(*key, {s: outcome for s, outcome in rows.items() if (s.losses, s.variant, s.scale) == key})
        for key in keys
    ]


def markdown(group: Group, bicubic: Outcome) -> str:
    """The table of one group: PSNR by factor, then what the other measures say at x1 and at the largest factor.

    `bicubic`: the same photographs, enlarged without any network.
    """
    factors = group.factors
    high = factors[-1]
    head = ["method", *(f"PSNR x{factor:g}" for factor in factors), "spread", f"lost x{high:g}"]
    for name in MEASURES:
        head += [f"{name} x1", f"{name} x{high:g}"]
    lines = [head, *(row(group, method, factors) for method in group.methods)]
    seeds = max(s.seed for s in group.rows) + 1
    rule = "|" + "---|" * len(head)
    body = ["| " + " | ".join(line) + " |" for line in lines]
    beside = ", ".join(f"{name} {number(quality.of(bicubic), 3)}" for name, quality in QUALITIES.items())
    noise = ", ".join(f"{name} ±{number(q.half_width(group, seeds), 3)}" for name, q in QUALITIES.items())
    title = f"**{group.losses}**, {group.variant} at x{group.scale}"
    notes = f"Bicubic: {beside}. Interval (95%) of a mean: {noise}."
    return "\n".join([f"{title}. {notes}", "", body[0], rule, *body[1:]])


def row(group: Group, method: str, factors: Sequence[float]) -> list[str]:
    cells = [str(group.cell(method, factor, psnr)) for factor in factors]
    found = [method, *cells, number(group.spread(method, psnr), 2), number(group.lost(method, factors[-1]), 2)]
    for measure in MEASURES.values():
        found += [number(group.cell(method, factor, measure).mean, 3) for factor in (1.0, factors[-1])]
    return found


def number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


MEASURES: Mapping[str, Measure] = {
    **{name: quality.of for name, quality in QUALITIES.items() if quality.of is not psnr},
    "ms": lambda outcome: outcome.step_ms,
}


def where_autocal_loses(found: Sequence[Group], method: str = "autocal") -> list[str]:
    """In words: every cell and measure in which another method is better by more than the noise of the seeds.

    One seed tells no noise: then every better mean is named. With so many cells some lie beyond the noise by chance.
    """
    lines = []
    for group in found:
        for factor in group.factors:
            for name, quality in QUALITIES.items():
                if better := _better(group, factor, quality, method):
                    place = f"{group.losses}, {group.variant} x{group.scale}, weight x{factor:g}"
                    lines.append(f"{place}, {name}: " + ", ".join(better))
    return lines


def _better(group: Group, factor: float, quality: Quality, method: str) -> list[str]:
    own = group.cell(method, factor, quality.of)
    noise = 0.0 if math.isnan(own.half_width) else math.sqrt(2) * own.half_width
    others = {other: group.cell(other, factor, quality.of).mean for other in group.methods if other != method}
    return [
        f"{other} {mean:.3f} (autocal {own.mean:.3f})"
        for other, mean in others.items()
        if quality.better(mean, own.mean) > noise
    ]
