"""What a first-generation ParagonSR2 holds and multiplies (`layers`), by the arguments of its class.

The network itself is in `paragonsr2`, with the meaning of every argument.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from autocal_cli.network.layers import SIDE, Part, conv, free, product
from autocal_cli.network.paragonsr2_arguments import DEFAULT_SCALE, WINDOW

PIXELS = SIDE**2


def first_layers(
    scale: int = DEFAULT_SCALE,
    in_chans: int = 3,
    num_feat: int = 64,
    num_groups: int = 6,
    num_blocks: int = 6,
    ffn_expansion: float = 2.0,
    block_kwargs: Mapping[str, Any] | None = None,
    upsampler_alpha: float = 0.5,
    fast_body_mode: bool = False,
    use_norm: bool = False,
    use_channel_mod: bool = True,
    use_content_aware: bool = True,
    use_attention: bool = False,
    **_without_layers: Any,
) -> Iterator[Part]:
    """The parts of a network whose arguments have been checked; the defaults are the class's own."""
    if fast_body_mode:
        num_groups, num_blocks = max(1, num_groups // 2), max(1, num_blocks // 2)
    block = [
        *_mixer(num_feat, **(block_kwargs or {})),
        *_feed_forward(num_feat, int(num_feat * ffn_expansion), use_attention, use_channel_mod),
        *(free(factor, 1, num_feat, 1, 1) for factor in ("s1", "s2")),
        *(norm("norm", num_feat) if use_norm else ()),
    ]
    yield from classical_upsampler(in_chans, scale, upsampler_alpha)
    for group in range(num_groups):
        for index in range(num_blocks):
            yield from within(f"body.{group}.blocks.{index}.", block)
    yield from ends(scale, in_chans, num_feat)
    if use_content_aware:
        yield from _content_gain(in_chans, num_feat)


def within(prefix: str, parts: list[Part]) -> Iterator[Part]:
    """The same parts inside a module."""
    return (part._replace(name=part.name and prefix + part.name) for part in parts)


def classical_upsampler(channels: int, scale: int, alpha: float) -> Iterator[Part]:
    """The fixed half, `ClassicalUpsampler`: a filter that is left out at alpha 0, and a blur of the enlarged image."""
    for name, taps, places in (("half_band", 7, PIXELS if alpha > 0 else 0), ("blur", 5, PIXELS * scale**2)):
        for axis, shape in (("across", (channels, 1, 1, taps)), ("down", (channels, 1, taps, 1))):
            yield Part(f"base.{name}.{axis}", shape, channels * taps * places)


def ends(scale: int, in_chans: int, num_feat: int) -> Iterator[Part]:
    """The convolutions before and after the body, which both generations have."""
    yield from conv("conv_in", in_chans, num_feat, 3, PIXELS)
    yield from conv("conv_fuse", num_feat, num_feat, 3, PIXELS)
    yield from conv("conv_wide", num_feat, num_feat * scale**2, 3, PIXELS)
    yield from conv("conv_out", num_feat, in_chans, 3, PIXELS * scale**2)


def norm(name: str, channels: int) -> Iterator[Part]:
    """`ChannelNorm`."""
    return (free(f"{name}.{letter}", channels, 1, 1) for letter in "ab")


def _mixer(
    channels: int, square_kernel_size: int = 3, band_kernel_size: int = 11, branch_ratio: float = 0.125
) -> Iterator[Part]:
    width, square, band = max(1, int(channels * branch_ratio)), square_kernel_size, band_kernel_size
    for index, kernel in enumerate(((square, square), (1, band), (band, 1))):
        yield from conv(f"mixer.branches.{index}", width, width, kernel, PIXELS, groups=width)


def _feed_forward(channels: int, hidden: int, attention: bool, gate: bool) -> Iterator[Part]:
    yield from conv("feed_forward.0", channels, hidden, 1, PIXELS)
    yield from conv("feed_forward.1", hidden, hidden, 3, PIXELS, groups=hidden)
    yield from conv("feed_forward.3", hidden, hidden, 1, PIXELS)
    if attention:
        yield from _window_attention("feed_forward.4", hidden)
    if gate:
        narrow, place = max(1, hidden // 4), f"feed_forward.{4 + attention}"
        yield from conv(f"{place}.squeeze", hidden, narrow, 1, 1)
        yield from conv(f"{place}.excite", narrow, hidden, 1, 1)
    yield from conv(f"feed_forward.{4 + attention + gate}", hidden, channels, 1, PIXELS)


def _window_attention(name: str, channels: int) -> Iterator[Part]:
    narrow, windows, pixels = max(1, channels // 8), math.ceil(SIDE / WINDOW) ** 2, min(SIDE, WINDOW) ** 2
    for part, out in (("query", narrow), ("key", narrow), ("value", channels)):
        yield from conv(f"{name}.{part}", channels, out, 1, PIXELS)
    yield free(f"{name}.gain", 1)
    yield product(windows * pixels**2 * (narrow + channels))


def _content_gain(in_chans: int, num_feat: int) -> Iterator[Part]:
    quarter, half = num_feat // 4, num_feat // 2
    for index, into, out, kernel in ((0, in_chans, quarter, 3), (2, quarter, half, 5), (4, half, half, 7)):
        yield from conv(f"content_gain.features.{index}", into, out, kernel, PIXELS)
    yield from conv("content_gain.complexity", half, 1, 1, 1)
