"""How varied a set is, and which of its images to choose so that its range is kept.

Every image is of one kind: a cell of a grid over edges, colours, brightness and the two opponent colours of its mean.
The variety of a set is the exponential of the entropy over kinds, the number of equally frequent kinds that would be as
varied (Hill 1973, "Diversity and evenness"). A choice takes as many of each kind as there is room for, so that what a
set is full of, foliage for example, does not win by its number, nor by its complexity. benchmarks/variety.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from autocal_cli.dataset.model import METRIC_NAMES, Curation, ImageRow, Reason, Variety

SCORE_STEPS = 5  # of the scores of edges and of colours, 0..1
BRIGHTNESS = (90.0, 117.0)  # levels of the mean; these and the next are thirds of 300 photographs of BSDS500
RED_GREEN = (-8.0, 6.0)  # levels of red less green
YELLOW_BLUE = (10.0, 30.0)  # levels of red and green, halved, less blue
FULLEST = 10  # kinds whose share is told
EDGES, COLOURS = METRIC_NAMES.index("edge_density"), METRIC_NAMES.index("color_variation")

Kinds = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]


def kinds_of(rows: Sequence[ImageRow]) -> Kinds:
    """The number of each image's kind."""
    return np.fromiter((_kind(row) for row in rows), dtype=np.int64, count=len(rows))


def _kind(row: ImageRow) -> int:
    red, green, blue = row.facts.mean
    steps = [min(int(row.scores[which] * SCORE_STEPS), SCORE_STEPS - 1) for which in (EDGES, COLOURS)]
    kind = steps[0] * SCORE_STEPS + steps[1]
    for value, (low, high) in (
        ((red + green + blue) / 3, BRIGHTNESS),
        (red - green, RED_GREEN),
        ((red + green) / 2 - blue, YELLOW_BLUE),
    ):
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


def choices(curation: Curation, rows: Sequence[ImageRow]) -> list[Choice]:
    """What would be left of the variety of the images that are not dropped, in choices of fewer of them."""
    kinds, (verdicts, overall) = kinds_of(rows), _judged(curation, rows)
    order = np.argsort(-overall, kind="stable")
    order = order[verdicts[order] != DROP]
    return [
        Choice(count, len(np.unique(kinds[chosen(kinds, order, count)])), len(np.unique(kinds[order[:count]])))
        for count in (len(order) // part for part in OFFERED)
        if count
    ]


def choose(curation: Curation, rows: Sequence[ImageRow], count: int) -> Curation:
    """The verdicts with `surplus` for what is not among the `count` images that are chosen of those not dropped.

    Of a kind those to keep come before those to look at, then the more complex ones.
    """
    kinds, (verdicts, overall) = kinds_of(rows), _judged(curation, rows)
    order = np.lexsort((-overall, verdicts))
    order = order[verdicts[order] != DROP]
    taken = chosen(kinds, order, count)
    reasons = dict(curation.reasons)
    of_kind = dict(zip(*(part.tolist() for part in np.unique(kinds[taken], return_counts=True)), strict=True))
    for place in np.setdiff1d(order, taken).tolist():
        path, others = rows[place].facts.path, of_kind.get(int(kinds[place]), 0)
        reasons[path] = (*reasons.get(path, ()), Reason("surplus", "drop", f"kept of its kind: {others:,}"))
    return replace(curation, reasons=reasons)


VERDICTS = ("keep", "look", "drop")
DROP = VERDICTS.index("drop")


def _judged(curation: Curation, rows: Sequence[ImageRow]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float64]]:
    """The number of each image's verdict, and its overall complexity."""
    judged = ((VERDICTS.index(curation.verdict(row.facts.path)), row.overall) for row in rows)
    found = np.fromiter(judged, dtype=[("verdict", np.int8), ("overall", np.float64)], count=len(rows))
    return found["verdict"], found["overall"]
