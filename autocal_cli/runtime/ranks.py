"""What ranks tell each other: one small all_reduce a step, so that all come to the same multipliers."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def several_ranks() -> bool:
    """Whether this process is one of several in torch.distributed."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def average_over_ranks(
    means: Any, norms: Tensor | None, losses: int, probing: bool, device: torch.device
) -> tuple[Any, Tensor | None]:
    """Mean values and gradient norms, averaged over all ranks in one all_reduce; not finite on one is so on all.

    Args:
        means: this rank's mean values (L,), a list of floats or a tensor; None before the first step (on all ranks).
        norms: this rank's gradient norms (L,), or None where it could not probe; it is then left out of the average.
        losses: L, the same on all ranks.
        probing: whether norms travel in this step, the same on all ranks.
        device: where the losses are.
    """
    if not several_ranks() or (means is None and not probing):
        return means, norms
    exact = isinstance(means, list) and device.type != "mps"
    dtype = torch.float64 if exact else torch.float32
    message = torch.zeros(
        (losses if means is not None else 0) + (losses + 1 if probing else 0), dtype=dtype, device=device
    )
    if means is not None:
        message[:losses] = torch.tensor(means, dtype=dtype) if isinstance(means, list) else means
    if norms is not None:
        message[-losses - 1 : -1] = norms
        message[-1] = 1.0
    dist.all_reduce(message)
    if means is not None:
        summed = message[:losses] / dist.get_world_size()
        means = summed.tolist() if isinstance(means, list) else summed
    if probing:
        norms = (message[-losses - 1 : -1] / message[-1].clamp(min=1.0)).float()
    return means, norms


def any_rank(flag: Tensor) -> Tensor:
    """The largest flag of all ranks (0-dim)."""
    if several_ranks():
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
    return flag
