"""Numbers for logs, read without making the device wait: a copy is started, and handed out once it has arrived."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Monitor:
    """The newest host copy of a small tensor; on CUDA it lags behind by however long the copy takes."""

    def __init__(self) -> None:
        self._arrived: list[float] | None = None
        self._travelling: tuple[Tensor, Any] | None = None

    def read(self, values: Tensor) -> list[float] | None:
        """The newest values that have arrived, None before the first; starts the copy of `values` if none travels."""
        if values.device.type != "cuda":
            return list(values.tolist()) if values.device.type != "meta" else None
        if self._travelling is not None and self._travelling[1].query():
            self._arrived, self._travelling = list(self._travelling[0].tolist()), None
        if self._travelling is None:
            target = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            target.copy_(values, non_blocking=True)
            event: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
            self._travelling = (target, event)
        return self._arrived
