"""The arguments of the ParagonSR2 class and what each accepts, for the constructor and for the config check.

Names and limits: the first-generation class. Upper limits on counts are chosen, untested: far above any real network,
they keep a slip of the keyboard from building for hours.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.arguments import (
    SWITCH,
    Kind,
    check_arguments,
    check_values,
    mapping_of,
    number,
    one_of,
    place_of,
    whole,
)

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


# The arguments of the second-generation ParagonSR2 class, and the registered variants of that generation.
#
# Upper limits on counts are chosen, untested: far above any real network.


EXPANSION = 2  # width of a block's inside, as a multiple of its channels
HEADS = 4  # of the attention
TOKENS, TOKEN_CHANNELS = 64, 16  # of a pro block's dictionary
SQUEEZE = 16  # the channel gate's bottleneck is this many times narrower
BLOCKS = ("realtime", "stream", "photo", "pro")
_BACKENDS = (None, "sdpa", "flex")

SECOND_ARGUMENTS: Mapping[str, Kind] = MappingProxyType(
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

SECOND_VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
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
ACCEPTED = tuple(name for name in SECOND_ARGUMENTS if name not in FIXED)


def check_width(variant: str, num_feat: int, attends: bool) -> None:
    """Raises ValueError where blocks of this kind cannot be that wide."""
    if variant in ("photo", "pro") and attends and num_feat % HEADS:
        raise ValueError(f"num_feat should be a multiple of {HEADS}, one part for each head. Found {num_feat}")
    if variant == "pro" and num_feat < SQUEEZE:
        raise ValueError(f"num_feat should be {SQUEEZE} or more with pro blocks. Found {num_feat}")


# The registered ParagonSR2 variants, smallest first: what each fixes, and which switches a config may still set.


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


# Two generations of networks share the name ParagonSR2: which one a config's network is, and what each takes.


CLASS = "paragonsr2"  # registered by both generations, each in its own commits of the trainer
SECOND_TYPES = {f"{CLASS}_{variant}": variant for variant in SECOND_VARIANTS}


def is_second(network: NetworkOptions) -> bool:
    """Whether a network is of the second generation: by its registered name, else by arguments that only one has.

    The first generation where neither tells, or both do as loudly.
    """
    if network.type.lower() != CLASS:
        return network.type.lower() in SECOND_TYPES
    return len(_only(network, SECOND_ARGUMENTS, ARGUMENTS)) > len(_only(network, ARGUMENTS, SECOND_ARGUMENTS))


def about_generation(network: NetworkOptions) -> tuple[Finding, ...]:
    """What to say where the class is named and its arguments don't tell the generation, or tell of both."""
    if network.type.lower() != CLASS:
        return ()
    first, second = _only(network, ARGUMENTS, SECOND_ARGUMENTS), _only(network, SECOND_ARGUMENTS, ARGUMENTS)
    if bool(first) != bool(second):
        return ()
    taken = "second" if is_second(network) else "first"
    why = (
        f"{', '.join(first)} of the first and {', '.join(second)} of the second are given"
        if first
        else "no argument here tells which is meant"
    )
    return (
        Finding(
            "network-generation-assumed",
            "info",
            f"two generations of networks are called {network.type}, and {why}: it is taken for the {taken}. "
            "By default the first has 6 x 6 blocks, the second 4 x 4 with attention in windows.",
            "Name a registered variant (paragonsr2_s, paragonsr2_photo), or an argument that only one of them has.",
            network.place,
        ),
    )


def check_second(network: NetworkOptions) -> tuple[Finding, ...]:
    """Findings about the arguments of a second-generation network.

    Raises AutocalError for a value that no network takes, and for one that a registered variant fixes itself.
    """
    registered = network.type.lower() in SECOND_TYPES
    if registered and (fixed := [name for name in FIXED if name in network.arguments]):
        raise AutocalError(
            f"the network {network.type} sets {fixed[0]!r} itself: the trainer stops where a config gives it too.",
            place=place_of(network, fixed[0]),
            fix=f"Remove it, or write `type: ParagonSR2` with all of {', '.join(FIXED)}.",
        )
    findings = check_arguments(network, ACCEPTED if registered else tuple(SECOND_ARGUMENTS), swallows=True)
    check_values(network, SECOND_ARGUMENTS)
    return findings


def _only(network: NetworkOptions, of: Collection[str], other: Collection[str]) -> list[str]:
    """The given arguments that one generation has and the other hasn't."""
    return [name for name in network.arguments if name in of and name not in other]
