"""Training crops: random ones of the training's own size, of images in random order, as a trainer draws them first.

The trainer's own random numbers depend on its version, its workers and its machine, so these are drawn alike, not the
same ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from autocal_cli.dataset.lookahead import look_ahead
from autocal_cli.dataset.metric_numbers import WINDOW

T = TypeVar("T")
R = TypeVar("R")

Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True, slots=True)
class Cut:
    """The crop of one draw: `side` pixels, at a place that seed and number of the draw decide."""

    side: int
    seed: int
    draw: int

    def box(self, size: tuple[int, int]) -> Box:
        """Where it lies in an image of (width, height): anywhere with equal chance, no larger than the image."""
        place = random.Random(f"{self.seed} {self.draw}")
        wide, high = (min(self.side, extent) for extent in size)
        left, top = place.randrange(size[0] - wide + 1), place.randrange(size[1] - high + 1)
        return left, top, left + wide, top + high


def drawn(count: int, draws: int, seed: int) -> Iterator[int]:
    """The numbers of the images, of `count`, in order of the draws: epoch by epoch, each in a new random order."""
    return islice(_epochs(count, seed), draws)


def _epochs(count: int, seed: int) -> Iterator[int]:
    shuffler, order = random.Random(seed), list(range(count))
    while True:
        shuffler.shuffle(order)
        yield from order


@contextmanager
def reading_crops(
    read: Callable[..., R], draws: Iterable[tuple[int, T]], side: int, seed: int, workers: int
) -> Iterator[Iterator[R]]:
    """What `read(image, cut=Cut)` makes of each (number of the draw, image), in order, by workers. Not cached."""

    def read_draw(item: tuple[int, T]) -> R:
        return read(item[1], cut=Cut(max(side, WINDOW), seed, item[0]))

    with look_ahead(read_draw, draws, workers) as results:
        yield results
