"""How the numbers of a step get to the host: summed over the ranks, and without a wait for the device."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

DELAY = 2  # steps after which numbers of an accelerator are taken up: always, so that every run sees the same


def several_ranks() -> bool:
    """Whether this process is one of several in torch.distributed."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def summed_over_ranks(values: Sequence[Tensor | float], device: torch.device, several: bool) -> list[float] | Tensor:
    """The sums of `values` over all ranks: floats where the losses are on the CPU, else a tensor on the device.

    One all_reduce, and none with one rank. On the CPU the values are floats, and travel as float64.
    """
    if device.type == "cpu":
        if not several:
            return list(map(float, values))
        message = torch.tensor(list(map(float, values)), dtype=torch.float64)
        dist.all_reduce(message)
        return list(message.tolist())
    stacked = torch.stack([value if isinstance(value, Tensor) else _constant(value, device) for value in values])
    if several:
        dist.all_reduce(stacked)
    return stacked


@cache
def _constant(value: float, device: torch.device) -> Tensor:
    """A number on the device, made once: 0 for what was not seen, and small counts."""
    return torch.full((), value, dtype=torch.float32, device=device)


class Arrivals:
    """Numbers on their way from an accelerator: each row copied asynchronously, taken up two steps later.

    Rows of the CPU are taken up at once.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Tensor, Any, Any]] = deque()  # row on the host, its event, what belongs to it

    def send(self, row: list[float] | Tensor, note: Any) -> list[tuple[list[float], Any]]:
        """Puts a row on its way; gives what is due now, oldest first."""
        if isinstance(row, list):
            return [(row, note)]
        pinned = row.device.type == "cuda"
        host = torch.empty(row.shape, dtype=row.dtype, pin_memory=pinned)
        host.copy_(row, non_blocking=True)
        event = None
        if pinned:
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
        self._waiting.append((host, event, note))
        due = []
        while len(self._waiting) >= DELAY:
            due.append(self._take())
        return due

    def newest(self) -> list[float]:
        """The row sent last; waits for it. The device works on meanwhile with what was asked of it since."""
        host, event, _ = self._waiting[-1]
        if event is not None:
            event.synchronize()
        return list(host.tolist())

    def state(self) -> list[Any]:
        """What is still on its way, as plain numbers. Waits for it."""
        rows = []
        for host, event, note in self._waiting:
            if event is not None:
                event.synchronize()
            rows.append([host.tolist(), note])
        return rows

    def load(self, rows: Sequence[Any]) -> None:
        self._waiting = deque((torch.tensor(row), None, note) for row, note in rows)

    def _take(self) -> tuple[list[float], Any]:
        host, event, note = self._waiting.popleft()
        if event is not None:
            event.synchronize()  # two steps old: it has arrived
        return list(host.tolist()), note
