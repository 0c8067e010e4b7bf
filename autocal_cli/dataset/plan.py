"""What each bound would cost before anything is written; how varied a set is, and which images to choose of it so that
its range is kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from autocal_cli.dataset.curation import most_of, value_of
from autocal_cli.dataset.model import METRIC_NAMES, Curation, ImageRow, PairsSummary, Reason, Rule, Variety


@dataclass(frozen=True, slots=True)
class Cost:
    """How many images a reason drops and has looked at; `alone`: dropped for this reason only."""

    reason: str
    look: int
    drop: int
    alone: int
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True, slots=True)
class Curve:
    """How many images a reason would drop at each of some bounds of one `measure`, of which `bound` is in force; those
    included that another measure of the reason drops.
    """

    measure: str
    bound: float
    points: tuple[tuple[float, int], ...]


CURVE = tuple(0.25 * step for step in range(1, 9))  # times the bound


def plan(curation: Curation, rows: Sequence[ImageRow]) -> list[Cost]:
    """The cost of every reason that is met, in order of what it drops."""
    alone: Counter[str] = Counter()
    for reasons in curation.reasons.values():
        drops = {reason.code for reason in reasons if reason.severity == "drop"}
        alone.update(drops if len(drops) == 1 else ())
    by_reason = curation.by_reason()
    curves = _curves([rule for rule in curation.rules if rule.reason in by_reason], rows, curation.pairs)
    return [
        Cost(code, named["look"].count, named["drop"].count, alone[code], tuple(curves.get(code, ())))
        for code, named in by_reason.items()
    ]


def _curves(rules: Iterable[Rule], rows: Iterable[ImageRow], pairs: Sequence[PairsSummary]) -> dict[str, list[Curve]]:
    """By reason the curve of each measure that drops."""
    rules = [rule for rule in rules if rule.drop is not None]
    bounds = [_bounds_around(rule.drop or 0.0, rule.range[1]) for rule in rules]
    others = [
        [j for j, one in enumerate(rules) if j != i and one.reason == rule.reason] for i, rule in enumerate(rules)
    ]
    reached = [[0] * (len(several) + 1) for several in bounds]  # images by how many bounds lie below their value
    anyhow = [0] * len(rules)
    for row in rows:
        most = most_of(pairs, row)
        values = [value_of(rule, row, most) for rule in rules]
        drops = [
            value is not None and rule.is_beyond(value, rule.drop) for rule, value in zip(rules, values, strict=True)
        ]
        for i, value in enumerate(values):
            if any(drops[j] for j in others[i]):
                anyhow[i] += 1
            elif value is not None:
                reached[i][(bisect_left if rules[i].when == "above" else bisect_right)(bounds[i], value)] += 1
    found: dict[str, list[Curve]] = {}
    for i, rule in enumerate(rules):
        below = accumulate(reached[i])
        counts = (anyhow[i] + (sum(reached[i]) - count if rule.when == "above" else count) for count in below)
        curve = Curve(rule.measure, rule.drop or 0.0, tuple(zip(bounds[i], counts, strict=False)))
        found.setdefault(rule.reason, []).append(curve)
    return found


def _bounds_around(bound: float, most: float) -> list[float]:
    return sorted({bound * times for times in CURVE if times <= 1 or bound * times <= most})


# How varied a set is, and which of its images to choose.
#
# Every image is of one kind: a cell of a grid over edges, colours, brightness and the two opponent colours of its mean.
# The variety of a set is the exponential of the entropy over kinds, the number of equally frequent kinds that would be
# as varied (Hill 1973, "Diversity and evenness"). A choice takes as many of each kind as there is room for, so that
# what a set is full of, foliage for example, does not win by its number. benchmarks/variety.py.

SCORE_STEPS = 5  # of the scores of edges and of colours, 0..1
BRIGHTNESS = (90.0, 117.0)  # levels of the mean; these and the next are thirds of 300 photographs of BSDS500
RED_GREEN = (-8.0, 6.0)  # levels of red less green
YELLOW_BLUE = (10.0, 30.0)  # levels of red and green, halved, less blue
FULLEST = 10  # kinds whose share is told
EDGES, COLOURS = METRIC_NAMES.index("edge_density"), METRIC_NAMES.index("color_variation")

Kinds = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]


def kind_of(row: ImageRow) -> int:
    """The number of an image's kind."""
    red, green, blue = row.facts.mean
    kind = 0
    for score in (row.scores[EDGES], row.scores[COLOURS]):
        kind = SCORE_STEPS * kind + min(int(score * SCORE_STEPS), SCORE_STEPS - 1)
    opponents = ((red - green, RED_GREEN), ((red + green) / 2 - blue, YELLOW_BLUE))
    for value, (low, high) in (((red + green + blue) / 3, BRIGHTNESS), *opponents):
        kind = 3 * kind + (value >= low) + (value >= high)
    return kind


def variety_of(kinds: Kinds) -> Variety:
    """The variety of one image or more."""
    counts = np.sort(np.unique(kinds, return_counts=True)[1])[::-1]
    shares = counts / counts.sum()
    return Variety(len(counts), float(np.exp(-(shares * np.log(shares)).sum())), float(shares[:FULLEST].sum()))


def chosen(kinds: Kinds, order: Places, count: int) -> Places:
    """At most `count` of the places in `order`, the better ones first: as many of each kind as there is room for.

    In turns: the best of every kind, then the second best of every kind, and so on; of the last turn, which has too
    many, those that lie evenly over the kinds.
    """
    ordered = kinds[order]
    by_kind = np.argsort(ordered, kind="stable")
    starts = np.flatnonzero(np.diff(ordered[by_kind], prepend=-1))
    turns = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    in_turns = by_kind[np.argsort(turns, kind="stable")]  # turn by turn, each in order of the kinds
    sizes = np.bincount(turns, minlength=1).cumsum()
    whole = int(np.searchsorted(sizes, count, side="right"))  # turns that are taken whole
    done = int(sizes[whole - 1]) if whole else 0
    last = in_turns[done : sizes[whole]] if whole < len(sizes) else in_turns[:0]
    evenly = last[(np.arange(count - done) * len(last) // max(1, count - done))] if len(last) else last
    places: Places = order[np.sort(np.concatenate([in_turns[:done], evenly]))]
    return places


@dataclass(frozen=True, slots=True)
class Choice:
    """How many kinds a choice of `count` images has, and how many as many of the most complex images have."""

    count: int
    kinds: int
    complex: int


OFFERED = (2, 4, 10)  # every so-manieth image
VERDICTS = ("keep", "look", "drop")


def choices(curation: Curation, rows: Sequence[ImageRow]) -> list[Choice]:
    """What would be left of the variety of the images that are not dropped, in choices of fewer of them."""
    kinds, verdicts, complexity = _judged(curation, rows)
    order = _not_dropped(np.argsort(-complexity, kind="stable"), verdicts)
    return [
        Choice(count, len(np.unique(kinds[chosen(kinds, order, count)])), len(np.unique(kinds[order[:count]])))
        for count in (len(order) // part for part in OFFERED)
        if count > 1
    ]


def choose(curation: Curation, rows: Sequence[ImageRow], count: int) -> Curation:
    """The verdicts with `surplus` for what is not among the `count` images that are chosen of those not dropped.

    Of a kind those to keep come before those to look at, then the more complex ones.
    """
    kinds, verdicts, complexity = _judged(curation, rows)
    order = _not_dropped(np.lexsort((-complexity, verdicts)), verdicts)
    taken = chosen(kinds, order, count)
    kept, reasons = Counter(kinds[taken].tolist()), dict(curation.reasons)
    for place in np.setdiff1d(order, taken).tolist():
        path, detail = rows[place].facts.path, f"kept of its kind: {kept[int(kinds[place])]:,}"
        reasons[path] = (*reasons.get(path, ()), Reason("surplus", "drop", detail))
    return replace(curation, reasons=reasons)


def _judged(
    curation: Curation, rows: Sequence[ImageRow]
) -> tuple[Kinds, npt.NDArray[np.int8], npt.NDArray[np.float64]]:
    """Each image's kind, the place of its verdict in VERDICTS, and its overall complexity."""
    judged = ((kind_of(row), VERDICTS.index(curation.verdict(row.facts.path)), row.overall) for row in rows)
    found = np.fromiter(judged, dtype="i8, i1, f8", count=len(rows))
    return found["f0"], found["f1"], found["f2"]


def _not_dropped(order: Places, verdicts: npt.NDArray[np.int8]) -> Places:
    return np.asarray(order[verdicts[order] != VERDICTS.index("drop")])
