"""Builds the ParagonSR2 networks that a config names, out of autocal's own implementation."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.arguments import check_arguments, check_values, place_of
from autocal_cli.network.paragonsr2 import ParagonSR2, build_variant
from autocal_cli.network.paragonsr2_arguments import ARGUMENTS, DEFAULT_SCALE
from autocal_cli.network.paragonsr2_variants import VARIANTS

TYPES = ("ParagonSR2", *(f"paragonsr2_{variant}" for variant in VARIANTS))
VARIANT_OF = dict(zip((type.lower() for type in TYPES), (None, *VARIANTS), strict=True))


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
        variant = self.variant(network.type)
        # The trainer swallows unknown arguments of both; of a variant it drops most of the class's own, too.
        accepted = tuple(ARGUMENTS) if variant is None else VARIANTS[variant].accepted
        findings = check_arguments(network, accepted, swallows=variant is None)
        check_values(network, ARGUMENTS)
        return findings

    def in_chans(self, network: NetworkOptions) -> int:
        chans = network.arguments.get("in_chans", 3)
        assert isinstance(chans, int)
        return chans

    def build(self, network: NetworkOptions, scale: int) -> nn.Module:
        if not ARGUMENTS["scale"].accepts(scale):
            raise AutocalError(
                f"the network {network.type} is made for scale {ARGUMENTS['scale'].expected}. Found scale {scale}.",
                place=place_of(network, "scale"),
            )
        variant = self.variant(network.type)
        # Checked against ARGUMENTS before, hence of the right types.
        arguments: dict[str, object] = {name: v for name, v in network.arguments.items() if name in ARGUMENTS}
        arguments["scale"] = scale
        with torch.device("meta"):
            if variant is None:
                return ParagonSR2(**arguments)  # type: ignore[arg-type]
            return build_variant(variant, **arguments)  # type: ignore[arg-type]

    def variants(self, type: str) -> Collection[str]:  # noqa: ARG002
        return tuple(VARIANTS)

    def build_variant(self, type: str, variant: str, scale: int) -> nn.Module:  # noqa: ARG002
        with torch.device("meta"):
            return build_variant(variant, scale)
