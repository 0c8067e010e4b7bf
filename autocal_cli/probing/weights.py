"""A checkpoint's weights into a network, without running anything that the file may hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

WRAPPED = ("params_ema", "params", "params-ema")  # under which trainers keep the weights; the first that is there


class WeightsError(Exception):
    """Why a checkpoint does not serve, to follow its name."""


def load_weights(network: nn.Module, path: Path) -> None:
    """Loads a .safetensors, or a .pth as trainers write it. Raises WeightsError; the network is then as it was."""
    try:
        state = _read(path)
    except ImportError:
        raise WeightsError("needs the package safetensors") from None
    except Exception as error:  # of whatever kind the reader has for a damaged or hostile file
        raise WeightsError(f"cannot be read ({type(error).__name__})") from error
    for name in WRAPPED:
        if isinstance(state.get(name), Mapping):
            state = state[name]
            break
    own = network.state_dict()
    if state.keys() != own.keys() or any(state[name].shape != own[name].shape for name in own):
        raise WeightsError("is of another network")
    network.load_state_dict(dict(state))


def _read(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file  # optional

        return load_file(path)
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, Mapping):
        raise TypeError(f"{type(state).__name__} is no mapping")
    return state
