"""Builders that answer from the packaged table: `Packaged` with what was measured, `Nearest` with what is near."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import Finding
from autocal_cli.network.arguments import in_words
from autocal_cli.network.model import NAME_ANOTHER, NetworkFingerprint, Passed
from autocal_cli.network.subprocess.client import argument_findings, count_findings
from autocal_cli.network.table import Found, Signature, all_types, look_up

NAME = "packaged table"


class Packaged:
    """What the trainers register by name, with the arguments that were measured. `trainer` is the config's."""

    name = NAME

    def __init__(self, trainer: str | None = None) -> None:
        self._trainer = trainer

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        """See `Builder.measure`."""
        found = find(self._trainer, network, scale)
        if found is None:
            return Passed(self.name, f"has no {network.type}")
        if not found.exact:
            return Passed(self.name, f"has {network.type}, but {_in_words(found)}")
        return _fingerprint(found, network, scale, tuple(_about(self._trainer, found, network, scale)))

    def types(self) -> tuple[str, ...]:
        return (*all_types("generator"), *all_types("discriminator"))

    def trouble(self) -> None:
        return None


class Nearest:
    """The entry of the same type that is nearest, for networks that nobody at hand could build; said as such."""

    name = f"nearest of the {NAME}"

    def __init__(self, trainer: str | None = None) -> None:
        self._trainer = trainer

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        """See `Builder.measure`."""
        found = find(self._trainer, network, scale)
        if found is None:
            return Passed(self.name, f"has no {network.type}")
        message = (
            f"nobody here could build {network.type} with these arguments; the nearest one that is known stands in, "
            f"with {_in_words(found)} ({found.entry.parameters:,} parameters)."
        )
        stands_in = Finding("network-nearest", "info", message, NAME_ANOTHER, network.place)
        findings = (stands_in, *_about(self._trainer, found, network, found.entry.scale))
        return _fingerprint(found, network, scale, findings)

    def types(self) -> tuple[str, ...]:
        """None of its own: what it has, `Packaged` names."""
        return ()

    def trouble(self) -> None:
        return None


def find(trainer: str | None, network: NetworkOptions, scale: int | None) -> Found | None:
    generator = look_up(trainer, network.type, network.arguments, scale)
    return generator or look_up(trainer, network.type, network.arguments, None, "discriminator")


def _fingerprint(
    found: Found, network: NetworkOptions, scale: int | None, findings: tuple[Finding, ...]
) -> NetworkFingerprint:
    entry = found.entry
    return NetworkFingerprint(
        type=network.type,
        scale=entry.scale or scale,
        parameters=entry.parameters,
        macs_per_pixel=entry.macs_per_pixel,
        builder=f"{NAME} ({found.signature.origin})",
        structure=entry.structure if found.exact else None,
        findings=findings,
    )


def _in_words(found: Found) -> str:
    """What the entry has instead: `dim 64 instead of 96 and scale 4 instead of 6`."""
    clauses = [f"{name} {in_words(has)} instead of {in_words(asked)}" for name, (asked, has) in found.differing.items()]
    return " and ".join(clauses)


def _about(trainer: str | None, found: Found, network: NetworkOptions, scale: int | None) -> Iterator[Finding]:
    """What is to be said of the arguments, where the constructor is the trainer's own, and of the count."""
    entry, signature = found.entry, found.signature
    if signature.origin.trainer == trainer:
        yield from check_arguments(network, signature)
    if entry.macs_per_pixel is None:
        counted: Mapping[str, Any] = {"uncounted": {"reason": "its forward pass did not run where the table was made"}}
    else:
        size = {"frames": entry.frames, "side": entry.side, "enlargement": entry.enlarges}
        counted = {"counted": size}
    yield from count_findings(network, scale, {"signature": {"scale": entry.scale}, **counted})


def check_arguments(network: NetworkOptions, signature: Signature) -> Iterator[Finding]:
    """Arguments that a constructor refuses, ignores, misses, or takes as another kind of value."""
    known = signature.arguments
    odd = [name for name in network.arguments if name not in known]
    accepted = {name: list(argument.kinds) or None for name, argument in known.items()}
    described = {"accepted": accepted, "swallows": signature.ignores}
    reached = {"rejected": [] if signature.ignores else odd, "swallowed": odd if signature.ignores else [], "inner": []}
    yield from argument_findings(network, str(signature.origin), described, reached)
    for name, argument in known.items():
        if argument.required and name not in network.arguments and name != "scale":
            message = f"the network {network.type} needs the argument {name!r}, and the trainer ends without it."
            yield Finding("network-argument-missing", "error", message, f"Write {name} in its section.", network.place)
