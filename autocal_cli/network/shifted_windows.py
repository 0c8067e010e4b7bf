"""Multi-head self-attention inside square windows that every other layer shifts (Swin, arXiv:2103.14030)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from autocal_cli.network.paragonsr2_second_arguments import HEADS


class ShiftedWindows(nn.Module):
    """Every pixel attends to the pixels of its window. (B, C, H, W) -> (B, C, H, W); C is a multiple of 4.

        A = softmax(q k^T / sqrt(C / heads))

    The map is filled up with zeros to whole windows of `window` pixels a side, and rolled by `shift` pixels before and
    after. As in the second generation, neither the filling nor pixels from the opposite edge are masked out.
    """

    def __init__(self, channels: int, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        w = self.window
        x = F.pad(x, (0, -width % w, 0, -height % w))
        down, across = x.shape[2] // w, x.shape[3] // w
        x = torch.roll(x, (-self.shift, -self.shift), dims=(2, 3))
        # (B, C, down, w, across, w) -> (windows, pixels of one, C)
        tokens = x.reshape(batch, channels, down, w, across, w).permute(0, 2, 4, 3, 5, 1).reshape(-1, w * w, channels)
        tokens = self.mix(attend_by_head(*self.to_qkv(tokens).chunk(3, dim=-1)))
        x = tokens.reshape(batch, down, across, w, w, channels).permute(0, 5, 1, 3, 2, 4)
        x = x.reshape(batch, channels, down * w, across * w)
        return torch.roll(x, (self.shift, self.shift), dims=(2, 3))[:, :, :height, :width]


def attend_by_head(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q, k, v (N, pixels, C) -> (N, pixels, C), in HEADS parts of C / HEADS channels each.

    Plain matrix products: unlike the fused kernel, FLOP counters see them on every device.
    """
    q, k, v = (part.reshape(*part.shape[:2], HEADS, -1).transpose(1, 2) for part in (q, k, v))
    weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), dim=-1)
    return (weights @ v).transpose(1, 2).flatten(2)
