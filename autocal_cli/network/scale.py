"""The scale that a network is built at."""

from __future__ import annotations

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import Finding
from autocal_cli.network.arguments import place_of


def choose_scale(network: NetworkOptions, scale: int | None, default: int) -> tuple[int, tuple[Finding, ...]]:
    """The scale to build at: the config's `scale`, else the network's own argument, else the constructor's default.

    traiNNer-redux hands its top-level `scale` to the constructor, over whatever `network_g` says.
    """
    own = network.arguments.get("scale")
    if scale is not None:
        return scale, mismatch(network, scale)
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


def mismatch(network: NetworkOptions, scale: int) -> tuple[Finding, ...]:
    """The finding that a network's own scale is another than the config's, which is handed to it; or nothing."""
    own = network.arguments.get("scale")
    if not isinstance(own, int) or own == scale:
        return ()
    return (
        Finding(
            code="network-scale-mismatch",
            severity="warning",
            message=f"the config's scale is {scale}, the network's own {own}: the trainer builds at {scale}.",
            fix=f"Write the same scale in both places, or remove it from the network {network.type}.",
            place=place_of(network, "scale"),
        ),
    )
