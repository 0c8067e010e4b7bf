"""The arguments of the second-generation ParagonSR2 class, and the registered variants of that generation.

Upper limits on counts are chosen, untested: far above any real network.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from autocal_cli.network.kinds import SWITCH, Kind, number, one_of, whole
from autocal_cli.network.paragonsr2_arguments import SCALES

EXPANSION = 2  # width of a block's inside, as a multiple of its channels
HEADS = 4  # of the attention
TOKENS, TOKEN_CHANNELS = 64, 16  # of a pro block's dictionary
SQUEEZE = 16  # the channel gate's bottleneck is this many times narrower
BLOCKS = ("realtime", "stream", "photo", "pro")
_BACKENDS = (None, "sdpa", "flex")

ARGUMENTS: Mapping[str, Kind] = MappingProxyType(
    {
        "scale": one_of(*SCALES),
        "in_chans": whole(1, 64),
        "num_feat": whole(1, 4096),
        "num_groups": whole(1, 128),
        "num_blocks": whole(1, 128),
        "variant": Kind("realtime, stream, photo or pro", lambda value: value in BLOCKS),
        "detail_gain": number(0, 100),
        "upsampler_alpha": number(0, 1),
        "use_checkpointing": SWITCH,
        # The trainer's class takes any other word for sdpa; "none" would not switch attention off.
        "attention_mode": Kind("sdpa, flex or nothing (~, no attention)", lambda value: value in _BACKENDS),
        "export_safe": SWITCH,
        "window_size": whole(1, 256),
    }
)

FIXED = ("num_feat", "num_groups", "num_blocks", "variant")  # by a registered variant: the trainer stops at these

VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        name: {
            "num_feat": num_feat,
            "num_groups": num_groups,
            "num_blocks": num_blocks,
            "variant": name,
            "detail_gain": gain,
            "upsampler_alpha": alpha,
            "window_size": window,
        }
        for name, num_feat, num_groups, num_blocks, gain, alpha, window in (
            ("realtime", 16, 1, 3, 0.05, 0.3, 8),
            ("stream", 32, 2, 3, 0.1, 0.0, 8),
            ("photo", 64, 4, 4, 0.1, 0.4, 16),
            ("pro", 64, 6, 6, 0.1, 0.4, 16),
        )
    }
)
ACCEPTED = tuple(name for name in ARGUMENTS if name not in FIXED)


def check_width(variant: str, num_feat: int, attends: bool) -> None:
    """Raises ValueError where blocks of this kind cannot be that wide."""
    if variant in ("photo", "pro") and attends and num_feat % HEADS:
        raise ValueError(f"num_feat should be a multiple of {HEADS}, one part for each head. Found {num_feat}")
    if variant == "pro" and num_feat < SQUEEZE:
        raise ValueError(f"num_feat should be {SQUEEZE} or more with pro blocks. Found {num_feat}")
