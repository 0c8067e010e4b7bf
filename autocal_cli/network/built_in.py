"""The builder of the families that autocal has itself: in milliseconds, without torch, with their variants."""

from __future__ import annotations

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import Finding
from autocal_cli.network.families import FAMILIES, Family
from autocal_cli.network.layers import Sizes
from autocal_cli.network.record import NetworkFingerprint, Passed
from autocal_cli.network.scale import choose_scale

DEVIATION = 0.10  # of a registered variant's parameter count; chosen, untested


class BuiltIn:
    """autocal's own implementations, for which it knows every argument and variant."""

    name = "built-in"

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        """See `Builder.measure`. Raises AutocalError for an argument or a scale that the network cannot take."""
        family = next((family for family in FAMILIES if family.knows(network.type)), None)
        if family is None:
            return Passed(self.name, f"has no {network.type}")
        return _measure(network, scale, family)

    def types(self) -> tuple[str, ...]:
        return tuple(type for family in FAMILIES for type in family.types)

    def trouble(self) -> None:
        return None


def _measure(network: NetworkOptions, scale: int | None, family: Family) -> NetworkFingerprint:
    findings = family.check(network)
    built_scale, about_scale = choose_scale(network, scale, family.default_scale)
    sizes = family.sizes(network, built_scale)
    registered = family.variant(network.type)
    return NetworkFingerprint(
        type=network.type,
        family=family.family(network.type),
        variant=registered or recognise(sizes, network, built_scale, family),
        scale=built_scale,
        parameters=sizes.parameters,
        macs_per_pixel=round(sizes.macs_per_pixel, 1),
        builder=family.name,
        structure=sizes.structure,
        findings=(
            *findings,
            *about_scale,
            *(_modified(network, registered, sizes.parameters, built_scale, family) if registered else ()),
        ),
    )


def recognise(sizes: Sizes, network: NetworkOptions, scale: int, family: Family) -> str | None:
    """The variant of the network's family that has this structure at this scale, if one has."""
    for variant in family.variants(network.type):
        if family.variant_sizes(variant, scale).structure == sizes.structure:
            return variant
    return None


def _modified(
    network: NetworkOptions, variant: str, parameters: int, scale: int, family: Family
) -> tuple[Finding, ...]:
    usual = family.variant_sizes(variant, scale).parameters
    if abs(parameters - usual) <= DEVIATION * usual:
        return ()
    return (
        Finding(
            code="network-variant-modified",
            severity="warning",
            message=f"the switches of {network.type} make {parameters:,} parameters; the variant {variant!r} "
            f"has {usual:,} at scale {scale} ({parameters / usual - 1:+.0%}).",
            fix="Remove the switches, or expect values chosen for the variant to fit less well.",
            place=network.place,
        ),
    )
