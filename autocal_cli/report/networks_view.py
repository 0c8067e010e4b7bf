"""The networks that can be built here, as a table and as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from autocal_cli.config.record import Value
from autocal_cli.network.record import NetworkFingerprint
from autocal_cli.report.as_json import FORMAT_VERSION, finding_json
from autocal_cli.report.output import one_line


def networks_view(found: Sequence[NetworkFingerprint]) -> list[RenderableType]:
    """One line a network; those that could not be built follow with the reason."""
    built = [network for network in found if network.parameters is not None]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("network", no_wrap=True)
    for name in ("parameters", "MACs per pixel"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("builder", no_wrap=True)
    for network in built:
        table.add_row(
            one_line(network.type or ""), _number(network.parameters), _number(network.macs_per_pixel), network.builder
        )
    parts: list[RenderableType] = [table] if built else []
    for network in found:
        if network.parameters is None:
            reasons = " ".join(finding.message for finding in network.findings)
            parts.append(Text(one_line(f"{network.type}: {reasons}"), style="dim"))
    return parts


def troubles_view(troubles: Iterable[str]) -> list[Text]:
    """What keeps a builder from building more, one line each."""
    return [Text(one_line(trouble), style="dim") for trouble in troubles]


def networks_json(found: Iterable[NetworkFingerprint], scale: int) -> dict[str, Value]:
    return {
        "format_version": FORMAT_VERSION,
        "scale": scale,
        "networks": [
            {
                "type": network.type,
                "builder": network.builder,
                "family": network.family,
                "variant": network.variant,
                "parameters": network.parameters,
                "macs_per_pixel": network.macs_per_pixel,
                "findings": [finding_json(finding) for finding in network.findings],
            }
            for network in found
        ],
    }


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.0f}"
