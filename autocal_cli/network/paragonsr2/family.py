"""The ParagonSR2 networks of both generations as a family: types, arguments, variants, construction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.arguments import check_arguments, check_values, place_of
from autocal_cli.network.paragonsr2.options import (
    ARGUMENTS,
    DEFAULT_SCALE,
    SECOND_ARGUMENTS,
    SECOND_VARIANTS,
    VARIANTS,
    about_generation,
    check_second,
    is_second,
)

if TYPE_CHECKING:
    from torch import nn


TYPES = ("ParagonSR2", *(f"paragonsr2_{variant}" for variant in (*VARIANTS, *SECOND_VARIANTS)))
VARIANT_OF = dict(zip((type.lower() for type in TYPES), (None, *VARIANTS, *SECOND_VARIANTS), strict=True))


class BuiltInParagonSR2:
    """autocal's own ParagonSR2 networks; types are compared as the trainer compares them, whatever their case."""

    name = "built-in"
    default_scale = DEFAULT_SCALE
    types: Collection[str] = TYPES

    def knows(self, type: str) -> bool:
        return type.lower() in VARIANT_OF

    def family(self, type: str) -> str | None:  # noqa: ARG002
        return "paragonsr2"

    def variant(self, type: str) -> str | None:
        return VARIANT_OF[type.lower()]

    def check(self, network: NetworkOptions) -> tuple[Finding, ...]:
        if is_second(network):
            return (*check_second(network), *about_generation(network))
        variant = self.variant(network.type)
        # The trainer swallows unknown arguments of both; of a variant it drops most of the class's own, too.
        accepted = tuple(ARGUMENTS) if variant is None else VARIANTS[variant].accepted
        findings = check_arguments(network, accepted, swallows=variant is None)
        check_values(network, ARGUMENTS)
        return (*findings, *about_generation(network))

    def in_chans(self, network: NetworkOptions) -> int:
        chans = network.arguments.get("in_chans", 3)
        assert isinstance(chans, int)
        return chans

    def build(self, network: NetworkOptions, scale: int, device: str = "meta") -> nn.Module:
        import torch  # takes a second: only who runs the network waits for it

        from autocal_cli.network.paragonsr2.first import ParagonSR2
        from autocal_cli.network.paragonsr2.second import SecondParagonSR2

        with _place_of_misfits(network), torch.device(device):
            return (SecondParagonSR2 if is_second(network) else ParagonSR2)(**self._arguments(network, scale))

    def _arguments(self, network: NetworkOptions, scale: int) -> dict[str, Any]:
        """All that the class is given: by the registered variant, then by the config."""
        if not ARGUMENTS["scale"].accepts(scale):
            raise AutocalError(
                f"the network {network.type} is made for scale {ARGUMENTS['scale'].expected}. Found scale {scale}.",
                place=place_of(network, "scale"),
            )
        known = SECOND_ARGUMENTS if is_second(network) else ARGUMENTS
        # Checked against these before, hence of the right types.
        own = {name: value for name, value in network.arguments.items() if name in known}
        return {**_defaults(self.variant(network.type)), **own, "scale": scale}

    def variants(self, type: str) -> Collection[str]:
        if self.variant(type) is None:
            return (*VARIANTS, *SECOND_VARIANTS)
        return tuple(SECOND_VARIANTS if type.lower().removeprefix("paragonsr2_") in SECOND_VARIANTS else VARIANTS)

    def build_variant(self, variant: str, scale: int) -> nn.Module:
        import torch

        from autocal_cli.network.paragonsr2.first import build_variant
        from autocal_cli.network.paragonsr2.second import build_second_variant

        with torch.device("meta"):
            return (build_second_variant if variant in SECOND_VARIANTS else build_variant)(variant, scale)


def _defaults(variant: str | None) -> Mapping[str, Any]:
    """What a registered variant of either generation hands to its class; nothing for the class itself."""
    if variant is None:
        return {}
    return SECOND_VARIANTS[variant] if variant in SECOND_VARIANTS else VARIANTS[variant].arguments()


@contextmanager
def _place_of_misfits(network: NetworkOptions) -> Iterator[None]:
    """Values that are fine each by itself, but not together: told with the place of the argument."""
    try:
        yield
    except ValueError as error:
        place = place_of(network, str(error).split()[0])
        raise AutocalError(f"the network argument {error}.", place=place) from None
