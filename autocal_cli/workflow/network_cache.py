"""Networks built once for many configs: what is measured depends on the options alone, not on where they stand."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from autocal_cli.config.record import NetworkOptions, TrainingConfig
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.network.record import NetworkFingerprint
from autocal_cli.network.sources import NetworkSources

if TYPE_CHECKING:
    from autocal_cli.network.builders import Builder

Outcome = tuple[NetworkFingerprint | None, tuple[Finding, ...]]


class NetworkCache:
    """Fingerprints by network options and scale, within one command. Foreign processes end with the `with` block."""

    def __init__(self, sources: NetworkSources) -> None:
        self._sources = sources
        self._open = ExitStack()
        self._builders: dict[tuple[int | None, str], tuple[Builder, ...]] = {}
        self._known: dict[str, Outcome] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def measure(self, config: TrainingConfig) -> Outcome:
        """The fingerprint of a config's network and what is to be said of it, with the places of this config.

        None where there is no network, or where its options are such that none can be built.
        """
        network = config.network
        if network is None:
            return None, ()
        key = repr((network.type.lower(), network.type, sorted(network.arguments.items(), key=repr), config.scale, config.trainer))
        if key not in self._known:
            self._known[key] = _measure(self._builders_for(config), _nowhere(network), config.scale)
        fingerprint, findings = self._known[key]
        return fingerprint, tuple(_placed(finding, network) for finding in findings)

    def _builders_for(self, config: TrainingConfig) -> tuple[Builder, ...]:
        """By scale, since neosr's architectures read it as they are imported, and by what the config is written for."""
        from autocal_cli.network.builders import builders_for

        key = config.scale, config.trainer
        if key not in self._builders:
            sources = replace(self._sources, written_for=config.trainer)
            self._builders[key] = self._open.enter_context(builders_for(sources, config.scale))
        return self._builders[key]


def _measure(builders: tuple[Builder, ...], network: NetworkOptions, scale: int | None) -> Outcome:
    from autocal_cli.network.fingerprint import ask

    try:
        fingerprint = ask(builders, network, scale)
        return fingerprint, fingerprint.findings
    except AutocalError as error:
        return _as_registered(builders, network, scale), _rejections(builders, network, scale, error)


def _as_registered(
    builders: tuple[Builder, ...], network: NetworkOptions, scale: int | None
) -> NetworkFingerprint | None:
    """What a fixed variant is whatever its arguments say, so that one of them hides no other mistake in the config."""
    from autocal_cli.network.fingerprint import ask

    try:
        found = ask(builders, replace(network, arguments={}), scale)
    except AutocalError:  # the scale itself
        return None
    return found if found.variant else None


def _rejections(
    builders: tuple[Builder, ...], network: NetworkOptions, scale: int | None, first: AutocalError
) -> tuple[Finding, ...]:
    """What is to be said of each argument by itself; where that is nothing, what was refused in all."""
    from autocal_cli.network.fingerprint import ask

    findings: list[Finding] = []
    for name, value in network.arguments.items():
        try:
            alone = ask(builders, replace(network, arguments={name: value}), scale)
            findings += (finding for finding in alone.findings if finding.code == "network-argument-unknown")
        except AutocalError as error:
            findings.append(_rejection(error))
    rejected = any(finding.code == "network-rejected" for finding in findings)
    return tuple(dict.fromkeys(findings)) if rejected else (_rejection(first), *findings)


def _rejection(error: AutocalError) -> Finding:
    return Finding("network-rejected", "error", error.message, error.fix, error.place)


def _nowhere(network: NetworkOptions) -> NetworkOptions:
    """The same options, with their names for places."""
    return replace(network, place=Place(""), argument_places={name: Place(name) for name in network.argument_places})


def _placed(finding: Finding, network: NetworkOptions) -> Finding:
    if finding.place is None:
        return replace(finding, place=network.place)
    return replace(finding, place=network.argument_places.get(finding.place.path, network.place))
