"""MUNet, the discriminator of the traiNNer-redux fork, with random weights. Built from its description and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2  # of the leaky ReLU that the initial weights are drawn for


class MUNet(nn.Module):
    """A U-Net with attention in its middle and branches for gradients, frequencies and patches, weighed by pixel.

    Of the traiNNer-redux fork (Hofmann). (B, 3, H, W) -> (B, 1, H, W); H and W multiples of 2^len(ch_mult).
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_feat: int = 64,
        ch_mult: Sequence[int] = (1, 2, 4, 8),
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        f = num_feat
        widths = [f, *(f * multiple for multiple in ch_mult)]
        deep = widths[-1]
        conv = partial(_chain, slope)
        self.first = spectral_norm(_he(nn.Conv2d(num_in_ch, f, 3, padding=1)))
        self.down = nn.ModuleList(
            nn.Sequential(spectral_norm(_he(nn.Conv2d(a, b, 4, stride=2, padding=1, bias=False))), nn.LeakyReLU(slope))
            for a, b in pairwise(widths)
        )
        self.middle = conv((deep, deep, deep))
        self.attention = _Attention(deep)
        self.up = nn.ModuleList(_Up(a, b, slope) for a, b in pairwise(widths[::-1]))
        self.gradients = conv((2, f // 2, f))
        self.frequencies = conv((1, f // 2, f))
        self.patches = nn.ModuleList((conv((deep, f), side=1, bias=True), conv((f, f), bias=True)))
        self.weigh = nn.Sequential(
            spectral_norm(_he(nn.Conv2d(4 * f, f, 1))), nn.LeakyReLU(slope), spectral_norm(_he(nn.Conv2d(f, 4, 1)))
        )
        self.fuse = conv((f, f, f))
        self.judge = spectral_norm(_he(nn.Conv2d(f, 1, 3, padding=1)))

    def forward(self, x: Tensor) -> Tensor:
        deep = self.first(x)
        levels = []
        for down in self.down:
            levels.append(deep)
            deep = down(deep)
        deep = self.attention(self.middle(deep))
        spatial = deep
        for up in self.up:
            spatial = up(spatial, levels.pop())
        grey = 0.299 * x[:, 0:1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:3]
        patches = F.interpolate(self.patches[0](deep), size=spatial.shape[2:], mode="nearest")
        branches = (
            spatial,
            self.gradients(_differences(grey)),
            self.frequencies(_log_spectrum(grey)),
            self.patches[1](patches),
        )
        weights = self.weigh(torch.cat(branches, 1)).softmax(1).unsqueeze(2)
        fused = (weights * torch.stack(branches, 1)).sum(1)
        judged: Tensor = self.judge(self.fuse(fused))
        return judged


def _he(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.kaiming_normal_(conv.weight, a=SLOPE, mode="fan_in", nonlinearity="leaky_relu")
    return conv


def _chain(slope: float, widths: Sequence[int], side: int = 3, bias: bool = False) -> nn.Sequential:
    """Convolutions with spectral norm, each with its leaky ReLU."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        conv = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=bias)
        layers += [spectral_norm(_he(conv)), nn.LeakyReLU(slope)]
    return nn.Sequential(*layers)


class _Attention(nn.Module):
    """x + gamma of self-attention over all places; gamma starts at 0."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = max(1, width // 8)
        self.gamma = nn.Parameter(torch.zeros(1))
        self.query, self.key, self.value = (
            spectral_norm(_he(nn.Conv2d(width, outputs, 1))) for outputs in (narrow, narrow, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (layer(x).flatten(2).mT[:, None] for layer in (self.query, self.key, self.value))
        found = F.scaled_dot_product_attention(query, key, value)[:, 0]
        return x + self.gamma * found.mT.reshape(x.shape)


class _Up(nn.Module):
    """Twice the size by fixed kernels (Magic Kernel Sharp 2021, Costella), then joined with what was there before."""

    SHARPEN = (-1 / 32, 0.0, 9 / 32, 16 / 32, 9 / 32, 0.0, -1 / 32)
    SMOOTH = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)

    def __init__(self, inputs: int, outputs: int, slope: float) -> None:
        super().__init__()
        taps = [one for line in (self.SHARPEN, self.SMOOTH) for one in _across_and_down(inputs, line)]
        self.taps = nn.ParameterList(nn.Parameter(one, requires_grad=False) for one in taps)
        self.conv = spectral_norm(_he(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)))
        self.join = _chain(slope, (2 * outputs, outputs))

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        sharp_across, sharp_down, smooth_across, smooth_down = self.taps
        x = _filtered(_filtered(x, sharp_across), sharp_down)
        x = F.interpolate(x, size=before.shape[2:], mode="nearest")
        x = self.conv(_filtered(_filtered(x, smooth_across), smooth_down))
        joined: Tensor = self.join(torch.cat((x, before), 1))
        return joined


def _across_and_down(channels: int, taps: Sequence[float]) -> tuple[Tensor, Tensor]:
    line = torch.tensor(taps)
    return line.view(1, 1, 1, -1).repeat(channels, 1, 1, 1), line.view(1, 1, -1, 1).repeat(channels, 1, 1, 1)


def _filtered(x: Tensor, taps: Tensor) -> Tensor:
    return F.conv2d(x, taps, padding=(taps.shape[2] // 2, taps.shape[3] // 2), groups=x.shape[1])


def _differences(grey: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 2, H, W): to the next pixel across and down, the edge's repeated."""
    across, down = grey.diff(dim=3), grey.diff(dim=2)
    return torch.cat((F.pad(across, (0, 1, 0, 0), mode="replicate"), F.pad(down, (0, 0, 0, 1), mode="replicate")), 1)


def _log_spectrum(grey: Tensor) -> Tensor:
    """The logarithm of the magnitude, orthonormal; the lowest frequency in the middle, in every dimension shifted."""
    return torch.log(torch.fft.fftshift(torch.fft.fft2(grey, norm="ortho")).abs() + 1e-8)
