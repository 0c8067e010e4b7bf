"""What a method is told of a run, and the sum that most of them minimise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Raw = dict[str, Tensor]
Objective = Callable[[Raw, int, Tensor], Tensor]  # raw losses, iteration from 1, network output -> what is minimised


@dataclass(frozen=True)
class Task:
    """The losses as configured (weights may be wrong), the network by its registered type, and the run's length."""

    weights: Mapping[str, float]
    types: Mapping[str, str]
    shares: Mapping[str, float]
    network: str
    scale: int
    batch: int
    steps: int


Method = Callable[[Task], Objective]


def weighted(raw: Raw, weights: Mapping[str, float], multipliers: Mapping[str, float] | None = None) -> Tensor:
    """sum_i w_i m_i L_i"""
    return torch.stack([(multipliers or {}).get(name, 1.0) * weights[name] * loss for name, loss in raw.items()]).sum()
