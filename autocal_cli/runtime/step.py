"""The numbers of one optimiser step: added up over its passes and over all ranks, and brought to the host.

On the CPU they are floats and there at once. From an accelerator each step's row is copied asynchronously and taken up
exactly two steps later, so that nothing waits, and every rank and every resumed run sees the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

DELAY = 2  # steps after which numbers of an accelerator are taken up

Means = dict[str, float]  # by name, of what was met in a step


def several_ranks() -> bool:
    """Whether this process is one of several in torch.distributed."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


class StepNumbers:
    """Sums and counts by name: of the open step, and of those on their way to the host."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.sums: dict[str, Any] = {}  # floats on the CPU, else 0-dim float32 tensors
        self.counts: dict[str, int] = {}
        self.device = torch.device("cpu")  # an accelerator once a number lay there
        self._waiting: deque[tuple[Tensor, Any, int, list[int]]] = deque()  # row, its event, iteration, counts

    def add(self, name: str, value: Tensor) -> None:
        """One more value, 0-dim. It is taken detached, and nothing is read from an accelerator."""
        if value.is_cpu:
            number: Any = value.item()
        else:
            self.device, number = value.device, value.detach().float()
        if name in self.sums:
            number = self.sums[name] + number
        self.sums[name] = number
        self.counts[name] = self.counts.get(name, 0) + 1

    def close(self, iteration: int) -> list[tuple[int, Means]]:
        """Ends the open step. What is due now, oldest first: iterations and their means over passes and ranks.

        One all_reduce with several ranks, which all have to call it.
        """
        sums = [self.sums.get(name, 0.0) for name in self.names]
        counts = [self.counts.get(name, 0) for name in self.names]
        self.sums, self.counts = {}, {}
        several = several_ranks()
        if self.device.type == "cpu":
            if several:
                message = torch.tensor([*sums, *counts], dtype=torch.float64)
                dist.all_reduce(message)
                sums = message.tolist()
            return [(iteration, self._means(sums, counts))]
        row = torch.stack([self._placed(value) for value in (*sums, *(counts if several else ()))])
        if several:
            dist.all_reduce(row)
        self._waiting.append((*self._to_host(row), iteration, counts))
        due = []
        while len(self._waiting) >= DELAY:
            host, event, of, known = self._waiting.popleft()
            if event is not None:
                event.synchronize()  # two steps old: it has arrived
            due.append((of, self._means(host.tolist(), known)))
        return due

    def _means(self, row: Sequence[float], counts: Sequence[float]) -> Means:
        """`row`: the sums, and with several ranks how often each was met on all of them."""
        met = row[len(self.names) :] or counts
        return {name: total / count for name, total, count in zip(self.names, row, met, strict=False) if count}

    def _placed(self, value: Any) -> Tensor:
        return value if isinstance(value, Tensor) else _constant(float(value), self.device)

    def _to_host(self, row: Tensor) -> tuple[Tensor, Any]:
        """A copy that is on its way, and the event that says when it is there."""
        pinned = row.device.type == "cuda"
        host = torch.empty(row.shape, dtype=row.dtype, pin_memory=pinned)
        host.copy_(row, non_blocking=True)
        event = None
        if pinned:
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
        return host, event

    def state_dict(self) -> dict[str, Any]:
        """As plain numbers. Waits for what is on its way."""
        waiting = []
        for host, event, iteration, counts in self._waiting:
            if event is not None:
                event.synchronize()
            waiting.append([host.tolist(), iteration, counts])
        sums = {name: float(value) for name, value in self.sums.items()}
        return {"sums": sums, "counts": dict(self.counts), "waiting": waiting}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.sums, self.counts = dict(state["sums"]), dict(state["counts"])
        self._waiting = deque((torch.tensor(row), None, int(at), list(counts)) for row, at, counts in state["waiting"])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.state_dict(), "names": self.names, "device": self.device}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.names, self.device = state["names"], state["device"]
        self.load_state_dict(state)


@lru_cache(maxsize=64)
def _constant(value: float, device: torch.device) -> Tensor:
    """A number on the device, kept: 0 for what was not seen, and counts. A loss's own value differs every step."""
    return torch.full((), value, dtype=torch.float32, device=device)
