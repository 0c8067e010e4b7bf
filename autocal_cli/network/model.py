"""NetworkFingerprint: what was measured of the network that a config names."""

from __future__ import annotations

from dataclasses import dataclass

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
