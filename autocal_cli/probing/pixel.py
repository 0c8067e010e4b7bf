"""Losses of pixels against pixels: x the network's output, y the target, both (B, C, H, W); d = x - y."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

PairLoss = Callable[[Tensor, Tensor], Tensor]


def l1() -> PairLoss:
    """mean |d|"""
    return F.l1_loss


def mse() -> PairLoss:
    """mean d^2"""
    return F.mse_loss


def charbonnier(eps: float = 1e-12) -> PairLoss:
    """mean sqrt(d^2 + eps), as BasicSR and traiNNer-redux have it (Lai et al., arXiv:1704.03915, with eps^2 there)."""
    return lambda x, y: torch.sqrt((x - y) ** 2 + eps).mean()


def huber(delta: float = 1.0) -> PairLoss:
    """mean of d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) beyond (Huber, Ann. Math. Statist. 35, 1964)."""
    return lambda x, y: F.huber_loss(x, y, delta=delta)
