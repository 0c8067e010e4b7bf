"""Discriminators with random weights, as trainers begin with them. Built from their descriptions and sizes.

The constructors' arguments are the trainers', and their layers come in the trainers' order. The tests hold each to the
parameters in the table of networks, and to what the trainer's own class says of an image with the same weights.
Spectral norm comes in two kinds: the older one knows the norm after some steps only, the newer one from the start.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.utils import spectral_norm as older_norm
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2  # of every leaky ReLU


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
            older_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
            for inputs, outputs in pairwise(widths)
        )
        self.up = nn.ModuleList(_older_normed(inputs, outputs) for inputs, outputs in pairwise(widths[::-1]))
        self.last = nn.ModuleList((_older_normed(f, f), _older_normed(f, f)))
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


def _older_normed(inputs: int, outputs: int) -> nn.Module:
    return older_norm(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))


class VGGStyle(nn.Sequential):
    """Pairs of convolutions with batch norm, then two linear layers (Ledig et al., arXiv:1609.04802, SRGAN).

    (B, num_in_ch, input_size, input_size) -> (B, 1); input_size 128 or 256.
    """

    def __init__(self, num_in_ch: int = 3, num_feat: int = 64, input_size: int = 128) -> None:
        f = num_feat
        widths = [f, 2 * f, 4 * f, 8 * f, 8 * f] + [8 * f] * (input_size == 256)
        layers: list[nn.Module] = [nn.Conv2d(num_in_ch, f, 3, padding=1), nn.LeakyReLU(SLOPE)]
        for index, width in enumerate(widths):
            if index:
                layers += _batch_normed(nn.Conv2d(widths[index - 1], width, 3, padding=1, bias=False))
            layers += _batch_normed(nn.Conv2d(width, width, 4, stride=2, padding=1, bias=False))
        ends = (nn.Flatten(), nn.Linear(8 * f * 4 * 4, 100), nn.LeakyReLU(SLOPE), nn.Linear(100, 1))
        super().__init__(*layers, *ends)


def _batch_normed(conv: nn.Conv2d) -> list[nn.Module]:
    return [conv, nn.BatchNorm2d(conv.out_channels), nn.LeakyReLU(SLOPE)]


class PatchGAN(nn.Sequential):
    """Judges patches (Isola et al., arXiv:1611.07004), with spectral norm. Widths double up to `widest`.

    (B, input_nc, H, W) -> (B, 1, about H / 2^n_layers, W / 2^n_layers).
    """

    def __init__(
        self, input_nc: int = 3, ndf: int = 64, n_layers: int = 3, use_sigmoid: bool = False, widest: int = 512
    ) -> None:
        widths = [ndf, *(min(ndf * 2**layer, widest) for layer in range(1, n_layers + 1))]
        layers: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(pairwise([input_nc, *widths])):
            stride = 2 if index < n_layers else 1
            layers += [older_norm(nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1)), nn.LeakyReLU(SLOPE)]
        layers.append(older_norm(nn.Conv2d(widths[-1], 1, 4, padding=1)))
        super().__init__(*layers, *([nn.Sigmoid()] if use_sigmoid else []))


class MultiscalePatchGAN(nn.Module):
    """So many patch discriminators, each for an image half the size (Wang et al., arXiv:1711.11585). -> their mean."""

    def __init__(
        self, input_nc: int = 3, ndf: int = 64, n_layers: int = 3, use_sigmoid: bool = False, num_d: int = 3
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchGAN(input_nc, ndf, n_layers, use_sigmoid) for _ in range(num_d))

    def forward(self, x: Tensor) -> Tensor:
        judged = []
        for scale in self.scales:
            judged.append(scale(x).mean())
            x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return torch.stack(judged).mean()


class NeosrPatchGAN(PatchGAN):
    """PatchGAN by neosr's arguments, with spectral norm and without another."""

    def __init__(
        self,
        num_in_ch: int = 3,
        num_feat: int = 64,
        num_layers: int = 3,
        max_nf_mult: int = 8,
        use_sigmoid: bool = False,
    ) -> None:
        super().__init__(num_in_ch, num_feat, num_layers, use_sigmoid, max_nf_mult * num_feat)


class DUnet(nn.Module):
    """A U-Net that enlarges by learned sampling, with sums across and spectral norm (umzi2).

    (B, num_in_ch, H, W) -> (B, 1, H, W); H and W multiples of 8.
    """

    def __init__(self, num_in_ch: int = 3, num_feat: int = 64) -> None:
        super().__init__()
        f = num_feat
        self.first = nn.Conv2d(num_in_ch, f, 3, padding=1)
        self.down = nn.ModuleList(
            spectral_norm(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)) for width in (f, 2 * f, 4 * f)
        )
        self.up = nn.ModuleList(
            nn.Sequential(LearnedSampling(width), spectral_norm(nn.Conv2d(width, width // 2, 3, padding=1)))
            for width in (8 * f, 4 * f, 2 * f)
        )
        self.last = nn.ModuleList(spectral_norm(nn.Conv2d(f, f, 3, padding=1, bias=False)) for _ in range(2))
        self.judge = nn.Conv2d(f, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        levels = []
        for down in self.down:
            levels.append(x)
            x = F.mish(down(x))
        for up in self.up:
            x = up(x) + levels.pop()
        for conv in self.last:
            x = F.mish(conv(x))
        judged: Tensor = self.judge(x)
        return judged


class LearnedSampling(nn.Module):
    """DySample (Liu et al., arXiv:2308.15085): twice the size, every new pixel read where a layer says, by groups."""

    GROUPS = 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        points = 2 * self.GROUPS * 2 * 2  # across and down, for 2 x 2 pixels
        self.offset = nn.Conv2d(channels, points, 1)
        self.scope = nn.Conv2d(channels, points, 1, bias=False)
        nn.init.trunc_normal_(self.offset.weight, std=0.02)
        nn.init.zeros_(self.scope.weight)
        corner = torch.tensor((-0.25, 0.25))
        row, column = torch.meshgrid(corner, corner, indexing="ij")
        places = torch.stack((column, row)).flatten(1).repeat(1, self.GROUPS)
        self.register_buffer("places", places.reshape(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        shift = self.places + 0.5 * self.offset(x) * self.scope(x).sigmoid()
        shift = F.pixel_shuffle(shift, 2).view(batch, 2, self.GROUPS, 2 * height, 2 * width)
        down = torch.arange(height, device=x.device, dtype=x.dtype).repeat_interleave(2) + 0.5
        across = torch.arange(width, device=x.device, dtype=x.dtype).repeat_interleave(2) + 0.5
        at_x, at_y = across + shift[:, 0], down[:, None] + shift[:, 1]
        grid = torch.stack((2 * at_x / width - 1, 2 * at_y / height - 1), -1).flatten(0, 1)
        groups = x.reshape(batch * self.GROUPS, channels // self.GROUPS, height, width)
        found = F.grid_sample(groups, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return found.view(batch, channels, 2 * height, 2 * width)
