"""Discriminators with random weights, as trainers begin with them. Built from their published descriptions.

The constructors' arguments are the trainers'; `autocal_cli.network.discriminators` counts the same layers without
building them, and the tests hold both to each other. Another discriminator is one class and one row of `CLASSES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

SLOPE = 0.2  # of every leaky ReLU, in all three


def _activated(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


class UNetSN(nn.Module):
    """A U-Net with spectral norm that judges every pixel (Wang et al., arXiv:2107.10833, Real-ESRGAN).

    (B, num_in_ch, H, W) -> (B, 1, H, W); H and W multiples of 8.
    """

    def __init__(self, num_in_ch: int = 3, num_feat: int = 64, skip_connection: bool = True) -> None:
        super().__init__()
        f = num_feat
        self.skip_connection = skip_connection
        self.first = nn.Conv2d(num_in_ch, f, 3, padding=1)
        widths = (f, 2 * f, 4 * f, 8 * f)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
            for inputs, outputs in pairwise(widths)
        )
        self.up = nn.ModuleList(_normed(inputs, outputs) for inputs, outputs in pairwise(widths[::-1]))
        self.last = nn.ModuleList((_normed(f, f), _normed(f, f)))
        self.judge = nn.Conv2d(f, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = _activated(self.first(x))
        levels = []
        for down in self.down:
            levels.append(x)
            x = _activated(down(x))
        for up in self.up:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = _activated(up(x))
            x = x + levels.pop() if self.skip_connection else x
        for conv in self.last:
            x = _activated(conv(x))
        judged: Tensor = self.judge(x)
        return judged


def _normed(inputs: int, outputs: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))


class VGGStyle(nn.Module):
    """Pairs of convolutions with batch norm, then two linear layers (Ledig et al., arXiv:1609.04802, SRGAN).

    (B, num_in_ch, input_size, input_size) -> (B, 1); input_size 128 or 256.
    """

    def __init__(self, num_in_ch: int = 3, num_feat: int = 64, input_size: int = 128) -> None:
        super().__init__()
        f = num_feat
        widths = [f, 2 * f, 4 * f, 8 * f, 8 * f] + [8 * f] * (input_size == 256)
        layers: list[nn.Module] = [nn.Conv2d(num_in_ch, f, 3, padding=1), nn.LeakyReLU(SLOPE)]
        for index, width in enumerate(widths):
            if index:
                layers += _batch_normed(nn.Conv2d(widths[index - 1], width, 3, padding=1, bias=False))
            layers += _batch_normed(nn.Conv2d(width, width, 4, stride=2, padding=1, bias=False))
        ends = (nn.Flatten(), nn.Linear(8 * f * 4 * 4, 100), nn.LeakyReLU(SLOPE), nn.Linear(100, 1))
        self.layers = nn.Sequential(*layers, *ends)

    def forward(self, x: Tensor) -> Tensor:
        judged: Tensor = self.layers(x)
        return judged


def _batch_normed(conv: nn.Conv2d) -> list[nn.Module]:
    return [conv, nn.BatchNorm2d(conv.out_channels), nn.LeakyReLU(SLOPE)]


CLASSES: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {
        "unetdiscriminatorsn": UNetSN,
        "unetdiscriminatorsn_basicsr": UNetSN,
        "vggstylediscriminator": VGGStyle,
    }
)
