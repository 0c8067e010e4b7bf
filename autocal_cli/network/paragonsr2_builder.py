"""Measures the ParagonSR2 networks of both generations that a config names, layer by layer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network import paragonsr2_second_arguments as second
from autocal_cli.network.arguments import check_arguments, check_values, place_of
from autocal_cli.network.layers import Sizes, sizes_of
from autocal_cli.network.paragonsr2_arguments import ARGUMENTS, DEFAULT_SCALE
from autocal_cli.network.paragonsr2_generations import about_generation, check_second, is_second
from autocal_cli.network.paragonsr2_layers import first_layers
from autocal_cli.network.paragonsr2_second_layers import second_layers
from autocal_cli.network.paragonsr2_variants import VARIANTS

if TYPE_CHECKING:
    from torch import nn

TYPES = ("ParagonSR2", *(f"paragonsr2_{variant}" for variant in (*VARIANTS, *second.VARIANTS)))
VARIANT_OF = dict(zip((type.lower() for type in TYPES), (None, *VARIANTS, *second.VARIANTS), strict=True))


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

    def sizes(self, network: NetworkOptions, scale: int) -> Sizes:
        with _place_of_misfits(network):
            return sizes_of((second_layers if is_second(network) else first_layers)(**self._arguments(network, scale)))

    def build(self, network: NetworkOptions, scale: int, device: str = "meta") -> nn.Module:
        import torch  # takes a second: only who runs the network waits for it

        from autocal_cli.network.paragonsr2 import ParagonSR2
        from autocal_cli.network.paragonsr2_second import SecondParagonSR2

        with _place_of_misfits(network), torch.device(device):
            return (SecondParagonSR2 if is_second(network) else ParagonSR2)(**self._arguments(network, scale))

    def _arguments(self, network: NetworkOptions, scale: int) -> dict[str, Any]:
        """All that the class is given: by the registered variant, then by the config."""
        if not ARGUMENTS["scale"].accepts(scale):
            raise AutocalError(
                f"the network {network.type} is made for scale {ARGUMENTS['scale'].expected}. Found scale {scale}.",
                place=place_of(network, "scale"),
            )
        known = second.ARGUMENTS if is_second(network) else ARGUMENTS
        # Checked against these before, hence of the right types.
        own = {name: value for name, value in network.arguments.items() if name in known}
        return {**_defaults(self.variant(network.type)), **own, "scale": scale}

    def variants(self, type: str) -> Collection[str]:
        if self.variant(type) is None:
            return (*VARIANTS, *second.VARIANTS)
        return tuple(second.VARIANTS if type.lower().removeprefix("paragonsr2_") in second.VARIANTS else VARIANTS)

    def variant_sizes(self, variant: str, scale: int) -> Sizes:
        layers = second_layers if variant in second.VARIANTS else first_layers
        return sizes_of(layers(**{**_defaults(variant), "scale": scale}))


def _defaults(variant: str | None) -> Mapping[str, Any]:
    """What a registered variant of either generation hands to its class; nothing for the class itself."""
    if variant is None:
        return {}
    return second.VARIANTS[variant] if variant in second.VARIANTS else VARIANTS[variant].arguments()


@contextmanager
def _place_of_misfits(network: NetworkOptions) -> Iterator[None]:
    """Values that are fine each by itself, but not together: told with the place of the argument."""
    try:
        yield
    except ValueError as error:
        place = place_of(network, str(error).split()[0])
        raise AutocalError(f"the network argument {error}.", place=place) from None
