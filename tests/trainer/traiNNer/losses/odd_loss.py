"""Losses in the shapes that real trainers have, and some that misbehave."""

from __future__ import annotations

import os
import sys
import urllib.request

import torch
from torch import Tensor, nn

from traiNNer.utils.registry import LOSS_REGISTRY


class Weighed(nn.Module):
    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight


@LOSS_REGISTRY.register()
class InsideLoss(Weighed):
    """Three times L1, with its weight applied inside."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.loss_weight * 3.0 * (x - y).abs().mean()


@LOSS_REGISTRY.register()
class PairLoss(Weighed):
    """Two parts, one of which is switched off."""

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, None]:
        return (x - y).abs().mean(), None


@LOSS_REGISTRY.register()
class PartsLoss(Weighed):
    def forward(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        return {"near": 0.5 * (x - y).abs().mean(), "far": 0.5 * (x - y).abs().mean((1, 2, 3))}


@LOSS_REGISTRY.register()
class DrawnLoss(Weighed):
    """Along directions drawn at random."""

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        self.directions = torch.randn(3, 1, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return (self.directions * (x - y)).abs().mean()


@LOSS_REGISTRY.register()
class ThreeLoss(Weighed):
    def forward(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return (x - y + z).mean()


@LOSS_REGISTRY.register()
class FetchLoss(Weighed):
    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        urllib.request.urlopen("http://127.0.0.1:9/weights.pth")


@LOSS_REGISTRY.register()
class QuitLoss(Weighed):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        sys.exit(3)


@LOSS_REGISTRY.register()
class GoneLoss(Weighed):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        os._exit(3)
