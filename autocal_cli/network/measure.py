"""Multiply-accumulates (MACs) of one forward pass, counted without computing anything where that is possible.

Convolutions and matrix products count; activations, norms and pooling don't.
Source: torch.utils.flop_counter counts FLOPs, a MAC being 2 of them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from autocal_cli.network.model import SIDE

# What else is tried, in order, where a network refuses that: multiples of windows of 6 to 16, least sizes, fixed ones.
OTHER_SIDES = (48, 56, 60, 72, 96, 128, 256)
FRAMES = (5, 3, 7, 2)  # of a clip, where a network takes clips; chosen, untested


@dataclass(frozen=True, slots=True)
class Count:
    """MACs per pixel of a (1, channels, side, side) input, or of one frame of a clip of `frames`.

    `enlargement` is the side of the output over that of the input; None where the output is no image.
    """

    macs_per_pixel: float
    side: int
    frames: int | None
    enlargement: float | None


def count_macs(
    on_meta: nn.Module, on_cpu: Callable[[], nn.Module], channels: Sequence[int], seconds: float
) -> Count | str:
    """Counts at the first size that the network accepts, on the meta device, then on the CPU; else the first error.

    Args:
        on_meta: the network on the meta device.
        on_cpu: makes the same network with real values.
        channels: of the input, the likeliest first.
        seconds: no further size is tried after this long.
    """
    until = time.monotonic() + seconds
    first = ""
    for device in ("meta", "cpu"):
        try:
            network = on_meta if device == "meta" else on_cpu()
        except Exception as error:
            return first or str(error)
        for shape in _shapes(channels):
            if time.monotonic() > until:
                return first
            try:
                return _forward(network, shape, device)
            except Exception as error:
                first = first or reason_of(error)
    return first


def reason_of(error: BaseException) -> str:
    """One line, at most 200 characters: the class of the error and the first line of what it says."""
    told = ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]]).rstrip(".")
    return told if len(told) <= 200 else told[:199] + "…"


def _shapes(channels: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for channel in channels:
        yield (1, channel, SIDE, SIDE)
    yield (2, channels[0], SIDE, SIDE)  # batch normalisation of single values
    for side in OTHER_SIDES:
        yield (1, channels[0], side, side)
    for frames in FRAMES:
        yield (1, frames, channels[0], SIDE, SIDE)


def _forward(network: nn.Module, shape: tuple[int, ...], device: str) -> Count:
    # On the CPU, attention counts only in its plain form; and with gradients every activation would be kept.
    with (
        torch.device(device),
        torch.set_grad_enabled(device == "meta"),
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
    ):
        output = network(torch.rand(shape))
    side, frames = shape[-1], shape[1] if len(shape) == 5 else None
    macs = int(counter.get_total_flops()) / 2 / (shape[0] * side**2)
    return Count(macs, side, frames, _enlargement(output, side))


def _enlargement(output: Any, side: int) -> float | None:
    if isinstance(output, Mapping):
        output = list(output.values())
    if isinstance(output, list | tuple):
        output = next((part for part in output if isinstance(part, Tensor)), None)
    return output.shape[-1] / side if isinstance(output, Tensor) and output.dim() >= 4 else None


def count_parameters(network: nn.Module) -> int:
    """The parameters of a network, each once however often it is shared.

    All of them, as trainers log them and checkpoints hold them: ParagonSR2's fixed kernels (72 for three channels)
    are among them, though no optimiser moves those.
    """
    return sum(parameter.numel() for parameter in network.parameters())


def structure_hash(network: nn.Module) -> str:
    """SHA-256 (hex) over the names and shapes of all parameters, in order of name."""
    lines = sorted(f"{name} {tuple(parameter.shape)}" for name, parameter in network.named_parameters())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
