"""The networks of a config with the weights that they start from: what enlarges, and what judges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from autocal_cli.config.record import NetworkOptions
from autocal_cli.network.discriminators import KINDS, arguments_of
from autocal_cli.network.families import FAMILIES
from autocal_cli.probing.discriminators import CLASSES
from autocal_cli.probing.measure import Enlarge
from autocal_cli.probing.weights import WeightsError, load_weights

STAND_IN = "bicubic enlargement"


@dataclass(frozen=True, slots=True)
class Started:
    """What enlarges, `told` in words, and why that is not the config's network with its checkpoint, if it is not."""

    enlarge: Enlarge
    told: str
    instead: str | None = None


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
        return Started(lambda low: _bicubic(low, scale), STAND_IN, f"{named}: {STAND_IN} stands in for it")
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


def start_discriminator(network: NetworkOptions | None, crop: int, seed: int) -> nn.Module | str:
    """The config's discriminator with random weights, in training mode; or why there is none, in words."""
    if network is None:
        return "the config names no discriminator"
    build = CLASSES.get(network.type.lower())
    if build is None:
        return f"the discriminator {network.type} cannot be built here"
    accepted = arguments_of(network.type)
    for name, value in network.arguments.items():
        if name not in accepted or not KINDS[name].accepts(value):
            return f"the discriminator's argument {name} is not as {network.type} takes it"
    with seeded(seed):
        discriminator = build(**network.arguments).requires_grad_(False)
        image = torch.zeros(2, 3, crop, crop)
        try:
            discriminator(image)
        except RuntimeError:
            return f"the discriminator {network.type} does not take crops of {crop} pixels"
    return discriminator


def macs_of_image(discriminator: nn.Module | str, crop: int) -> float:
    """Multiply-accumulates of a discriminator's judgement of one crop; 0 where there is none."""
    if isinstance(discriminator, str):
        return 0.0
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        discriminator(torch.zeros(2, 3, crop, crop))
    return float(counter.get_total_flops()) / 2 / 2  # 2 FLOPs a MAC, 2 images
