"""Networks built on the meta device and measured there: what autocal's own descriptions are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from autocal_cli.network.layers import Sizes
from autocal_cli.network.macs import Count, count_macs
from autocal_cli.network.structure import count_parameters, structure_hash


def on_meta(constructor: Callable[..., nn.Module], *given: Any, **arguments: Any) -> nn.Module:
    with torch.device("meta"):
        return constructor(*given, **arguments)


def built_sizes(network: nn.Module, in_chans: int = 3) -> Sizes:
    """By torch's own counter, one (1, in_chans, 64, 64) image."""
    count = count_macs(network, lambda: network, [in_chans], seconds=60)
    assert isinstance(count, Count), count
    assert (count.side, count.channels, count.device) == (64, in_chans, "meta")
    return Sizes(count_parameters(network), count.macs_per_pixel, structure_hash(network))
