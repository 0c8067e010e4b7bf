"""ParagonSR2, first generation: a classical upsampler plus a trained path that adds detail.

    output = base + gain * detail

Our own implementation. Parameter counts and MACs equal those of the trainer's networks of the same name; names of
parameters don't, so weights are not interchangeable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

WINDOW = 32  # pixels a side, of the attention's windows
SLOPE = 0.1  # of every leaky ReLU, as in the trainer


class ParagonSR2(nn.Module):
    """Images (B, in_chans, H, W), any size, values about 0..1 -> (B, in_chans, scale*H, scale*W).

    Args:
        scale: enlargement, 2, 3, 4 or 8.
        num_groups, num_blocks: residual groups, and blocks in each; with `fast_body_mode` half of both, at least one.
        ffn_expansion: width of a block's inside, as a multiple of `num_feat`, the channels of the body.
        block_kwargs: `square_kernel_size`, `band_kernel_size` (odd, in pixels), `branch_ratio` (0..1/3) of every block.
        upsampler_alpha: strength of the base's first filter, 0..1.
        detail_gain: factor on the last convolution's initial weights, so that training starts near the base.
        use_channels_last: the trainer's memory format on a GPU, which changes no number.
        use_norm, use_channel_mod, use_attention: a norm, a channel gate, window attention in every block.
        use_content_aware: scale the detail of each image by what the image shows.
    """

    def __init__(
        self,
        scale: int,
        in_chans: int = 3,
        num_feat: int = 64,
        num_groups: int = 6,
        num_blocks: int = 6,
        ffn_expansion: float = 2.0,
        block_kwargs: Mapping[str, Any] | None = None,
        upsampler_alpha: float = 0.5,
        detail_gain: float = 0.1,
        use_channels_last: bool = True,  # noqa: ARG002
        fast_body_mode: bool = False,
        use_norm: bool = False,
        use_channel_mod: bool = True,
        use_content_aware: bool = True,
        use_attention: bool = False,
    ) -> None:
        super().__init__()
        if fast_body_mode:
            num_groups, num_blocks = max(1, num_groups // 2), max(1, num_blocks // 2)

        def block() -> DetailBlock:
            mixer = BandMixer(num_feat, **(block_kwargs or {}))
            inside = feed_forward(num_feat, ffn_expansion, use_channel_mod, use_attention)
            return DetailBlock(mixer, inside, num_feat, use_norm)

        self.base = ClassicalUpsampler(in_chans, scale, upsampler_alpha)
        self.conv_in = nn.Conv2d(in_chans, num_feat, 3, padding=1)
        self.body = nn.Sequential(*(ResidualGroup(*(block() for _ in range(num_blocks))) for _ in range(num_groups)))
        self.conv_fuse = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_wide = nn.Conv2d(num_feat, num_feat * scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)
        self.conv_out = nn.Conv2d(num_feat, in_chans, 3, padding=1)
        self.content_gain = ContentGain(in_chans, num_feat) if use_content_aware else None
        self._start_near_the_base(scale, detail_gain)

    @torch.no_grad()
    def _start_near_the_base(self, scale: int, detail_gain: float) -> None:
        """Small detail, and no checkerboard: the scale^2 kernels behind one output channel start equal (ICNR).

        Aitken et al., arXiv:1707.02937. PixelShuffle takes output channel c from the inputs c*scale^2 and on.
        """
        kernel = nn.init.kaiming_uniform_(torch.empty_like(self.conv_wide.weight[:: scale**2]))
        self.conv_wide.weight.copy_(kernel.repeat_interleave(scale**2, dim=0))
        self.conv_out.weight.mul_(detail_gain)
        for conv in (self.conv_wide, self.conv_out):
            nn.init.zeros_(conv.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        features = self.body(self.conv_in(x))
        features = features + self.conv_fuse(features)
        detail: Tensor = self.conv_out(self.shuffle(self.conv_wide(features)))
        if self.content_gain is not None:
            detail = detail * self.content_gain(x)
        base: Tensor = self.base(x)
        return base + detail


# The trained parts inside the body. Every one maps (B, C, H, W) to the same shape, except ContentGain.


class BandMixer(nn.Module):
    """Depthwise convolution on a few channels: a square, a row and a column; the others pass (InceptionNeXt).

    Yu et al., arXiv:2303.16900. Each of the three branches takes max(1, int(branch_ratio * C)) channels.
    """

    def __init__(
        self, channels: int, square_kernel_size: int = 3, band_kernel_size: int = 11, branch_ratio: float = 0.125
    ) -> None:
        super().__init__()
        width = max(1, int(channels * branch_ratio))
        square, band = square_kernel_size, band_kernel_size
        self.branches = nn.ModuleList(
            nn.Conv2d(width, width, size, padding="same", groups=width)
            for size in ((square, square), (1, band), (band, 1))
        )
        self.shares = [channels - 3 * width, width, width, width]

    def forward(self, x: Tensor) -> Tensor:
        kept, *parts = torch.split(x, self.shares, dim=1)
        return torch.cat([kept, *(branch(part) for branch, part in zip(self.branches, parts, strict=True))], dim=1)


class ChannelGate(nn.Module):
    """x * sigmoid(W2 relu(W1 mean(x))) with the mean over the image (squeeze and excitation, arXiv:1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 4)
        self.squeeze = nn.Conv2d(channels, narrow, 1)
        self.excite = nn.Conv2d(narrow, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))


class ChannelNorm(nn.Module):
    """a * x / rms(x) + b, rms over the channels of each pixel (Zhang and Sennrich, arXiv:1910.07467)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.ones(channels, 1, 1))
        self.b = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.a * x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6) + self.b


def feed_forward(channels: int, expansion: float, use_channel_mod: bool, use_attention: bool) -> nn.Sequential:
    """Widen, mix depthwise and pointwise, attend and gate if asked to, narrow again."""
    hidden = int(channels * expansion)
    steps: list[nn.Module] = [
        nn.Conv2d(channels, hidden, 1),
        nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(hidden, hidden, 1),
    ]
    steps += [WindowAttention(hidden)] if use_attention else []
    steps += [ChannelGate(hidden)] if use_channel_mod else []
    return nn.Sequential(*steps, nn.Conv2d(hidden, channels, 1))


class DetailBlock(nn.Module):
    """Two scaled residual steps, then the optional norm.

    x <- x + s1 mixer(x);   x <- x + s2 feed_forward(x)

    s1 and s2 hold one factor a channel and start at 1e-5 (LayerScale, Touvron et al., arXiv:2103.17239).
    """

    def __init__(self, mixer: nn.Module, feed_forward: nn.Module, channels: int, use_norm: bool) -> None:
        super().__init__()
        self.mixer = mixer
        self.feed_forward = feed_forward
        self.s1 = nn.Parameter(torch.full((1, channels, 1, 1), 1e-5))
        self.s2 = nn.Parameter(torch.full((1, channels, 1, 1), 1e-5))
        self.norm = ChannelNorm(channels) if use_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.s1 * self.mixer(x)
        normed: Tensor = self.norm(x + self.s2 * self.feed_forward(x))
        return normed


class ResidualGroup(nn.Module):
    """Blocks in a row with a shortcut around them all."""

    def __init__(self, *blocks: DetailBlock) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        through: Tensor = self.blocks(x)
        return x + through


class ContentGain(nn.Module):
    """One detail gain for each image, 0.05 (complex) to 0.2 (simple). (B, C, H, W) -> (B, 1, 1, 1).

    gain = 0.2 - 0.15 sigmoid(w mean(features) + b), the features from three convolutions of 3, 5 and 7 pixels.
    """

    def __init__(self, in_chans: int, num_feat: int) -> None:
        super().__init__()
        quarter, half = num_feat // 4, num_feat // 2
        layers: list[nn.Module] = []
        for inputs, outputs, side in ((in_chans, quarter, 3), (quarter, half, 5), (half, half, 7)):
            layers += [nn.Conv2d(inputs, outputs, side, padding="same"), nn.LeakyReLU(SLOPE)]
        self.features = nn.Sequential(*layers)
        self.complexity = nn.Conv2d(half, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.features(x).mean(dim=(2, 3), keepdim=True)
        return 0.2 - 0.15 * torch.sigmoid(self.complexity(mean))


class WindowAttention(nn.Module):
    """x + g * attention(x), each pixel attending to its window of 32x32. (B, C, H, W) -> (B, C, H, W).

    The map is filled up with zeros to whole windows. Queries and keys have C/8 channels, values C:

        A = softmax(q^T k / sqrt(n)),   n the pixels of a window

    The trainer's own code covers 64x64 with as many windows, hence the same MACs, and lets windows overlap elsewhere.
    `g` is trained and starts at 0 (SAGAN: Zhang et al., arXiv:1805.08318), so that a fresh network is the same with and
    without attention.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 8)
        self.query = nn.Conv2d(channels, narrow, 1)
        self.key = nn.Conv2d(channels, narrow, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (into_windows(layer(x), WINDOW) for layer in (self.query, self.key, self.value))
        found = F.scaled_dot_product_attention(q, k, v, scale=1 / WINDOW)
        return x + self.gain * out_of_windows(found, x, WINDOW)


def into_windows(x: Tensor, side: int) -> Tensor:
    """(B, C, H, W), filled up with zeros -> (B * windows, side * side, C)"""
    x = F.pad(x, (0, -x.shape[3] % side, 0, -x.shape[2] % side))
    batch, channels, height, width = x.shape
    parts = x.reshape(batch, channels, height // side, side, width // side, side)
    return parts.permute(0, 2, 4, 3, 5, 1).reshape(-1, side * side, channels)


def out_of_windows(tokens: Tensor, like: Tensor, side: int) -> Tensor:
    """What `into_windows` made of a map the size of `like`, as a map again."""
    batch, _, height, width = like.shape
    down, across = -(-height // side), -(-width // side)
    parts = tokens.reshape(batch, down, across, side, side, -1).permute(0, 5, 1, 3, 2, 4)
    return parts.flatten(4, 5).flatten(2, 3)[:, :, :height, :width]


# The fixed half: a classical upsampler whose kernels are never trained.

# Called sharpening in the trainer: gain 1 at frequency 0, gain 0 at Nyquist.
HALF_BAND = (-1 / 32, 0.0, 9 / 32, 16 / 32, 9 / 32, 0.0, -1 / 32)
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


class SeparableFilter(nn.Module):
    """One fixed 1-D kernel run along rows, then along columns, each channel alone. (B, C, H, W) -> (B, C, H, W).

    The border is repeated outwards, so a flat image stays flat up to its edge. The kernels are parameters with
    `requires_grad` False, as in the trainer: they count, and no optimiser moves them.
    """

    def __init__(self, channels: int, taps: tuple[float, ...]) -> None:
        super().__init__()
        kernel = torch.tensor(taps).expand(channels, 1, 1, len(taps))
        self.across = nn.Parameter(kernel.clone(), requires_grad=False)
        self.down = nn.Parameter(kernel.transpose(2, 3).clone(), requires_grad=False)
        self.channels = channels
        self.reach = len(taps) // 2

    def forward(self, x: Tensor) -> Tensor:
        r = self.reach
        x = F.conv2d(F.pad(x, (r, r, 0, 0), mode="replicate"), self.across, groups=self.channels)
        return F.conv2d(F.pad(x, (0, 0, r, r), mode="replicate"), self.down, groups=self.channels)


class ClassicalUpsampler(nn.Module):
    """Filter, enlarge by repeating pixels, blur. (B, C, H, W) -> (B, C, scale*H, scale*W), in the input's range.

    base = blur(nearest(x + alpha (half_band(x) - x)))

    `alpha` in 0..1 is the strength of the first step; at 0 it is left out.
    """

    def __init__(self, channels: int, scale: int, alpha: float) -> None:
        super().__init__()
        self.half_band = SeparableFilter(channels, HALF_BAND)
        self.blur = SeparableFilter(channels, BINOMIAL)
        self.scale = scale
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        if self.alpha > 0:
            x = x + self.alpha * (self.half_band(x) - x)
        enlarged: Tensor = self.blur(F.interpolate(x, scale_factor=self.scale, mode="nearest"))
        return enlarged
