"""The ParagonSR2 networks of both generations, which autocal has itself: types, arguments, variants, sizes.

Names and limits: the trainer's classes. Upper limits on counts are chosen, untested: far above any real network, they
keep a slip of the keyboard from building for hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.network.arguments import (
    SWITCH,
    Kind,
    check_arguments,
    check_values,
    mapping_of,
    mismatch,
    number,
    one_of,
    place_of,
    whole,
)
from autocal_cli.network.model import Builder, NetworkFingerprint, Passed
from autocal_cli.network.table import BUILT_IN, FIRST_COMMITS, Entry, Packaged, look_up

if TYPE_CHECKING:
    from torch import nn

DEVIATION = 0.10  # of a registered variant's parameter count; chosen, untested
CLASS = "paragonsr2"  # registered by both generations, each in its own commits of the trainer
SCALES = (2, 3, 4, 8)
DEFAULT_SCALE = 4

# The first generation's class, whose arguments a config may all give.
ARGUMENTS: Mapping[str, Kind] = MappingProxyType(
    {
        "scale": one_of(*SCALES),
        "in_chans": whole(1, 64),
        "num_feat": whole(4, 4096),  # below 4 the three branches of a block, or the content gain, have no channel
        "num_groups": whole(1, 128),
        "num_blocks": whole(1, 128),
        "ffn_expansion": number(0.25, 64),  # 0.25 of 4 features still leaves one hidden channel
        "block_kwargs": mapping_of(
            {
                "square_kernel_size": whole(1, 99, odd=True),
                "band_kernel_size": whole(1, 99, odd=True),
                "branch_ratio": number(0, 1 / 3),  # three branches share the channels
            }
        ),
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
SECOND_ARGUMENTS: Mapping[str, Kind] = MappingProxyType(
    {
        "scale": one_of(*SCALES),
        "in_chans": whole(1, 64),
        "num_feat": whole(1, 4096),
        "num_groups": whole(1, 128),
        "num_blocks": whole(1, 128),
        "variant": Kind("realtime, stream, photo or pro", lambda value: value in SECOND_VARIANTS),
        "detail_gain": number(0, 100),
        "upsampler_alpha": number(0, 1),
        "use_checkpointing": SWITCH,
        # The trainer's class takes any other word for sdpa; "none" would not switch attention off.
        "attention_mode": Kind("sdpa, flex or nothing (~, no attention)", lambda one: one in (None, "sdpa", "flex")),
        "export_safe": SWITCH,
        "window_size": whole(1, 256),
    }
)


def _first(
    num_feat: int, groups: int, blocks: int, ffn: float, band: int, alpha: float, gain: float, **switches: bool
) -> Mapping[str, Any]:
    return {
        "num_feat": num_feat,
        "num_groups": groups,
        "num_blocks": blocks,
        "ffn_expansion": ffn,
        "block_kwargs": {"band_kernel_size": band},
        "upsampler_alpha": alpha,
        "detail_gain": gain,
        **{"fast_body_mode": False, "use_norm": True, "use_channel_mod": True, "use_attention": False, **switches},
    }


_OF_SECOND = ("variant", "num_feat", "num_groups", "num_blocks", "detail_gain", "upsampler_alpha", "window_size")


def _second(*values: str | float) -> Mapping[str, Any]:
    return dict(zip(_OF_SECOND, values, strict=True))


# What each registered variant hands to its class, smallest first. fast_body_mode builds half the groups and blocks.
_SMALL = {"fast_body_mode": True, "use_attention": True}
VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "nano": _first(12, 1, 1, 1.2, 7, 0.40, 0.05, **_SMALL, use_norm=False, use_channel_mod=False),
        "micro": _first(16, 1, 2, 1.5, 7, 0.45, 0.08, **_SMALL, use_norm=False),
        "tiny": _first(24, 2, 2, 1.5, 9, 0.50, 0.1, **_SMALL),
        "xs": _first(32, 2, 3, 1.8, 11, 0.50, 0.1, **_SMALL),
        "s": _first(48, 3, 4, 2.0, 11, 0.50, 0.1, **_SMALL),
        "m": _first(64, 4, 6, 2.0, 11, 0.50, 0.1, use_attention=True),
        "l": _first(96, 6, 8, 2.0, 13, 0.55, 0.1),
        "xl": _first(128, 8, 10, 2.0, 15, 0.60, 0.1),
    }
)
SECOND_VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "realtime": _second("realtime", 16, 1, 3, 0.05, 0.3, 8),
        "stream": _second("stream", 32, 2, 3, 0.1, 0.0, 8),
        "photo": _second("photo", 64, 4, 4, 0.1, 0.4, 16),
        "pro": _second("pro", 64, 6, 6, 0.1, 0.4, 16),
    }
)
ALL_VARIANTS = MappingProxyType({**VARIANTS, **SECOND_VARIANTS})
TYPES = ("ParagonSR2", *(f"paragonsr2_{variant}" for variant in ALL_VARIANTS))
VARIANT_OF = MappingProxyType(dict(zip((type.lower() for type in TYPES), (None, *ALL_VARIANTS), strict=True)))
OF_FIRST_COMMITS = ("use_content_aware", "ffn_expansion", "block_type", "block_kwargs", "use_channels_last")
FIXED = ("num_feat", "num_groups", "num_blocks", "variant")  # by a second-generation variant: the trainer stops there


def accepted_by(variant: str) -> tuple[str, ...]:
    """The arguments that a config may give a registered variant."""
    if variant in SECOND_VARIANTS:
        return tuple(name for name in SECOND_ARGUMENTS if name not in FIXED)
    # The first generation's functions drop every other key, num_feat and in_chans among them.
    names = ("scale", "upsampler_alpha", "detail_gain", "use_channels_last", "fast_body_mode", "use_norm")
    more = ("use_content_aware", "use_attention") if variant not in ("l", "xl") else ()
    return (*names, "use_channel_mod", *more)


# Which of the two generations a config's network is.


def is_second(network: NetworkOptions) -> bool:
    """Whether a network is of the second generation: by its registered name, else by arguments that only one has.

    The first generation where neither tells, or both do as loudly.
    """
    variant = VARIANT_OF[network.type.lower()]
    if variant is not None:
        return variant in SECOND_VARIANTS
    first, second = _telling(network)
    return len(second) > len(first)


def _telling(network: NetworkOptions) -> tuple[list[str], list[str]]:
    """The given arguments that one generation has and the other hasn't."""
    first = [name for name in network.arguments if name in ARGUMENTS and name not in SECOND_ARGUMENTS]
    return first, [name for name in network.arguments if name in SECOND_ARGUMENTS and name not in ARGUMENTS]


def _about_generation(network: NetworkOptions) -> tuple[Finding, ...]:
    """What to say where the class is named and its arguments don't tell the generation, or tell of both."""
    first, second = _telling(network)
    if network.type.lower() != CLASS or bool(first) != bool(second):
        return ()
    why = "no argument here tells which is meant"
    if first:
        why = f"{', '.join(first)} of the first and {', '.join(second)} of the second are given"
    taken = "second" if is_second(network) else "first"
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


def check(network: NetworkOptions) -> tuple[Finding, ...]:
    """Findings about the arguments. Raises AutocalError for those that no network takes, or that a variant fixes."""
    variant, second = VARIANT_OF[network.type.lower()], is_second(network)
    fixed = [name for name in FIXED if name in network.arguments]
    if variant in SECOND_VARIANTS and fixed:
        raise AutocalError(
            f"the network {network.type} sets {fixed[0]!r} itself: the trainer stops where a config gives it too.",
            place=place_of(network, fixed[0]),
            fix=f"Remove it, or write `type: ParagonSR2` with all of {', '.join(FIXED)}.",
        )
    known = SECOND_ARGUMENTS if second else ARGUMENTS
    accepted = accepted_by(variant) if variant else tuple(known)
    # The trainer swallows unknown arguments; of a first-generation variant it drops most of the class's own, too.
    findings = check_arguments(network, accepted, swallows=second or variant is None)
    check_values(network, known)
    return (*findings, *_about_generation(network))


def build(network: NetworkOptions, scale: int, device: str = "meta") -> nn.Module:
    """The network itself, every argument in force; needs torch. `network` has passed `check`.

    Raises AutocalError where the network is not made for `scale`, or values don't go together.
    """
    import torch  # takes a second: only who runs the network waits for it

    from autocal_cli.network.paragonsr2.first import ParagonSR2
    from autocal_cli.network.paragonsr2.second import SecondParagonSR2

    if scale not in SCALES:
        message = f"the network {network.type} is made for scale {ARGUMENTS['scale'].expected}. Found scale {scale}."
        raise AutocalError(message, place=place_of(network, "scale"))
    second = is_second(network)
    known = SECOND_ARGUMENTS if second else ARGUMENTS
    own = {name: value for name, value in network.arguments.items() if name in known}
    arguments: dict[str, Any] = {**ALL_VARIANTS.get(VARIANT_OF[network.type.lower()] or "", {}), **own, "scale": scale}
    if second:
        _check_width(network, arguments)
    with torch.device(device):
        return (SecondParagonSR2 if second else ParagonSR2)(**arguments)


def _check_width(network: NetworkOptions, arguments: Mapping[str, Any]) -> None:
    """Raises AutocalError where blocks of this kind cannot be that wide."""
    from autocal_cli.network.paragonsr2.second import HEADS, SQUEEZE  # needs torch, as the network does

    kind, width = arguments.get("variant", "photo"), arguments.get("num_feat", 64)
    attends = arguments.get("attention_mode", "sdpa") and not arguments.get("export_safe")
    wanted = None
    if kind in ("photo", "pro") and attends and width % HEADS:
        wanted = f"a multiple of {HEADS}, one part for each head"
    elif kind == "pro" and width < SQUEEZE:
        wanted = f"{SQUEEZE} or more with pro blocks"
    if wanted:
        message = f"the network argument num_feat should be {wanted}. Found {width}."
        raise AutocalError(message, place=place_of(network, "num_feat"))


def sizes_of(network: NetworkOptions, scale: int) -> Entry:
    """By the packaged table, else built on the meta device. `network` has passed `check`; raises as `build`."""
    known = look_up(BUILT_IN, network.type, network.arguments, scale)
    return known.entry if known is not None and known.exact else measure_built(network, scale)


def measure_built(network: NetworkOptions, scale: int) -> Entry:
    from autocal_cli.network.measure import Count, count_macs, count_parameters, structure_hash  # takes torch

    built = build(network, scale)
    channels = network.arguments.get("in_chans", 3)
    assert isinstance(channels, int)
    count = count_macs(built, lambda: built, [channels], seconds=60)
    if not isinstance(count, Count):
        raise AssertionError(f"{network.type} was built and does not run: {count}")
    macs = round(count.macs_per_pixel, 1)
    return Entry(network.arguments, scale, count_parameters(built), macs, structure_hash(built))


class BuiltIn(Builder):
    """The builder of these networks, for which it knows every argument and variant."""

    name = "built-in"

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        """Types are compared as the trainer compares them, whatever their case. Raises AutocalError for an argument or
        a scale that the network cannot take."""
        if network.type.lower() not in VARIANT_OF:
            return Passed(self.name, f"has no {network.type}")
        if VARIANT_OF[network.type.lower()] in SECOND_VARIANTS and set(network.arguments) & set(OF_FIRST_COMMITS):
            return _of_first_commits(network, scale)
        findings = check(network)
        built_scale, about_scale = _choose_scale(network, scale)
        sizes = sizes_of(network, built_scale)
        variant = VARIANT_OF[network.type.lower()]
        modified = _modified(network, variant, sizes, built_scale) if variant else ()
        return NetworkFingerprint(
            type=network.type,
            family=CLASS,
            variant=variant or recognise(sizes, built_scale),
            scale=built_scale,
            parameters=sizes.parameters,
            macs_per_pixel=sizes.macs_per_pixel,
            builder=self.name,
            structure=sizes.structure,
            findings=(*findings, *about_scale, *modified),
        )

    def types(self) -> tuple[str, ...]:
        return TYPES


def _of_first_commits(network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
    """The network by this name of the commits that had such an argument; the table has their measures."""
    exact = Packaged(FIRST_COMMITS).measure(network, scale)
    found = Packaged(FIRST_COMMITS, nearest=True).measure(network, scale) if isinstance(exact, Passed) else exact
    if isinstance(found, Passed):
        return found
    named = next(name for name in network.arguments if name in OF_FIRST_COMMITS)
    message = (
        f"{named} is an argument of {network.type} in the first commits of its repository (December 2025) alone, where "
        f"it has {found.parameters:,} parameters. Later ones ignore it and build another network by that name."
    )
    fix = f"Remove {named} if yours is a later one; --trainer DIR measures the one that you have."
    return replace(
        found, findings=(*found.findings, Finding("network-generation-assumed", "info", message, fix, network.place))
    )


def _choose_scale(network: NetworkOptions, scale: int | None) -> tuple[int, tuple[Finding, ...]]:
    """The scale to build at: the config's, which the trainer hands over, else the network's own, else the default."""
    own = network.arguments.get("scale")
    if scale is not None:
        return scale, mismatch(network, scale)
    if isinstance(own, int):
        return own, ()
    takes = f"{network.type} takes its default, {DEFAULT_SCALE}"
    message = f"neither the config nor its network says the scale: {takes}."
    fix = "Write the scale at the top level of the config."
    return DEFAULT_SCALE, (Finding("network-scale-default", "info", message, fix, network.place),)


def _usual(variant: str, scale: int) -> Entry:
    """Of a variant with its default switches."""
    return sizes_of(NetworkOptions(f"{CLASS}_{variant}", {}, Place(""), {}), scale)


def recognise(sizes: Entry, scale: int) -> str | None:
    """The variant that has this structure at this scale, if one has."""
    return next((one for one in ALL_VARIANTS if _usual(one, scale).structure == sizes.structure), None)


def _modified(network: NetworkOptions, variant: str, sizes: Entry, scale: int) -> tuple[Finding, ...]:
    usual, now = _usual(variant, scale).parameters, sizes.parameters
    if abs(now - usual) <= DEVIATION * usual:
        return ()
    message = (
        f"the switches of {network.type} make {now:,} parameters; the variant {variant!r} has {usual:,} at scale "
        f"{scale} ({now / usual - 1:+.0%})."
    )
    fix = "Remove the switches, or expect values chosen for the variant to fit less well."
    return (Finding("network-variant-modified", "warning", message, fix, network.place),)
