"""A network as a list of what it holds and what it multiplies: enough to know its size, without torch.

A description names every parameter as `named_parameters` of the built network does, and counts the MACs of one image
of 64x64 as torch.utils.flop_counter does: convolutions and matrix products, nothing else. A test builds each network
that is described, and compares.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

SIDE = 64  # pixels; window attention makes the cost a pixel depend on the size, so one size is fixed


class Part(NamedTuple):
    """A parameter with the MACs that it takes part in; or, with an empty name, a product of two activations."""

    name: str
    shape: tuple[int, ...]
    macs: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """All parameters, frozen ones included; MACs per pixel of a 64x64 image; the hash of names and shapes."""

    parameters: int
    macs_per_pixel: float
    structure: str


def sizes_of(parts: Iterable[Part]) -> Sizes:
    parts = tuple(parts)
    held = [part for part in parts if part.name]
    return Sizes(
        parameters=sum(math.prod(part.shape) for part in held),
        macs_per_pixel=sum(part.macs for part in parts) / SIDE**2,
        structure=hash_of((part.name, part.shape) for part in held),
    )


def hash_of(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> str:
    """SHA-256 (hex) over the names and shapes of all parameters, in order of name."""
    lines = sorted(f"{name} {shape}" for name, shape in shapes)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def free(name: str, *shape: int) -> Part:
    """A parameter that no counted product uses: a factor, a norm, a bias."""
    return Part(name, shape, 0)


def conv(
    name: str, into: int, out: int, kernel: tuple[int, int] | int, places: int, *, groups: int = 1, bias: bool = True
) -> Iterator[Part]:
    """A convolution that makes `places` output pixels, each weight being used once for each of them."""
    high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
    shape = (out, into // groups, high, wide)
    yield Part(f"{name}.weight", shape, math.prod(shape) * places)
    if bias:
        yield free(f"{name}.bias", out)


def linear(name: str, into: int, out: int, rows: int, *, bias: bool = True) -> Iterator[Part]:
    """A linear layer applied to `rows` vectors."""
    yield Part(f"{name}.weight", (out, into), out * into * rows)
    if bias:
        yield free(f"{name}.bias", out)


def product(macs: int) -> Part:
    """A matrix product of activations, as attention makes them."""
    return Part("", (), macs)
