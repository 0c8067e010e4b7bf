"""The trained parts inside the body of second-generation ParagonSR2. Every one maps (B, C, H, W) to the same shape."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from autocal_cli.network.paragonsr2_blocks import ChannelNorm
from autocal_cli.network.paragonsr2_second_arguments import EXPANSION, SQUEEZE, TOKEN_CHANNELS, TOKENS
from autocal_cli.network.shifted_windows import ShiftedWindows


class ChannelScale(nn.Module):
    """One trained factor a channel, 1e-5 at the start (LayerScale, Touvron et al., arXiv:2103.17239)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((channels, 1, 1), 1e-5))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


class ResidualStep(nn.Module):
    """x + scale(change(x)). Two steps may share one scale."""

    def __init__(self, scale: ChannelScale, *change: nn.Module) -> None:
        super().__init__()
        self.scale = scale
        self.change = nn.Sequential(*change)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.scale(self.change(x))
        return x + changed


class InvertedBottleneck(nn.Sequential):
    """Widen, 3x3 depthwise, GELU, narrow again."""

    def __init__(self, channels: int) -> None:
        hidden = EXPANSION * channels
        super().__init__(
            nn.Conv2d(channels, hidden, 1),
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
            nn.GELU(),
            nn.Conv2d(hidden, channels, 1),
        )


class GatedMixer(nn.Module):
    """Depthwise convolutions of two reaches side by side, fused; then two halves that multiply each other."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = EXPANSION * channels
        self.near = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.far = nn.Conv2d(channels, channels, 3, padding=3, dilation=3, groups=channels)
        self.fuse = nn.Conv2d(2 * channels, channels, 1)
        self.halves = nn.Sequential(
            nn.Conv2d(channels, 2 * hidden, 1), nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden)
        )
        self.narrow = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.halves(self.fuse(torch.cat([self.near(x), self.far(x)], dim=1))).chunk(2, dim=1)
        half = torch.finfo(torch.float16)  # the product of two halves may leave the range of a half-precision number
        product = (a.float() * b.float()).clamp(half.min, half.max).to(a.dtype)
        narrowed: Tensor = self.narrow(product)
        return narrowed


class SlimChannelGate(nn.Module):
    """x * sigmoid(W2 gelu(W1 mean(x))), without biases (squeeze and excitation: Hu et al., arXiv:1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(channels, channels // SQUEEZE, bias=False),
            nn.GELU(),
            nn.Linear(channels // SQUEEZE, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.gate(x.mean(dim=(2, 3)))
        return x * gate[:, :, None, None]


class TokenDictionary(nn.Module):
    """Every pixel attends to one set of trained tokens (cf. Zhang et al., arXiv:2401.08209).

    A = softmax(q(x) k(tokens)^T / sqrt(16)),   out = mix(A v(tokens))
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(0.02 * torch.randn(TOKENS, channels))
        self.query = nn.Linear(channels, TOKEN_CHANNELS)
        self.key = nn.Linear(channels, TOKEN_CHANNELS)
        self.value = nn.Linear(channels, channels)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.flatten(2).transpose(1, 2)
        likeness = self.query(pixels) @ self.key(self.tokens).t() / math.sqrt(TOKEN_CHANNELS)
        mixed: Tensor = self.mix(torch.softmax(likeness, dim=-1) @ self.value(self.tokens))
        return mixed.transpose(1, 2).reshape(x.shape)


def realtime_block(channels: int) -> nn.Sequential:
    return nn.Sequential(ResidualStep(ChannelScale(channels), InvertedBottleneck(channels)))


def stream_block(channels: int) -> nn.Sequential:
    return nn.Sequential(ResidualStep(ChannelScale(channels), GatedMixer(channels)))


def photo_block(channels: int, window: int | None, shift: int) -> nn.Sequential:
    """Local mixing, then attention in windows (none where `window` is None); one scale serves both."""
    scale = ChannelScale(channels)
    steps = [ResidualStep(scale, ChannelNorm(channels), InvertedBottleneck(channels))]
    if window is not None:
        steps.append(ResidualStep(scale, ChannelNorm(channels), ShiftedWindows(channels, window, shift)))
    return nn.Sequential(*steps)


def pro_block(channels: int, window: int | None, shift: int) -> nn.Sequential:
    """Local mixing, channel gate, attention in windows (none where `window` is None), token dictionary."""

    def step(*change: nn.Module) -> ResidualStep:
        return ResidualStep(ChannelScale(channels), *change)

    steps = [step(ChannelNorm(channels), InvertedBottleneck(channels)), step(SlimChannelGate(channels))]
    if window is not None:
        steps.append(step(ChannelNorm(channels), ShiftedWindows(channels, window, shift)))
    return nn.Sequential(*steps, step(ChannelNorm(channels), TokenDictionary(channels)))
