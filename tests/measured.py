"""One network, measured by the builders at hand."""

from __future__ import annotations

from autocal_cli.config.model import NetworkOptions
from autocal_cli.network.fingerprint import ask, builders_for
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.sources import NetworkSources


def fingerprint_network(
    network: NetworkOptions | None, scale: int | None, sources: NetworkSources | None = None
) -> NetworkFingerprint:
    with builders_for(sources or NetworkSources(), scale) as builders:
        return ask(builders, network, scale)
