"""The architecture families whose sizes autocal knows by itself, without torch, with all their variants.

Another family is one file and one row of FAMILIES.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import Finding
from autocal_cli.network.layers import Sizes
from autocal_cli.network.paragonsr2_builder import BuiltInParagonSR2

if TYPE_CHECKING:
    from torch import nn


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

    def sizes(self, network: NetworkOptions, scale: int) -> Sizes:
        """The sizes of the network, every argument in force. `network` has passed `check`.

        Raises AutocalError where the network is not made for `scale`.
        """

    def in_chans(self, network: NetworkOptions) -> int:
        """Channels of the image that the network takes."""

    def build(self, network: NetworkOptions, scale: int, device: str = "meta") -> nn.Module:
        """The network itself, of just these sizes; needs torch. Raises as `sizes` does."""

    def variants(self, type: str) -> Collection[str]:
        """The variants of a type's family, smallest first."""

    def variant_sizes(self, variant: str, scale: int) -> Sizes:
        """Those of a variant of the family with its default switches."""


# In order: the first that knows the type measures it.
FAMILIES: tuple[Family, ...] = (BuiltInParagonSR2(),)
