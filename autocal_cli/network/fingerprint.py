"""Network options -> NetworkFingerprint: the network is built without memory and measured, never guessed."""

from __future__ import annotations

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import Finding
from autocal_cli.network.arguments import nearest, place_of
from autocal_cli.network.builders import BUILDERS, Builder
from autocal_cli.network.macs import macs_per_pixel
from autocal_cli.network.record import NetworkFingerprint
from autocal_cli.network.structure import count_parameters, structure_hash

DEVIATION = 0.10  # of a registered variant's parameter count; chosen, untested
TYPE_RESEMBLANCE = 0.9  # the family's name alone must not make paragonsr2_pro look like paragonsr2_micro (0.87)


def fingerprint_network(network: NetworkOptions | None, scale: int | None) -> NetworkFingerprint:
    """Build what `network_g` names at the config's `scale`, and measure it.

    A type that nobody here can build, or no network at all, is a fingerprint without numbers and with a finding.

    Raises:
        AutocalError: an argument or the scale that the network cannot take: where, what was found, what is accepted.
    """
    if network is None:
        return NetworkFingerprint(type=None, scale=scale, findings=(_missing(),))
    builder = next((builder for builder in BUILDERS if builder.knows(network.type)), None)
    if builder is None:
        return NetworkFingerprint(type=network.type, scale=scale, findings=(_unknown(network),))

    findings = builder.check(network)
    built_scale, about_scale = choose_scale(network, scale, builder.default_scale)
    built = builder.build(network, built_scale)
    parameters, structure = count_parameters(built), structure_hash(built)
    registered = builder.variant(network.type)
    return NetworkFingerprint(
        type=network.type,
        family=builder.family(network.type),
        variant=registered or recognise(parameters, structure, network, built_scale, builder),
        scale=built_scale,
        parameters=parameters,
        macs_per_pixel=round(macs_per_pixel(built, builder.in_chans(network)), 1),
        builder=builder.name,
        structure=structure,
        findings=(
            *findings,
            *about_scale,
            *(_modified(network, registered, parameters, built_scale, builder) if registered else ()),
        ),
    )


def choose_scale(network: NetworkOptions, scale: int | None, default: int) -> tuple[int, tuple[Finding, ...]]:
    """The scale to build at: the config's `scale`, else the network's own argument, else the constructor's default.

    traiNNer-redux hands its top-level `scale` to the constructor, over whatever `network_g` says.
    """
    own = network.arguments.get("scale")
    if scale is not None:
        return scale, (_mismatch(network, own, scale),) if isinstance(own, int) and own != scale else ()
    if isinstance(own, int):
        return own, ()
    return default, (
        Finding(
            code="network-scale-default",
            severity="info",
            message=f"neither the config nor its network says the scale: {network.type} takes its default, {default}.",
            fix="Write the scale at the top level of the config.",
            place=network.place,
        ),
    )


def recognise(parameters: int, structure: str, network: NetworkOptions, scale: int, builder: Builder) -> str | None:
    """The variant of the network's family that has this structure at this scale, if one has."""
    for variant in builder.variants(network.type):
        candidate = builder.build_variant(network.type, variant, scale)
        if count_parameters(candidate) == parameters and structure_hash(candidate) == structure:
            return variant
    return None


def _modified(
    network: NetworkOptions, variant: str, parameters: int, scale: int, builder: Builder
) -> tuple[Finding, ...]:
    usual = count_parameters(builder.build_variant(network.type, variant, scale))
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


def _mismatch(network: NetworkOptions, own: int, scale: int) -> Finding:
    return Finding(
        code="network-scale-mismatch",
        severity="warning",
        message=f"the config's scale is {scale}, the network's own {own}: the trainer builds at {scale}.",
        fix=f"Write the same scale in both places, or remove it from the network {network.type}.",
        place=place_of(network, "scale"),
    )


def _unknown(network: NetworkOptions) -> Finding:
    types = [type for builder in BUILDERS for type in builder.types]
    near = nearest(network.type, types, TYPE_RESEMBLANCE)
    return Finding(
        code="network-unknown",
        severity="warning",
        message=f"no builder here knows the network {network.type}, so its parameters and MACs are not known.",
        fix=f"Did you mean {near!r}?" if near else f"Known here: {', '.join(types)}.",
        place=network.place,
    )


def _missing() -> Finding:
    return Finding(
        code="network-missing",
        severity="warning",
        message="the config names no network, so its parameters and MACs are not known.",
        fix="Add the network_g section that the trainer needs.",
    )
