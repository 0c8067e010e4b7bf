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

from autocal_cli.network.paragonsr2_arguments import ARGUMENTS, DEFAULT_SCALE
from autocal_cli.network.paragonsr2_base import ClassicalUpsampler
from autocal_cli.network.paragonsr2_blocks import BandMixer, ContentGain, DetailBlock, FeedForward, ResidualGroup
from autocal_cli.network.paragonsr2_variants import VARIANTS

__all__ = ["VARIANTS", "ParagonSR2", "build_variant"]


class ParagonSR2(nn.Module):
    """Images (B, in_chans, H, W), any size, values about 0..1 -> (B, in_chans, scale*H, scale*W).

    Args:
        scale: enlargement, 2, 3, 4 or 8.
        in_chans: channels of the image.
        num_feat: channels of the body, 4 or more.
        num_groups, num_blocks: residual groups, and blocks in each.
        ffn_expansion: width of a block's inside, as a multiple of num_feat.
        block_kwargs: `square_kernel_size`, `band_kernel_size` (odd, in pixels), `branch_ratio` (0..1/3) of every block.
        upsampler_alpha: strength of the base's first filter, 0..1.
        detail_gain: factor on the last convolution's initial weights, so that training starts near the base.
        use_channels_last: on a GPU, run in the channels-last memory format.
        fast_body_mode: build half as many groups, of half as many blocks (rounded down, at least one).
        use_norm, use_channel_mod, use_attention: a norm, a channel gate, window attention in every block.
        use_content_aware: scale the detail of each image by what the image shows.

    Raises:
        ValueError: an argument's type or value is not accepted; the message says what is.
    """

    def __init__(
        self,
        scale: int = DEFAULT_SCALE,
        in_chans: int = 3,
        num_feat: int = 64,
        num_groups: int = 6,
        num_blocks: int = 6,
        ffn_expansion: float = 2.0,
        block_kwargs: Mapping[str, Any] | None = None,
        upsampler_alpha: float = 0.5,
        detail_gain: float = 0.1,
        use_channels_last: bool = True,
        fast_body_mode: bool = False,
        use_norm: bool = False,
        use_channel_mod: bool = True,
        use_content_aware: bool = True,
        use_attention: bool = False,
    ) -> None:
        given = locals()
        for name, kind in ARGUMENTS.items():
            if not kind.accepts(given[name]):
                raise ValueError(f"{name} should be {kind.expected}. Found {given[name]!r}")
        super().__init__()
        if fast_body_mode:
            num_groups, num_blocks = max(1, num_groups // 2), max(1, num_blocks // 2)

        def block() -> DetailBlock:
            mixer = BandMixer(num_feat, **(block_kwargs or {}))
            return DetailBlock(
                mixer, FeedForward(num_feat, ffn_expansion, use_channel_mod, use_attention), num_feat, use_norm
            )

        self.in_chans = in_chans
        self.use_channels_last = use_channels_last
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
        if self.use_channels_last and x.is_cuda:
            x = x.contiguous(memory_format=torch.channels_last)
        features = self.body(self.conv_in(x))
        features = features + self.conv_fuse(features)
        detail: Tensor = self.conv_out(self.shuffle(self.conv_wide(features)))
        if self.content_gain is not None:
            detail = detail * self.content_gain(x)
        base: Tensor = self.base(x)
        return base + detail


def build_variant(name: str, scale: int = DEFAULT_SCALE, **switches: Any) -> ParagonSR2:
    """The registered variant `name` (nano ... xl) at a scale, with some of its switches changed.

    Raises:
        ValueError: no such variant, a switch that the variant does not leave open, or a value out of range.
    """
    if name not in VARIANTS:
        raise ValueError(f"variant should be one of {', '.join(VARIANTS)}. Found {name!r}")
    variant = VARIANTS[name]
    if closed := sorted(switches.keys() - set(variant.accepted)):
        raise ValueError(f"switches of {name} should be among {', '.join(variant.accepted)}. Found {', '.join(closed)}")
    return ParagonSR2(scale=scale, **(variant.arguments() | switches))
