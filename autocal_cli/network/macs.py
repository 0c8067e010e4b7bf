"""Multiply-accumulates (MACs) of one forward pass, counted without computing anything."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

SIDE = 64  # pixels; window attention makes the cost a pixel depend on the size, so one size is fixed


def macs_per_pixel(network: nn.Module, in_chans: int = 3) -> float:
    """MACs per input pixel of one (1, in_chans, 64, 64) image, with gradients enabled.

    `network` must be on the meta device: there the counter sees every kind of attention, and nothing is computed.
    Convolutions and matrix products count; activations, norms and pooling don't.

    Source: torch.utils.flop_counter counts FLOPs, a MAC being 2 of them.
    """
    image = torch.empty(1, in_chans, SIDE, SIDE, device="meta")
    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    return int(counter.get_total_flops()) / 2 / SIDE**2
