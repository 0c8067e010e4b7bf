"""Builds the ParagonSR2 networks of both generations that a config names, out of autocal's own implementation."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network import paragonsr2_second_arguments as second
from autocal_cli.network.arguments import check_arguments, check_values, place_of
from autocal_cli.network.paragonsr2 import ParagonSR2, build_variant
from autocal_cli.network.paragonsr2_arguments import ARGUMENTS, DEFAULT_SCALE
from autocal_cli.network.paragonsr2_generations import about_generation, check_second, is_second
from autocal_cli.network.paragonsr2_second import SecondParagonSR2, build_second_variant
from autocal_cli.network.paragonsr2_variants import VARIANTS

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

    def build(self, network: NetworkOptions, scale: int, device: str = "meta") -> nn.Module:
        if not ARGUMENTS["scale"].accepts(scale):
            raise AutocalError(
                f"the network {network.type} is made for scale {ARGUMENTS['scale'].expected}. Found scale {scale}.",
                place=place_of(network, "scale"),
            )
        variant = self.variant(network.type)
        known = second.ARGUMENTS if is_second(network) else ARGUMENTS
        # Checked against these before, hence of the right types.
        arguments: dict[str, object] = {name: v for name, v in network.arguments.items() if name in known}
        arguments["scale"] = scale
        try:
            with torch.device(device):
                if variant is not None:
                    return _variant(variant, **arguments)
                return (SecondParagonSR2 if is_second(network) else ParagonSR2)(**arguments)  # type: ignore[arg-type]
        except ValueError as error:  # values that are fine each by itself, but not together
            place = place_of(network, str(error).split()[0])
            raise AutocalError(f"the network argument {error}.", place=place) from None

    def variants(self, type: str) -> Collection[str]:
        if self.variant(type) is None:
            return (*VARIANTS, *second.VARIANTS)
        return tuple(second.VARIANTS if type.lower().removeprefix("paragonsr2_") in second.VARIANTS else VARIANTS)

    def build_variant(self, type: str, variant: str, scale: int) -> nn.Module:  # noqa: ARG002
        with torch.device("meta"):
            return _variant(variant, scale=scale)


def _variant(variant: str, **arguments: object) -> nn.Module:
    """A registered variant of either generation."""
    if variant in second.VARIANTS:
        return build_second_variant(variant, **arguments)  # type: ignore[arg-type]
    return build_variant(variant, **arguments)  # type: ignore[arg-type]
