"""The discriminator's options -> its size: built where somebody can, else counted from what is known of the type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from autocal_cli.config.record import NetworkOptions, Value
from autocal_cli.errors import Finding
from autocal_cli.network.arguments import in_words, nearest, place_of
from autocal_cli.network.discriminators import COUNTS, KINDS, arguments_of
from autocal_cli.network.record import NetworkFingerprint

BUILDER = "built-in count"

Ask = Callable[[NetworkOptions], NetworkFingerprint]


def fingerprint_discriminator(network: NetworkOptions | None, ask: Ask) -> NetworkFingerprint | None:
    """What is known of the network that `network_d` names; None where a config names none.

    `ask` measures a network of the builders at hand. What cannot be told is a finding and no error: a discriminator's
    size bends a few values, and nothing more hangs on it.
    """
    if network is None:
        return None
    built = ask(network)
    if built.parameters is not None:
        about_arguments = tuple(found for found in built.findings if found.code == "network-argument-unknown")
        return replace(built, findings=about_arguments)
    count = COUNTS.get(network.type.lower())
    findings = (_unknown(network),) if count is None else _about_arguments(network)
    if count is None or findings:
        return NetworkFingerprint(network.type, findings=findings)
    return NetworkFingerprint(network.type, parameters=count(**network.arguments), builder=BUILDER)


def _about_arguments(network: NetworkOptions) -> tuple[Finding, ...]:
    """What the trainer would stop at, so that the size is not counted either."""
    accepted = arguments_of(network.type)
    return tuple(
        Finding("discriminator-argument", "warning", message, fix, place_of(network, name))
        for name, value in network.arguments.items()
        for message, fix in _wrong(network.type, name, value, accepted)
    )


def _wrong(type: str, name: str, value: Value, accepted: tuple[str, ...]) -> list[tuple[str, str]]:
    if name not in accepted:
        near = nearest(name, accepted)
        message = f"the discriminator {type} doesn't have the argument {name!r}; its size is not counted."
        return [(message, f"Did you mean {near!r}?" if near else f"It takes {', '.join(accepted)}.")]
    if not KINDS[name].accepts(value):
        message = f"the discriminator's argument {name!r} should be {KINDS[name].expected}. Found {in_words(value)}."
        return [(message, "Correct it; its size is not counted.")]
    return []


def _unknown(network: NetworkOptions) -> Finding:
    return Finding(
        code="discriminator-unknown",
        severity="info",
        message=f"nothing here knows the discriminator {network.type}, so the rules on its size change nothing.",
        place=network.place,
    )
