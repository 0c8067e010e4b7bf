"""Self-attention inside square windows of a feature map."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from autocal_cli.network.paragonsr2_arguments import WINDOW


class WindowAttention(nn.Module):
    """x + g * attention(x), each pixel attending to its window. (B, C, H, W) -> (B, C, H, W).

    A map is covered by as few windows of 32x32 as reach from edge to edge, evenly spread; where two overlap, their
    results are averaged. A map that fits into one window is one window. Queries and keys have C/8 channels, values C:

        A = softmax(q^T k / sqrt(n)),   n the pixels of a window

    The trainer's own code covers 64x64 with as many windows (hence the same MACs) but blends wider overlaps, and
    leaves the last rows and columns of some sizes without attention. `g` is trained and starts at 0 (SAGAN: Zhang et
    al., arXiv:1805.08318), so that a fresh network is the same with and without attention.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 8)
        self.query = nn.Conv2d(channels, narrow, 1)
        self.key = nn.Conv2d(channels, narrow, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.query(x), self.key(x), self.value(x)
        attended, covered = torch.zeros_like(x), x.new_zeros(1, 1, *x.shape[2:])
        for top in window_starts(x.shape[2]):
            for left in window_starts(x.shape[3]):
                here = (..., slice(top, top + WINDOW), slice(left, left + WINDOW))
                attended[here] += attend(q[here], k[here], v[here])
                covered[here] += 1
        return x + self.gain * attended / covered


def window_starts(length: int) -> list[int]:
    """Where the windows begin along one side of `length` pixels: the first at 0, the last flush with the end.

    >>> window_starts(20), window_starts(64), window_starts(80)
    ([0], [0, 32], [0, 24, 48])
    """
    last = length - WINDOW
    if last <= 0:
        return [0]
    steps = math.ceil(last / WINDOW)
    return [round(step * last / steps) for step in range(steps + 1)]


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Every pixel of a window attends to all of its pixels. q, k (B, D, h, w), v (B, C, h, w) -> (B, C, h, w).

    Two plain matrix products: unlike the fused kernel, FLOP counters see them on every device.
    """
    pixels = v.shape[2] * v.shape[3]
    weights = torch.softmax(q.flatten(2).transpose(1, 2) @ k.flatten(2) / math.sqrt(pixels), dim=-1)
    return (v.flatten(2) @ weights.transpose(1, 2)).reshape(v.shape)
