"""The values of one optimiser step, summed over its forward passes (gradient accumulation) and then averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class StepValues:
    """Sums of raw loss values by index: floats when `on_host`, else a tensor, so that nothing is read."""

    def __init__(self, on_host: bool) -> None:
        self.on_host = on_host
        self.sums: Any = None  # list of floats, or (L,) tensor
        self.counts: list[int] = []

    def add(self, named: Mapping[str, Tensor], index: Mapping[str, int]) -> None:
        """Adds the losses of one forward pass; `index` gives each its row, and may have grown since the last pass."""
        if self.sums is None and named.keys() == index.keys():  # the only pass of most steps
            row = [self._value(named[name]) for name in index]
            self.sums, self.counts = row if self.on_host else torch.stack(row), [1] * len(row)
            return
        zero: Any = 0.0 if self.on_host else next(iter(named.values())).new_zeros((), dtype=torch.float32)
        self._grow(len(index) - len(self.counts))
        row = [self._value(named[name]) if name in named else zero for name in index]
        if self.on_host:
            self.sums = [total + value for total, value in zip(self.sums, row, strict=True)]
        else:
            self.sums = torch.stack(row) if self.sums is None else self.sums + torch.stack(row)
        for name in named:
            self.counts[index[name]] += 1

    def means(self, rows: int) -> Any:
        """Mean values for `rows` losses; 0 for a loss that was not seen. None when no pass was added."""
        if self.sums is None:
            return None
        self._grow(rows - len(self.counts))  # losses first met in the step that begins
        if max(self.counts) <= 1:
            return self.sums
        counts = [max(count, 1) for count in self.counts]
        if self.on_host:
            return [total / count for total, count in zip(self.sums, counts, strict=True)]
        # Made by fills: a copy from the host would wait for the device.
        return self.sums / torch.stack([self.sums.new_full((), float(count)) for count in counts])

    def _value(self, value: Tensor) -> Any:
        return value.item() if self.on_host else value.detach().float().reshape(())

    def _grow(self, rows: int) -> None:
        self.counts += [0] * rows
        if self.on_host:
            self.sums = (self.sums or []) + [0.0] * rows
        elif self.sums is not None and rows:
            self.sums = torch.cat([self.sums, self.sums.new_zeros(rows)])

    def state(self) -> dict[str, Any]:
        sums = torch.tensor(self.sums, dtype=torch.float64) if isinstance(self.sums, list) else self.sums
        return {"sums": sums, "counts": list(self.counts)}

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], rows: Sequence[int], on_host: bool, device: torch.device
    ) -> StepValues:
        """`rows` says which saved row each loss has."""
        values = cls(on_host)
        if state["sums"] is None:
            return values
        saved = [*state["sums"].tolist(), *[0.0] * len(rows)]
        counts = [*state["counts"], *[0] * len(rows)]
        sums = [saved[row] for row in rows]
        values.counts = [counts[row] for row in rows]
        values.sums = sums if on_host else torch.tensor(sums).to(device)
        return values
