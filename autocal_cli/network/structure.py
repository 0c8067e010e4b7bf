"""Two measures of a built network that need no values: its number of parameters, and a hash of its structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autocal_cli.network.layers import hash_of

if TYPE_CHECKING:
    from torch import nn


def count_parameters(network: nn.Module) -> int:
    """The parameters of a network, each once however often it is shared.

    All of them, as trainers log them and checkpoints hold them: ParagonSR2's fixed kernels (72 for three channels)
    are among them, though no optimiser moves those.
    """
    return sum(parameter.numel() for parameter in network.parameters())


def structure_hash(network: nn.Module) -> str:
    """SHA-256 (hex) over the names and shapes of all parameters, in order of name."""
    return hash_of((name, tuple(parameter.shape)) for name, parameter in network.named_parameters())
