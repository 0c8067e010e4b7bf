"""The networks of a config with the weights that they start from: what enlarges, and what judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from autocal_cli.config.model import NetworkOptions
from autocal_cli.network.discriminators import argument_findings, build_discriminator
from autocal_cli.network.fingerprint import FAMILIES

Enlarge = Callable[[Tensor], Tensor]
STAND_IN = "bicubic enlargement"


@dataclass(frozen=True, slots=True)
class Started:
    """What enlarges, `told` in words, and why that is not the config's network with its checkpoint, if it is not.

    `built`: it is the config's network, not what stands in for it.
    """

    enlarge: Enlarge
    told: str
    instead: str | None = None
    built: bool = True


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Random weights by this seed, and the caller's own random numbers undisturbed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def start_network(network: NetworkOptions | None, scale: int, weights: Path | None, seed: int) -> Started:
    """The config's network at its initial weights, or with those of a checkpoint.

    A network that autocal has not itself is stood in for by bicubic enlargement, which is about what a network that has
    learnt to enlarge, and no more, puts out. `weights` is the checkpoint that the config starts from, if it is here.
    """
    family = next((family for family in FAMILIES if network and family.knows(network.type)), None)
    if network is None or family is None:
        named = f"autocal has no {network.type}" if network else "the config names no network"
        return Started(lambda low: _bicubic(low, scale), STAND_IN, f"{named}: {STAND_IN} stands in for it", built=False)
    with seeded(seed):
        built = family.build(network, scale, device="cpu")
    if weights is None:
        return Started(built, "initial weights")
    try:
        load_weights(built, weights)
    except WeightsError as error:
        return Started(built, "initial weights", f"{weights.name} {error}: initial weights stand in for it")
    return Started(built, f"weights of {weights.name}")


def _bicubic(low: Tensor, scale: int) -> Tensor:
    return F.interpolate(low, scale_factor=scale, mode="bicubic", align_corners=False)


@dataclass(frozen=True, slots=True)
class Judge:
    """A discriminator with random weights, as a training begins with it; `twin` is the same on the meta device."""

    network: nn.Module
    twin: nn.Module

    def macs(self, crop: int) -> float | None:
        """Multiply-accumulates of a judgement of one crop, nothing computed; None where it does not take such crops."""
        try:
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                self.twin(torch.empty(2, 3, crop, crop, device="meta"))
        except RuntimeError:
            return None
        return float(counter.get_total_flops()) / 2 / 2  # 2 FLOPs a MAC, 2 images


def start_discriminator(network: NetworkOptions | None, crop: int, seed: int) -> Judge | str:
    """The config's discriminator, in training mode and frozen; or why there is none, in words."""
    if network is None:
        return "the config names no discriminator"
    wrong = argument_findings(network)
    if wrong:
        return wrong[0].message.rstrip(".")
    try:
        with seeded(seed):
            built = build_discriminator(network)
        with torch.device("meta"):
            twin = build_discriminator(network)
    except (TypeError, ValueError, RuntimeError):
        return f"the discriminator {network.type} cannot be built with these arguments"
    if built is None or twin is None:
        return f"the discriminator {network.type} cannot be built here"
    judge = Judge(built.requires_grad_(False), twin)
    return judge if judge.macs(crop) else f"the discriminator {network.type} does not take crops of {crop} pixels"


# A checkpoint's weights into a network, without running anything that the file may hold.


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
