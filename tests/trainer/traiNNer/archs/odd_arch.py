"""Constructors and networks that give trouble, each in one way."""

from __future__ import annotations

import os
import sys
import time

import torch
from torch import Tensor, nn

from traiNNer.archs.plain_arch import Plain
from traiNNer.utils.registry import ARCH_REGISTRY

NOISE = '{"event": "built", "parameters": 1}\n'  # as if it were an answer


@ARCH_REGISTRY.register()
def raises(scale: int = 4) -> nn.Module:
    raise RuntimeError(f"no scale {scale}\nin two lines")


@ARCH_REGISTRY.register()
def exits(scale: int = 4) -> nn.Module:
    sys.exit("enough")


@ARCH_REGISTRY.register()
def quits(scale: int = 4) -> nn.Module:
    os._exit(3)


@ARCH_REGISTRY.register()
def hangs(scale: int = 4) -> nn.Module:
    while True:
        time.sleep(1)


@ARCH_REGISTRY.register()
def eats(scale: int = 4) -> nn.Module:
    held = []
    for _ in range(60):
        held.append(bytearray(os.urandom(1 << 20) * 16))
        time.sleep(0.02)
    return Plain(scale)


@ARCH_REGISTRY.register()
def prints(scale: int = 4) -> nn.Module:
    print(NOISE)
    sys.stderr.write(NOISE)
    os.write(1, NOISE.encode())
    return Plain(scale)


@ARCH_REGISTRY.register()
def asks(scale: int = 4) -> nn.Module:
    return Plain(scale, int(input()))


@ARCH_REGISTRY.register()
def no_module(scale: int = 4) -> int:
    return scale


@ARCH_REGISTRY.register()
class ReadsValues(Plain):
    """Needs real values as it is built: `.item()` fails on the meta device."""

    def __init__(self, scale: int = 4) -> None:
        super().__init__(scale, dim=int(torch.ones(8).sum().item()))


@ARCH_REGISTRY.register()
class ReadsValuesForward(Plain):
    """Needs real values as it runs."""

    def forward(self, image: Tensor) -> Tensor:
        return self.body(image * (1.0 if image.mean().item() >= 0 else -1.0))


@ARCH_REGISTRY.register()
class Windows(Plain):
    """Takes sides that are multiples of 24 only."""

    def forward(self, image: Tensor) -> Tensor:
        batch, channels, height, width = image.shape
        image.view(batch, channels, height // 24, 24, width // 24, 24)
        return self.body(image)


@ARCH_REGISTRY.register()
class Clips(Plain):
    """Makes one image of five."""

    def forward(self, clip: Tensor) -> Tensor:
        _, frames, _, _, _ = clip.shape
        assert frames == 5
        return self.body(clip[:, 2])


@ARCH_REGISTRY.register()
class Pairs(Plain):
    """Batch normalisation of one value an image."""

    def __init__(self, scale: int = 4) -> None:
        super().__init__(scale)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3))

    def forward(self, image: Tensor) -> Tensor:
        return self.body(image * self.gate(image))


@ARCH_REGISTRY.register()
class NeverRuns(Plain):
    def forward(self, image: Tensor) -> Tensor:
        raise RuntimeError("not for images")
