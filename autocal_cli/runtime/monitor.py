"""Numbers for logs, read without making the device wait: a copy is started, and handed out once it has arrived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Numbers = tuple[list[str], list[float]]  # names, and the numbers that go with them


class Monitor:
    """The newest host copy of a small tensor; on CUDA it lags behind by however long the copy takes."""

    def __init__(self) -> None:
        self._arrived: Numbers = ([], [])
        self._travelling: tuple[list[str], Tensor, Any] | None = None

    def read(self, names: list[str], numbers: Callable[[], Tensor]) -> Numbers:
        """The newest numbers that have arrived, with their names; none before the first. Sends for more when it may."""
        if self._travelling is not None and self._travelling[2].query():
            self._arrived, self._travelling = (self._travelling[0], self._travelling[1].tolist()), None
        if self._travelling is not None:
            return self._arrived
        values = numbers()
        if values.device.type == "cuda":
            self._travelling = (names, *_sent(values))
        elif values.device.type != "meta":
            self._arrived = names, values.tolist()
        return self._arrived


def _sent(values: Tensor) -> tuple[Tensor, Any]:
    """A copy under way to pinned memory, and the event that tells when it has arrived."""
    target = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    target.copy_(values, non_blocking=True)
    event: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return target, event
