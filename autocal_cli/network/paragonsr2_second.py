"""ParagonSR2, second generation: the classical upsampler of the first plus a path with blocks of four kinds.

    output = base + gain * detail,   gain trained

Our own implementation. Parameter counts and MACs equal those of the trainer's networks of the same name; names of
parameters don't, so weights are not interchangeable. With the same numbers in corresponding places the detail is the
trainer's, and the base differs at the border alone (pixels are repeated there, and the trainer's are zeros).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from autocal_cli.network.paragonsr2_arguments import DEFAULT_SCALE
from autocal_cli.network.paragonsr2_base import ClassicalUpsampler
from autocal_cli.network.paragonsr2_second_arguments import ACCEPTED, ARGUMENTS, VARIANTS, check_width
from autocal_cli.network.paragonsr2_second_blocks import photo_block, pro_block, realtime_block, stream_block


class SecondParagonSR2(nn.Module):
    """Images (B, in_chans, H, W), any size, values about 0..1 -> (B, in_chans, scale*H, scale*W).

    Args:
        scale: enlargement, 2, 3, 4 or 8.
        in_chans: channels of the image.
        num_feat: channels of the body; a multiple of 4 with photo and pro blocks, 16 or more with pro.
        num_groups, num_blocks: groups, and blocks in each.
        variant: the kind of block, realtime, stream, photo or pro.
        detail_gain: where the trained gain on the detail starts.
        upsampler_alpha: strength of the base's first filter, 0..1.
        use_checkpointing: compute blocks again in the backward pass rather than store what is inside them.
        attention_mode: backend of the photo and pro blocks' attention, which is the same here; None: no attention.
        export_safe: no attention either.
        window_size: side of the attention's windows, in pixels; every other block's are shifted by half.

    Raises:
        ValueError: an argument's type or value is not accepted; the message says what is.
    """

    def __init__(
        self,
        scale: int = DEFAULT_SCALE,
        in_chans: int = 3,
        num_feat: int = 64,
        num_groups: int = 4,
        num_blocks: int = 4,
        variant: str = "photo",
        detail_gain: float = 0.1,
        upsampler_alpha: float = 0.5,
        use_checkpointing: bool = False,
        attention_mode: str | None = "sdpa",
        export_safe: bool = False,
        window_size: int = 8,
    ) -> None:
        given = locals()
        for name, kind in ARGUMENTS.items():
            if not kind.accepts(given[name]):
                raise ValueError(f"{name} should be {kind.expected}. Found {given[name]!r}")
        attends = attention_mode is not None and not export_safe
        check_width(variant, num_feat, attends)
        super().__init__()

        def block(index: int) -> nn.Module:
            shift = window_size // 2 if index % 2 else 0
            match variant:
                case "realtime":
                    return realtime_block(num_feat)
                case "stream":
                    return stream_block(num_feat)
                case "photo":
                    return photo_block(num_feat, window_size if attends else None, shift)
            return pro_block(num_feat, window_size if attends else None, shift)

        self.use_checkpointing = use_checkpointing
        self.base = ClassicalUpsampler(in_chans, scale, upsampler_alpha)
        self.conv_in = nn.Conv2d(in_chans, num_feat, 3, padding=1)
        # Groups have no shortcut of their own: they only share the blocks out.
        self.body = nn.ModuleList(block(index) for index in range(num_groups * num_blocks))
        self.conv_fuse = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_wide = nn.Conv2d(num_feat, num_feat * scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)
        self.conv_out = nn.Conv2d(num_feat, in_chans, 3, padding=1)
        self.gain = nn.Parameter(torch.tensor(float(detail_gain)))

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv_in(x)
        for block in self.body:
            features = (
                checkpoint(block, features, use_reentrant=False)
                if self.use_checkpointing and self.training
                else block(features)
            )
        detail: Tensor = self.conv_out(self.shuffle(self.conv_wide(self.conv_fuse(features))))
        base: Tensor = self.base(x)
        return base + self.gain * detail


def build_second_variant(name: str, scale: int = DEFAULT_SCALE, **switches: Any) -> SecondParagonSR2:
    """The registered variant `name` (realtime ... pro) at a scale, with some of its switches changed.

    Raises:
        ValueError: no such variant, a switch that the variant does not leave open, or a value out of range.
    """
    if name not in VARIANTS:
        raise ValueError(f"variant should be one of {', '.join(VARIANTS)}. Found {name!r}")
    if closed := sorted(switches.keys() - set(ACCEPTED)):
        raise ValueError(f"switches of {name} should be among {', '.join(ACCEPTED)}. Found {', '.join(closed)}")
    return SecondParagonSR2(**{**VARIANTS[name], "scale": scale, **switches})
