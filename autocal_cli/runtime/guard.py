"""The guard: what has to be taken from the losses so that no kind of loss has more of the pull than its ceiling.

    p_i = w_i m_i G_i      pull of a loss: weight, multiplier, norm of its gradient at the network's output
    q_k = sum_(i in k) p_i / sum_i p_i      share of a kind

Below its ceiling a kind is left exactly as it is; above it all its losses come down by the same factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDS = 16  # capping one loss raises the shares of the others; a few rounds settle it


@dataclass(frozen=True, slots=True)
class Guard:
    """What holds for the losses of a run.

    `limits`: the ceilings (K,) of their kinds, or, where there are no `kinds`, the wanted share (L,) of each loss.
    `kinds`: (K, L), 1 where a loss is of a kind. `floor`: the lowest log-factor, log(min_weight).
    """

    limits: Tensor
    kinds: Tensor | None
    floor: float

    @classmethod
    def of_ceilings(cls, kinds: Sequence[str], ceilings: Sequence[float], floor: float) -> Guard:
        """From the kind of each loss and the ceiling of that kind."""
        first = [kinds.index(kind) for kind in dict.fromkeys(kinds)]
        member = [[float(kind == kinds[at]) for kind in kinds] for at in first]
        return cls(torch.tensor([ceilings[at] for at in first]), torch.tensor(member), floor)

    def to(self, device: torch.device) -> Guard:
        kinds = None if self.kinds is None else self.kinds.to(device)
        return Guard(self.limits.to(device), kinds, self.floor)

    def goals(self, pull: Tensor) -> Tensor:
        """(L,) log-factors for the pulls (L,) without any guard."""
        if self.kinds is None:
            return share_goals(pull, self.limits, self.floor)
        return guard_goals(self.kinds @ pull, self.limits, self.floor) @ self.kinds


def guard_goals(pull: Tensor, ceilings: Tensor, floor: float) -> Tensor:
    """The log-factors (<= 0) that bring every share down to its ceiling.

    Args:
        pull: (L,) pulls without any guard, w_i exp(drift_i) G_i; 0 for a loss that does not count.
        ceilings: (L,) shares above 0; 1 or more is none.
        floor: the lowest log-factor, log(min_weight).

    Returns:
        (L,) goals, exactly 0 where a loss stays below its ceiling.
    """
    ceilings = _feasible(pull, ceilings)
    capped = pull
    for _ in range(ROUNDS):
        # p_i / (p_i + others) <= c_i   <=>   p_i <= others c_i / (1 - c_i)
        others = capped.sum() - capped
        limit = torch.where(ceilings < 1.0, others * ceilings / (1.0 - ceilings).clamp(min=1e-6), capped)
        capped = torch.minimum(capped, limit)
    over = capped < pull
    factor = torch.where(over, capped / pull.clamp(min=1e-30), torch.ones_like(pull))
    return torch.where(over, torch.log(factor.clamp(min=1e-30)).clamp(min=floor), torch.zeros_like(pull))


def share_goals(pull: Tensor, wanted: Tensor, floor: float) -> Tensor:
    """The log-factors that give the losses with a `wanted` share (above 0) that share of the pull, up or down.

    The others keep their pull and have what is left; where every loss has a wanted share, the sum of the pulls is kept.
    """
    named = (wanted > 0.0) & (pull > 0.0)
    left = (1.0 - torch.where(named, wanted, torch.zeros_like(wanted)).sum()).clamp(min=0.0)
    unnamed = torch.where(named, torch.zeros_like(pull), pull).sum()
    total = torch.where((unnamed > 0.0) & (left > 1e-6), unnamed / left.clamp(min=1e-6), pull.sum())
    factor = torch.where(named, wanted * total / pull.clamp(min=1e-30), torch.ones_like(pull))
    return torch.log(factor.clamp(min=1e-30)).clamp(min=floor, max=-floor)


def shares(pull: Tensor) -> Tensor:
    """q_i: (L,) shares of the pull; all 0 where nothing pulls."""
    return pull / pull.sum().clamp(min=1e-30)


def _feasible(pull: Tensor, ceilings: Tensor) -> Tensor:
    """Ceilings that can hold together: where those of the losses that pull add up to less than 1, all are raised."""
    present = torch.where(pull > 0.0, ceilings.clamp(max=1.0), torch.zeros_like(ceilings)).sum()
    return torch.where(present < 1.0, ceilings / present.clamp(min=1e-6), ceilings)
