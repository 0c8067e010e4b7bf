"""Network options -> NetworkFingerprint: the network is built and measured, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.arguments import nearest
from autocal_cli.network.builders import Builder, builders_for
from autocal_cli.network.built_in import BuiltIn
from autocal_cli.network.record import NAME_ANOTHER, NetworkFingerprint, Passed
from autocal_cli.network.sources import NetworkSources
from autocal_cli.network.spandrel_types import types_elsewhere

TYPE_RESEMBLANCE = 0.9  # the family's name alone must not make paragonsr2_pro look like paragonsr2_micro (0.87)


def fingerprint_network(
    network: NetworkOptions | None, scale: int | None, sources: NetworkSources | None = None
) -> NetworkFingerprint:
    """Build what `network_g` names at the config's `scale`, and measure it.

    A type that nobody here can build, or no network at all, is a fingerprint without numbers and with a finding.

    Raises:
        AutocalError: an argument or the scale that the network cannot take: where, what was found, what is accepted;
            or a source in `sources` that is not what it should be.
    """
    with builders_for(sources or NetworkSources(), scale) as builders:
        return measured_by(builders, network, scale)


def measured_by(builders: Sequence[Builder], network: NetworkOptions | None, scale: int | None) -> NetworkFingerprint:
    """As `fingerprint_network`, by builders that are at hand already."""
    if network is None:
        return NetworkFingerprint(type=None, scale=scale, findings=(_missing(),))
    return ask(builders, network, scale)


def ask(builders: Sequence[Builder], network: NetworkOptions, scale: int | None) -> NetworkFingerprint:
    """The fingerprint of the first builder that has one, with what those before it said."""
    passed: list[Passed] = []
    for builder in builders:
        answer = builder.measure(network, scale)
        if isinstance(answer, NetworkFingerprint):
            known = recognise_family(answer, network, scale)
            return replace(known, passed=tuple(passed), findings=(*known.findings, *_failures(network, passed)))
        passed.append(answer)
    findings = _failures(network, passed) or (_unknown(network, builders, passed),)
    return NetworkFingerprint(type=network.type, scale=scale, passed=tuple(passed), findings=findings)


def recognise_family(found: NetworkFingerprint, network: NetworkOptions, scale: int | None) -> NetworkFingerprint:
    """A network of foreign code with the family and variant that autocal knows it by, if it is the same network.

    A name alone says little: another commit of the trainer may build another network under it.
    """
    if found.family is not None:
        return found
    try:
        own = BuiltIn().measure(network, scale)
    except AutocalError:  # arguments that autocal's own doesn't take: then it is another network
        return found
    if not isinstance(own, NetworkFingerprint) or own.parameters is None or found.parameters is None:
        return found
    if own.parameters == found.parameters:
        return replace(found, family=own.family, variant=own.variant)
    message = (
        f"{network.type} of {found.builder} has {found.parameters:,} parameters, the one that autocal has by that name "
        f"{own.parameters:,}: it is placed by its parameters, not by its name."
    )
    finding = Finding("network-differs-from-name", "info", message, None, network.place)
    return replace(found, findings=(*found.findings, finding))


def _failures(network: NetworkOptions, passed: Sequence[Passed]) -> tuple[Finding, ...]:
    fix = "Its own error tells more when the trainer is started without autocal."
    return tuple(
        Finding("network-not-built", "warning", f"{who.builder} {who.reason}.", who.cure or fix, network.place)
        for who in passed
        if who.failed
    )


def _unknown(network: NetworkOptions, builders: Sequence[Builder], passed: Sequence[Passed]) -> Finding:
    for who in passed:
        if who.cure:  # it has the network: the name is right
            message = (
                f"no builder here can measure the network {network.type}, so its parameters and MACs are not known: "
                f"{who.builder} {who.reason}."
            )
            return Finding("network-unknown", "info", message, who.cure, network.place)
    known = () if network.type.lower() in types_elsewhere() else [t for builder in builders for t in builder.types()]
    near = nearest(network.type, known, TYPE_RESEMBLANCE)
    asked = ", ".join(builder.name for builder in builders)
    return Finding(
        code="network-unknown",
        severity="warning" if near else "info",  # of a network that is no mistake, network-not-measured says the rest
        message=f"no builder here knows the network {network.type} (asked: {asked}), so its parameters and MACs are "
        "not known.",
        fix=f"Did you mean {near!r}?" if near else NAME_ANOTHER,
        place=network.place,
    )


def _missing() -> Finding:
    return Finding(
        code="network-missing",
        severity="warning",
        message="the config names no network, so its parameters and MACs are not known.",
        fix="Add the network_g section that the trainer needs.",
    )
