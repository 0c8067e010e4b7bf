"""ParagonSR2, second generation: the classical upsampler of the first plus a path with blocks of four kinds.

    output = base + gain * detail,   gain trained

Our own implementation. Parameter counts and MACs equal those of the trainer's networks of the same name; names of
parameters don't, so weights are not interchangeable. With the same numbers in corresponding places the detail is the
trainer's, and the base differs at the border alone (pixels are repeated there, and the trainer's are zeros).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from autocal_cli.network.paragonsr2.first import ChannelNorm, ClassicalUpsampler, into_windows, out_of_windows

EXPANSION = 2  # width of a block's inside, as a multiple of its channels
TOKENS, TOKEN_CHANNELS = 64, 16  # of a pro block's dictionary
HEADS = 4  # of the attention
SQUEEZE = 16  # the channel gate of the pro blocks has a bottleneck this many times narrower


class SecondParagonSR2(nn.Module):
    """Images (B, in_chans, H, W), any size, values about 0..1 -> (B, in_chans, scale*H, scale*W).

    Args:
        scale: enlargement, 2, 3, 4 or 8.
        num_feat: channels of the body; a multiple of 4 with photo and pro blocks, 16 or more with pro.
        variant: the kind of block, realtime, stream, photo or pro.
        detail_gain: where the trained gain on the detail starts.
        upsampler_alpha: strength of the base's first filter, 0..1.
        use_checkpointing: the trainer's way to save memory, which changes no number.
        attention_mode: backend of the photo and pro blocks' attention, which is the same here; None: no attention.
        export_safe: no attention either.
        window_size: side of the attention's windows, in pixels; every other block's are shifted by half.
    """

    def __init__(
        self,
        scale: int,
        in_chans: int = 3,
        num_feat: int = 64,
        num_groups: int = 4,
        num_blocks: int = 4,
        variant: str = "photo",
        detail_gain: float = 0.1,
        upsampler_alpha: float = 0.5,
        use_checkpointing: bool = False,  # noqa: ARG002
        attention_mode: str | None = "sdpa",
        export_safe: bool = False,
        window_size: int = 8,
    ) -> None:
        super().__init__()
        window = window_size if attention_mode is not None and not export_safe else None
        self.base = ClassicalUpsampler(in_chans, scale, upsampler_alpha)
        self.conv_in = nn.Conv2d(in_chans, num_feat, 3, padding=1)
        # Groups have no shortcut of their own: they only share the blocks out.
        self.body = nn.Sequential(
            *(
                block(variant, num_feat, window, shift=window_size // 2 if index % 2 else 0)
                for index in range(num_groups * num_blocks)
            )
        )
        self.conv_fuse = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_wide = nn.Conv2d(num_feat, num_feat * scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)
        self.conv_out = nn.Conv2d(num_feat, in_chans, 3, padding=1)
        self.gain = nn.Parameter(torch.tensor(float(detail_gain)))

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv_fuse(self.body(self.conv_in(x)))
        detail: Tensor = self.conv_out(self.shuffle(self.conv_wide(features)))
        base: Tensor = self.base(x)
        return base + self.gain * detail


# The trained parts inside the body of second-generation ParagonSR2. Every one maps (B, C, H, W) to the same shape.


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


def block(kind: str, channels: int, window: int | None, shift: int) -> nn.Sequential:
    """realtime, stream: one step. photo: local mixing, then attention in windows; one scale serves both. pro: local
    mixing, channel gate, attention, token dictionary. No attention where `window` is None."""

    def step(*change: nn.Module, scale: ChannelScale | None = None) -> ResidualStep:
        return ResidualStep(scale or ChannelScale(channels), *change)

    if kind == "realtime":
        return nn.Sequential(step(InvertedBottleneck(channels)))
    if kind == "stream":
        return nn.Sequential(step(GatedMixer(channels)))
    shared = ChannelScale(channels) if kind == "photo" else None
    steps = [step(ChannelNorm(channels), InvertedBottleneck(channels), scale=shared)]
    if kind == "pro":
        steps.append(step(SlimChannelGate(channels)))
    if window is not None:
        steps.append(step(ChannelNorm(channels), ShiftedWindows(channels, window, shift), scale=shared))
    if kind == "pro":
        steps.append(step(ChannelNorm(channels), TokenDictionary(channels)))
    return nn.Sequential(*steps)


class ShiftedWindows(nn.Module):
    """Every pixel attends to the pixels of its window (Swin, arXiv:2103.14030); C is a multiple of 4.

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
        height, width = x.shape[2:]
        x = F.pad(x, (0, -width % self.window, 0, -height % self.window))
        tokens = into_windows(torch.roll(x, (-self.shift, -self.shift), dims=(2, 3)), self.window)
        parts = self.to_qkv(tokens).chunk(3, dim=-1)
        q, k, v = (part.reshape(*tokens.shape[:2], HEADS, -1).transpose(1, 2) for part in parts)
        tokens = self.mix(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        x = torch.roll(out_of_windows(tokens, x, self.window), (self.shift, self.shift), dims=(2, 3))
        return x[:, :, :height, :width]
