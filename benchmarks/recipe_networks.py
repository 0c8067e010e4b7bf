"""The discriminators of published recipes, in our own code: a U-Net with spectral norm, and a VGG-style one."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2


class UnetDiscriminator(nn.Module):
    """A logit for every pixel: (B, 3, H, W) -> (B, 1, H, W), H and W multiples of 8 (Wang et al. 2021).

    Three halvings, three bilinear doublings with skip connections, spectral norm but at both ends.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        steps = ((width, 2 * width), (2 * width, 4 * width), (4 * width, 8 * width))
        self.down = nn.ModuleList([spectral_norm(nn.Conv2d(a, b, 4, 2, 1, bias=False)) for a, b in steps])
        self.up = nn.ModuleList([_same(b, a) for a, b in reversed(steps)])
        self.last = nn.ModuleList([_same(width, width), _same(width, width)])
        self.logits = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        levels = [F.leaky_relu(self.first(image), SLOPE)]
        for layer in self.down:
            levels.append(F.leaky_relu(layer(levels[-1]), SLOPE))
        value = levels.pop()
        for layer in self.up:
            value = F.interpolate(value, scale_factor=2, mode="bilinear", align_corners=False)
            value = F.leaky_relu(layer(value), SLOPE) + levels.pop()
        for layer in self.last:
            value = F.leaky_relu(layer(value), SLOPE)
        logits: Tensor = self.logits(value)
        return logits


class VggStyleDiscriminator(nn.Module):
    """One logit an image: (B, 3, 128, 128) -> (B, 1) (Ledig et al. 2017, as BasicSR has it).

    Five halvings to 4x4, each after a convolution of the same size, batch norm but at the first; two linear layers.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for level, wide in enumerate((width, 2 * width, 4 * width, 8 * width, 8 * width)):
            layers += [nn.Conv2d(channels, wide, 3, padding=1, bias=level == 0)]
            layers += [nn.BatchNorm2d(wide)] if level else []
            layers += [nn.LeakyReLU(SLOPE), nn.Conv2d(wide, wide, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(wide), nn.LeakyReLU(SLOPE)]
            channels = wide
        layers += [nn.Flatten(), nn.Linear(channels * 16, 100), nn.LeakyReLU(SLOPE), nn.Linear(100, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.layers(image)
        return logits


def _same(before: int, after: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(before, after, 3, padding=1, bias=False))
