"""What a second-generation ParagonSR2 holds and multiplies (`layers`), by the arguments of its class.

The network itself is in `paragonsr2_second`, with the meaning of every argument.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from autocal_cli.network.layers import SIDE, Part, conv, free, linear, product
from autocal_cli.network.paragonsr2_arguments import DEFAULT_SCALE
from autocal_cli.network.paragonsr2_layers import PIXELS, classical_upsampler, ends, norm, within
from autocal_cli.network.paragonsr2_second_arguments import (
    EXPANSION,
    SQUEEZE,
    TOKEN_CHANNELS,
    TOKENS,
    check_width,
)


def second_layers(
    scale: int = DEFAULT_SCALE,
    in_chans: int = 3,
    num_feat: int = 64,
    num_groups: int = 4,
    num_blocks: int = 4,
    variant: str = "photo",
    upsampler_alpha: float = 0.5,
    attention_mode: str | None = "sdpa",
    export_safe: bool = False,
    window_size: int = 8,
    **_without_layers: Any,
) -> Iterator[Part]:
    """The parts of a network whose arguments have been checked; the defaults are the class's own.

    Raises ValueError, as the class does, for a width that its blocks cannot have.
    """
    window = window_size if attention_mode is not None and not export_safe else None
    check_width(variant, num_feat, window is not None)
    block = list(_block(variant, num_feat, window))
    yield from classical_upsampler(in_chans, scale, upsampler_alpha)
    for index in range(num_groups * num_blocks):
        yield from within(f"body.{index}.", block)
    yield from ends(scale, in_chans, num_feat)
    yield free("gain")


def _block(variant: str, channels: int, window: int | None) -> Iterator[Part]:
    factor = free("scale.factor", channels, 1, 1)
    if variant == "realtime":
        steps = [[factor, *_bottleneck("change.0", channels)]]
    elif variant == "stream":
        steps = [[factor, *_gated_mixer("change.0", channels)]]
    else:
        steps = [[factor, *norm("change.0", channels), *_bottleneck("change.1", channels)]]
        if variant == "pro":
            steps.append([factor, *_gate("change.0.gate", channels)])
        if window is not None:  # photo has one scale for both of its steps
            own = [factor] * (variant == "pro")
            steps.append([*own, *norm("change.0", channels), *_shifted_windows("change.1", channels, window)])
        if variant == "pro":
            steps.append([factor, *norm("change.0", channels), *_dictionary("change.1", channels)])
    for index, step in enumerate(steps):
        yield from within(f"{index}.", step)


def _bottleneck(name: str, channels: int) -> Iterator[Part]:
    hidden = EXPANSION * channels
    yield from conv(f"{name}.0", channels, hidden, 1, PIXELS)
    yield from conv(f"{name}.1", hidden, hidden, 3, PIXELS, groups=hidden)
    yield from conv(f"{name}.3", hidden, channels, 1, PIXELS)


def _gated_mixer(name: str, channels: int) -> Iterator[Part]:
    hidden = EXPANSION * channels
    for reach in ("near", "far"):
        yield from conv(f"{name}.{reach}", channels, channels, 3, PIXELS, groups=channels)
    yield from conv(f"{name}.fuse", 2 * channels, channels, 1, PIXELS)
    yield from conv(f"{name}.halves.0", channels, 2 * hidden, 1, PIXELS)
    yield from conv(f"{name}.halves.1", 2 * hidden, 2 * hidden, 3, PIXELS, groups=2 * hidden)
    yield from conv(f"{name}.narrow", hidden, channels, 1, PIXELS)


def _gate(name: str, channels: int) -> Iterator[Part]:
    narrow = channels // SQUEEZE
    yield from linear(f"{name}.0", channels, narrow, 1, bias=False)
    yield from linear(f"{name}.2", narrow, channels, 1, bias=False)


def _shifted_windows(name: str, channels: int, window: int) -> Iterator[Part]:
    windows, pixels = math.ceil(SIDE / window) ** 2, window**2
    yield from linear(f"{name}.to_qkv", channels, 3 * channels, windows * pixels)
    yield from linear(f"{name}.mix", channels, channels, windows * pixels)
    yield product(2 * windows * pixels**2 * channels)


def _dictionary(name: str, channels: int) -> Iterator[Part]:
    yield free(f"{name}.tokens", TOKENS, channels)
    yield from linear(f"{name}.query", channels, TOKEN_CHANNELS, PIXELS)
    yield from linear(f"{name}.key", channels, TOKEN_CHANNELS, TOKENS)
    yield from linear(f"{name}.value", channels, channels, TOKENS)
    yield from linear(f"{name}.mix", channels, channels, PIXELS)
    yield product(PIXELS * TOKENS * (TOKEN_CHANNELS + channels))
