"""Outcomes of the efficacy benchmark as tables: means over seeds with their interval, and what a wrong weight costs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from efficacy_run import Outcome, Setting
from scipy.stats import t as student

SEEDS_ENOUGH = 4  # for the deviation of a method's own

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
        width = "" if math.isnan(self.half_width) else f" {interval(self.half_width, 2)}"
        return ("-" if math.isnan(self.mean) else f"{self.mean:.2f}{width}") + lost


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

    @property
    def seeds(self) -> int:
        return len({setting.seed for setting in self.rows})

    @property
    def title(self) -> str:
        return f"{self.losses}, {self.variant} at x{self.scale}"

    def outcomes(self, method: str, factor: float) -> list[Outcome]:
        return [outcome for s, outcome in self.rows.items() if s.method == method and s.factor == factor]

    def cell(self, method: str, factor: float, measure: Measure) -> Cell:
        runs = self.outcomes(method, factor)
        values = [measure(run) for run in runs if not run.diverged]
        mean = statistics.mean(values) if values else math.nan
        pooled = self.half_width(measure, factor, len(values))
        half_width = half_of_interval([values]) if len(values) >= SEEDS_ENOUGH else pooled
        return Cell(mean, half_width, sum(run.diverged for run in runs), len(runs))

    def half_width(self, measure: Measure, factor: float, seeds: int | None = None) -> float:
        """Of the 95% interval of a mean of so many seeds; the deviation is pooled over the methods at this factor.

        Where a method has seeds enough of its own, `cell` goes by those alone: methods scatter differently.
        """
        runs = [[measure(run) for run in self.outcomes(m, factor) if not run.diverged] for m in self.methods]
        return half_of_interval(runs, self.seeds if seeds is None else seeds)

    def spread(self, method: str, measure: Measure) -> float:
        """Largest less smallest mean over the factors; nan where all runs of a factor diverged."""
        means = [self.cell(method, factor, measure).mean for factor in self.factors]
        return max(means) - min(means) if not any(map(math.isnan, means)) else math.nan

    def lost(self, method: str, factor: float) -> float:
        """(static at x1 - method) / (static at x1 - static), in dB of PSNR; nan where static loses nothing to speak of.

        Below the half width of the difference of two means nothing was lost that could be told from the seeds' noise.
        """
        right, wrong = self.cell("static", 1.0, psnr), self.cell("static", factor, psnr)
        static_loss = right.mean - wrong.mean
        if factor == 1.0 or not static_loss > noise_between(right, wrong):
            return math.nan
        return (right.mean - self.cell(method, factor, psnr).mean) / static_loss


def half_of_interval(samples: Sequence[Sequence[float]], seeds: int | None = None) -> float:
    """t(0.975, n - k) s / sqrt(seeds): s^2 pooled over the k samples (n values); `seeds`: those of the first sample.

    nan where no sample has two values.
    """
    known = [values for values in samples if len(values) > 1]
    freedom = sum(len(values) - 1 for values in known)
    seeds = len(samples[0]) if seeds is None else seeds
    if not (freedom and seeds):
        return math.nan
    squares = sum(statistics.variance(values) * (len(values) - 1) for values in known)
    return float(student.ppf(0.975, freedom)) * math.sqrt(squares / freedom / seeds)


def noise_between(one: Cell, other: Cell) -> float:
    """The difference of two means that their seeds explain; 0 where one seed tells no noise."""
    return sum(0.0 if math.isnan(cell.half_width) else cell.half_width**2 for cell in (one, other)) ** 0.5


def psnr(outcome: Outcome) -> float:
    return outcome.psnr


@dataclass(frozen=True)
class Quality:
    """A measure of quality. `better` takes two of its values and says by how much the first is the better one."""

    of: Measure
    better: Callable[[float, float], float]


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


def table(group: Group, bicubic: Outcome) -> list[list[str]]:
    """Rows of cells, the head first: PSNR by factor, then what the other measures say at x1 and at the largest factor.

    `bicubic`: the same photographs, enlarged without any network. Behind PSNR and in the last row: half of the 95%
    interval of a mean.
    """
    factors, high = group.factors, group.factors[-1]
    ends = (1.0, high)
    head = ["method", *(f"PSNR x{factor:g}" for factor in factors), "spread", f"lost x{high:g}"]
    head += [f"{name} x{factor:g}" for name in MEASURES for factor in ends]
    beside = ["bicubic", *[number(bicubic.psnr, 2)] * len(factors), "-", "-"]
    beside += [number(measure(bicubic), 3) for measure in MEASURES.values() for _ in ends]
    widths = ["95%", *["-"] * (len(factors) + 2)]
    widths += [interval(group.half_width(measure, factor), 3) for measure in MEASURES.values() for factor in ends]
    return [head, *(row(group, method, factors) for method in group.methods), beside, widths]


def row(group: Group, method: str, factors: Sequence[float]) -> list[str]:
    cells = [str(group.cell(method, factor, psnr)) for factor in factors]
    found = [method, *cells, number(group.spread(method, psnr), 2), number(group.lost(method, factors[-1]), 2)]
    for measure in MEASURES.values():
        found += [number(group.cell(method, factor, measure).mean, 3) for factor in (1.0, factors[-1])]
    return found


def markdown(title: str, cells: Sequence[Sequence[str]]) -> str:
    head, *body = ("| " + " | ".join(line) + " |" for line in cells)
    return "\n".join([f"**{title}**", "", head, "|" + "---|" * len(cells[0]), *body])


def interval(half_width: float, digits: int) -> str:
    return "-" if math.isnan(half_width) else f"±{half_width:.{digits}f}"


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
    others = {other: group.cell(other, factor, quality.of) for other in group.methods if other != method}
    return [
        f"{other} {cell.mean:.3f} (autocal {own.mean:.3f})"
        for other, cell in others.items()
        if quality.better(cell.mean, own.mean) > noise_between(own, cell)
    ]
