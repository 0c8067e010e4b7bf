"""Several processes that scan one dataset together, as `torchrun` starts them: who reads what, and what they exchange.

Each block of the sample is shared out; then every rank gets what all made of it, in the order of the sample. So all see
the same results as one process alone does, and come to the same end at the same image.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import Any, TypeVar

import torch.distributed as dist

T = TypeVar("T")
R = TypeVar("R")
_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Ranks:
    """One of `count` processes, `rank` from 0. Alone it takes everything and exchanges nothing."""

    rank: int = 0
    count: int = 1

    def share(self, items: Iterable[T], block: int) -> Iterator[T]:
        """The items that this rank takes: of each `block` of them every `count`-th."""
        return (item for place, item in enumerate(items) if place % block % self.count == self.rank)

    def together(self, mine: Iterator[R], items: int, block: int) -> Iterator[R]:
        """What all ranks made of their shares of so many `items`, in the order of the items. All ranks iterate."""
        if self.count == 1:
            yield from mine
            return
        for start in range(0, items, block):
            own = len(range(self.rank, min(block, items - start), self.count))
            yield from self._exchanged(list(islice(mine, own)))

    def _exchanged(self, mine: Sequence[R]) -> Iterator[R]:
        shares: list[Any] = [None] * self.count
        dist.all_gather_object(shares, mine)
        turns = chain.from_iterable(zip_longest(*shares, fillvalue=_NOTHING))
        return (item for item in turns if item is not _NOTHING)


@contextmanager
def all_ranks() -> Iterator[Ranks]:
    """The processes that torchrun started; alone where it did not. Objects travel by gloo, whatever the device."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or not dist.is_available():
        yield Ranks()
        return
    dist.init_process_group("gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
