"""Network options -> NetworkFingerprint: the network is built and measured, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import Finding
from autocal_cli.network.builders import Builder, builders_for
from autocal_cli.network.record import NetworkFingerprint, Passed
from autocal_cli.network.sources import NetworkSources


def fingerprint_network(
    network: NetworkOptions | None, scale: int | None, sources: NetworkSources | None = None
) -> NetworkFingerprint:
    """Build what `network_g` names at the config's `scale`, and measure it.

    A type that nobody here can build, or no network at all, is a fingerprint without numbers and with a finding.

    Raises:
        AutocalError: an argument or the scale that the network cannot take: where, what was found, what is accepted;
            or a source in `sources` that is not what it should be.
    """
    if network is None:
        return NetworkFingerprint(type=None, scale=scale, findings=(_missing(),))
    with builders_for(sources or NetworkSources(), scale) as builders:
        return ask(builders, network, scale)


def ask(builders: Sequence[Builder], network: NetworkOptions, scale: int | None) -> NetworkFingerprint:
    """The fingerprint of the first builder that has one, with what those before it said."""
    passed: list[Passed] = []
    for builder in builders:
        answer = builder.measure(network, scale)
        if isinstance(answer, NetworkFingerprint):
            return replace(answer, passed=tuple(passed))
        passed.append(Passed(builder.name, answer))
    found = (_unknown(network, passed),)
    return NetworkFingerprint(type=network.type, scale=scale, passed=tuple(passed), findings=found)


def _unknown(network: NetworkOptions, passed: Sequence[Passed]) -> Finding:
    told = " ".join(f"{who.builder}: {who.reason}" for who in passed)
    return Finding(
        code="network-unknown",
        severity="warning",
        message=f"nobody here can build the network {network.type}, so its parameters and MACs are not known. {told}",
        fix="Name the trainer with --trainer PATH, or a checkpoint of the network with --weights FILE.",
        place=network.place,
    )


def _missing() -> Finding:
    return Finding(
        code="network-missing",
        severity="warning",
        message="the config names no network, so its parameters and MACs are not known.",
        fix="Add the network_g section that the trainer needs.",
    )
