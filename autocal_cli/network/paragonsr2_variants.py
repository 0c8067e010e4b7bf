"""The registered ParagonSR2 variants, smallest first: what each fixes, and which switches a config may still set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

# The registered functions take these from a config and drop every other key, num_feat and in_chans among them.
SWITCHES = (
    "scale",
    "upsampler_alpha",
    "detail_gain",
    "use_channels_last",
    "fast_body_mode",
    "use_norm",
    "use_channel_mod",
)
SWITCHES_TO_M = (*SWITCHES, "use_content_aware", "use_attention")


@dataclass(frozen=True, slots=True)
class Variant:
    """Sizes and default switches, in the constructor's words; `accepted` are the arguments that a config may set."""

    num_feat: int
    num_groups: int
    num_blocks: int
    ffn_expansion: float
    band_kernel_size: int
    upsampler_alpha: float
    detail_gain: float
    fast_body_mode: bool
    use_norm: bool
    use_channel_mod: bool
    use_attention: bool
    accepted: tuple[str, ...]

    def arguments(self) -> dict[str, Any]:
        """The variant as arguments of the ParagonSR2 class, all but the scale."""
        return {
            "num_feat": self.num_feat,
            "num_groups": self.num_groups,
            "num_blocks": self.num_blocks,
            "ffn_expansion": self.ffn_expansion,
            "block_kwargs": {"band_kernel_size": self.band_kernel_size},
            "upsampler_alpha": self.upsampler_alpha,
            "detail_gain": self.detail_gain,
            "fast_body_mode": self.fast_body_mode,
            "use_norm": self.use_norm,
            "use_channel_mod": self.use_channel_mod,
            "use_attention": self.use_attention,
        }


# Nano to s build half their groups and blocks; nano to m attend.
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        #               feat groups blocks ffn band alpha gain fast norm gate attend
        "nano": Variant(12, 1, 1, 1.2, 7, 0.40, 0.05, True, False, False, True, SWITCHES_TO_M),
        "micro": Variant(16, 1, 2, 1.5, 7, 0.45, 0.08, True, False, True, True, SWITCHES_TO_M),
        "tiny": Variant(24, 2, 2, 1.5, 9, 0.50, 0.1, True, True, True, True, SWITCHES_TO_M),
        "xs": Variant(32, 2, 3, 1.8, 11, 0.50, 0.1, True, True, True, True, SWITCHES_TO_M),
        "s": Variant(48, 3, 4, 2.0, 11, 0.50, 0.1, True, True, True, True, SWITCHES_TO_M),
        "m": Variant(64, 4, 6, 2.0, 11, 0.50, 0.1, False, True, True, True, SWITCHES_TO_M),
        "l": Variant(96, 6, 8, 2.0, 13, 0.55, 0.1, False, True, True, False, SWITCHES),
        "xl": Variant(128, 8, 10, 2.0, 15, 0.60, 0.1, False, True, True, False, SWITCHES),
    }
)
