"""The arguments of the ParagonSR2 class and what each accepts, for the constructor and for the config check.

Names and limits: the first-generation class. Upper limits on counts are chosen, untested: far above any real network,
they keep a slip of the keyboard from building for hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from autocal_cli.network.kinds import SWITCH, Kind, mapping_of, number, one_of, whole

SCALES = (2, 3, 4, 8)
DEFAULT_SCALE = 4
WINDOW = 32  # pixels a side, of the attention's windows

BLOCK_ARGUMENTS: Mapping[str, Kind] = MappingProxyType(
    {
        "square_kernel_size": whole(1, 99, odd=True),
        "band_kernel_size": whole(1, 99, odd=True),
        "branch_ratio": number(0, 1 / 3),  # three branches share the channels
    }
)

ARGUMENTS: Mapping[str, Kind] = MappingProxyType(
    {
        "scale": one_of(*SCALES),
        "in_chans": whole(1, 64),
        "num_feat": whole(4, 4096),  # below 4 the three branches of a block, or the content gain, have no channel
        "num_groups": whole(1, 128),
        "num_blocks": whole(1, 128),
        "ffn_expansion": number(0.25, 64),  # 0.25 of 4 features still leaves one hidden channel
        "block_kwargs": mapping_of(BLOCK_ARGUMENTS),
        "upsampler_alpha": number(0, 1),
        "detail_gain": number(0, 100),
        "use_channels_last": SWITCH,
        "fast_body_mode": SWITCH,
        "use_norm": SWITCH,
        "use_channel_mod": SWITCH,
        "use_content_aware": SWITCH,
        "use_attention": SWITCH,
    }
)
