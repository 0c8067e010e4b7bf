"""The trained parts inside the ParagonSR2 body. Every one maps (B, C, H, W) to the same shape, except ContentGain."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from autocal_cli.network.window_attention import WindowAttention

SLOPE = 0.1  # of every leaky ReLU, as in the first generation


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
            nn.Conv2d(width, width, size, padding=(size[0] // 2, size[1] // 2), groups=width)
            for size in ((square, square), (1, band), (band, 1))
        )
        self.shares = [channels - 3 * width, width, width, width]

    def forward(self, x: Tensor) -> Tensor:
        kept, *parts = torch.split(x, self.shares, dim=1)
        return torch.cat([kept, *(branch(part) for branch, part in zip(self.branches, parts, strict=True))], dim=1)


class ChannelGate(nn.Module):
    """x * sigmoid(W2 relu(W1 mean(x))), the mean over the image (squeeze and excitation).

    Hu et al., arXiv:1709.01507.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 4)
        self.squeeze = nn.Conv2d(channels, narrow, 1)
        self.excite = nn.Conv2d(narrow, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(mean))))


class ChannelNorm(nn.Module):
    """a * x / rms(x) + b, rms over the channels of each pixel (Zhang and Sennrich, arXiv:1910.07467)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.ones(channels, 1, 1))
        self.b = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.a * x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6) + self.b


class FeedForward(nn.Sequential):
    """Widen, mix depthwise and pointwise, attend and gate if asked to, narrow again."""

    def __init__(self, channels: int, expansion: float, use_channel_mod: bool, use_attention: bool) -> None:
        hidden = int(channels * expansion)
        steps: list[nn.Module] = [
            nn.Conv2d(channels, hidden, 1),
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(hidden, hidden, 1),
        ]
        if use_attention:
            steps.append(WindowAttention(hidden))
        if use_channel_mod:
            steps.append(ChannelGate(hidden))
        super().__init__(*steps, nn.Conv2d(hidden, channels, 1))


class DetailBlock(nn.Module):
    """Two scaled residual steps, then the optional norm.

    x <- x + s1 BandMixer(x);   x <- x + s2 FeedForward(x)

    s1 and s2 hold one factor a channel and start at 1e-5 (LayerScale, Touvron et al., arXiv:2103.17239).
    """

    def __init__(self, mixer: BandMixer, feed_forward: FeedForward, channels: int, use_norm: bool) -> None:
        super().__init__()
        self.mixer = mixer
        self.feed_forward = feed_forward
        self.s1 = nn.Parameter(torch.full((1, channels, 1, 1), 1e-5))
        self.s2 = nn.Parameter(torch.full((1, channels, 1, 1), 1e-5))
        self.norm = ChannelNorm(channels) if use_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.s1 * self.mixer(x)
        x = x + self.s2 * self.feed_forward(x)
        normed: Tensor = self.norm(x)
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
        self.features = nn.Sequential(
            nn.Conv2d(in_chans, quarter, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(quarter, half, 5, padding=2),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(half, half, 7, padding=3),
            nn.LeakyReLU(SLOPE),
        )
        self.complexity = nn.Conv2d(half, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.features(x).mean(dim=(2, 3), keepdim=True)
        return 0.2 - 0.15 * torch.sigmoid(self.complexity(mean))
