"""The networks of the small training: one that learns to enlarge, one that judges it, and fixed random features."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F  # noqa: N812
from small_photographs import SCALE
from torch import Tensor, nn

CHANNELS = 16

Module = TypeVar("Module", bound=nn.Module)


class Network(nn.Module):
    """Six convolutions of 16 channels and a pixelshuffle; the enlarged input is added, as in SRVGGNetCompact."""

    def __init__(self) -> None:
        super().__init__()
        body: list[nn.Module] = [nn.Conv2d(3, CHANNELS, 3, padding=1), nn.ReLU()]
        for _ in range(4):
            body += [nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.ReLU()]
        self.body = nn.Sequential(*body, nn.Conv2d(CHANNELS, 3 * SCALE**2, 3, padding=1), nn.PixelShuffle(SCALE))

    def forward(self, low: Tensor) -> Tensor:
        enlarged: Tensor = self.body(low) + F.interpolate(low, scale_factor=SCALE, mode="nearest")
        return enlarged


class Discriminator(nn.Sequential):
    """Patch logits (B, 1, H / 8, W / 8) of an image: above 0 for a real one."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 16, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(32, 32, 4, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(32, 1, 3, 1, 1),
        )  # fmt: skip


class Features(nn.Sequential):
    """Features of a network with random weights, which keep their scale from layer to layer."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 16, 3, 1, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 3, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(32, 32, 3, 1, 1),
        )  # fmt: skip
        for layer in self:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.2)


def seeded(make: Callable[[], Module], seed: int) -> Module:
    """What `make` makes, from a seed; the global seed stays as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()
