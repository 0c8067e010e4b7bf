"""The architecture families that autocal builds itself, in this process, with all their variants.

Another family is one file and one row of FAMILIES.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from torch import nn

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import Finding
from autocal_cli.network.paragonsr2_builder import BuiltInParagonSR2


class Family(Protocol):
    """A family of networks. `name` is reported, `default_scale` is the constructors' own, `types` serve did-you-mean.

    Every method but `knows` may count on a type that `knows` is true of.
    """

    name: str
    default_scale: int
    types: Collection[str]

    def knows(self, type: str) -> bool:
        """Whether this family holds what a trainer registers under `type`. Never guesses from parts of a name."""

    def family(self, type: str) -> str | None:
        """The architecture family, or None where it cannot be told."""

    def variant(self, type: str) -> str | None:
        """The variant that a known type is registered as; None for a class whose arguments decide."""

    def check(self, network: NetworkOptions) -> tuple[Finding, ...]:
        """Findings about the arguments of a type. Raises AutocalError where they cannot stand."""

    def in_chans(self, network: NetworkOptions) -> int:
        """Channels of the image that the network takes."""

    def build(self, network: NetworkOptions, scale: int, device: str = "meta") -> nn.Module:
        """The network; on the meta device, with no memory and no weights. `network` has passed `check`.

        Raises AutocalError where the network is not made for `scale`.
        """

    def variants(self, type: str) -> Collection[str]:
        """The variants of a type's family, smallest first."""

    def build_variant(self, type: str, variant: str, scale: int) -> nn.Module:
        """A variant of the family with its default switches, on the meta device."""


# In order: the first that knows the type builds it.
FAMILIES: tuple[Family, ...] = (BuiltInParagonSR2(),)
