"""What was measured of the network that a config names, and who may say it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import Finding

SIDE = 64  # pixels at which MACs are counted: window attention makes the cost a pixel depend on the size

NAME_ANOTHER = (
    "Name the trainer with --trainer DIR or AUTOCAL_TRAINER, or a checkpoint of the network with --weights FILE."
)


@dataclass(frozen=True, slots=True)
class Passed:
    """A builder that was asked and could not say, and why: one clause.

    `failed`: it would have known the network, or could not be used at all; else it has no network of that type.
    `cure` is what would let it speak.
    """

    builder: str
    reason: str
    failed: bool = False
    cure: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkFingerprint:
    """A network, built and measured; never guessed from its name.

    `variant` is set only when the type or the built structure is a known variant of `family`. `parameters` counts all
    of them, frozen ones included, as a checkpoint holds them; `macs_per_pixel` counts multiply-accumulates per input
    pixel at 64x64. Both are None when nothing could build the network; `builder` then is None too and `findings` says
    why. `structure` is a SHA-256 over the names and shapes of all parameters. `passed` are the builders that were asked
    before, in order. `discriminator` is the network that a generator is trained against, None where the
    config names none.
    """

    type: str | None
    family: str | None = None
    variant: str | None = None
    scale: int | None = None
    parameters: int | None = None
    macs_per_pixel: float | None = None
    builder: str | None = None
    structure: str | None = None
    findings: tuple[Finding, ...] = ()
    passed: tuple[Passed, ...] = ()
    discriminator: NetworkFingerprint | None = None


class Builder(ABC):
    """One who may know a network; another one is a class and its place in `fingerprint.builders_for`. `name` is
    reported."""

    name: str

    @abstractmethod
    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        """What was measured of a network, or why this builder cannot say.

        `scale` is the config's own, None where it doesn't say. Raises AutocalError where the network is known and its
        arguments cannot stand.
        """

    def types(self) -> tuple[str, ...]:
        """What it can build by name; empty where it cannot tell."""
        return ()

    def trouble(self) -> str | None:
        """Why it can build less than it should, or None."""
        return None

    def close(self) -> None:  # noqa: B027
        """Ends its process, if it has one."""
