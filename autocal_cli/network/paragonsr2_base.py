"""The fixed half of ParagonSR2: a classical upsampler whose kernels are never trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

# Half-band filter of the first generation, there called sharpening: gain 1 at frequency 0, gain 0 at Nyquist.
HALF_BAND = (-1 / 32, 0.0, 9 / 32, 16 / 32, 9 / 32, 0.0, -1 / 32)
# Fourth row of Pascal's triangle; sums to 1.
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


class SeparableFilter(nn.Module):
    """One fixed 1-D kernel run along rows, then along columns, each channel alone. (B, C, H, W) -> (B, C, H, W).

    The border is repeated outwards, so a flat image stays flat up to its edge. The kernels are parameters with
    `requires_grad` False, as in the trainer: they count as parameters, and no optimiser moves them.
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
