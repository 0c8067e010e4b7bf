"""What there is to tell of a network that foreign code built: its arguments, its scale, how its MACs were counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autocal_cli.config.record import NetworkOptions, Value
from autocal_cli.errors import Finding
from autocal_cli.network.arguments import in_words, nearest, place_of
from autocal_cli.network.layers import SIDE
from autocal_cli.network.scale import mismatch

KIND_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "none": "nothing",
    "list": "a list",
    "dict": "a mapping",
}


def argument_findings(
    network: NetworkOptions,
    builder: str,
    signature: Mapping[str, Any],
    built: Mapping[str, Any],
) -> Iterator[Finding]:
    """Arguments that the constructor refused, let fall or takes as another type."""
    accepted = dict.fromkeys([*signature["accepted"], *(built["inner"] if signature["swallows"] else ())])
    free = [name for name in accepted if name not in network.arguments]
    for name in built["rejected"]:
        if name in network.arguments:
            yield _unknown(network, builder, name, free, "error", "and refuses it")
        else:
            message = f"{builder} hands the config's scale to {network.type}, which doesn't take {name!r}."
            yield Finding("network-scale-refused", "error", message, None, network.place)
    for name in built["swallowed"]:
        if name in network.arguments:
            yield _unknown(network, builder, name, free, "warning", "and ignores it")
    for name, value in network.arguments.items():
        kinds = signature["accepted"].get(name)
        if kinds and not _is_one(value, kinds):
            expected = " or ".join(dict.fromkeys(word for kind in kinds for word in _words(kind)))
            message = f"the network argument {name!r} should be {expected}. Found {in_words(value)}."
            yield Finding("network-argument-type", "warning", message, None, place_of(network, name))


def _unknown(
    network: NetworkOptions, builder: str, name: str, free: Sequence[str], severity: Any, does: str
) -> Finding:
    near = nearest(name, free)
    takes = f" {network.type} takes {', '.join(free)}." if free else ""
    return Finding(
        code="network-argument-unknown",
        severity=severity,
        message=f"the network {network.type} of {builder} doesn't have the argument {name!r} {does}: "
        "the network was measured without it.",
        fix=f"Did you mean {near!r}?" if near else f"Remove it.{takes}",
        place=place_of(network, name),
    )


def lacking_in_words(network: NetworkOptions, lacking: Mapping[str, Any]) -> str:
    """Why a builder that knows the network cannot follow its arguments: one clause."""
    free = [name for name in lacking["takes"] if name not in network.arguments]
    clauses = [_clause(name, values, free) for name, values in lacking["arguments"]]
    return f"has {network.type}, but {' and '.join(clauses)}"


def _clause(name: str, values: Sequence[Value], free: Sequence[str]) -> str:
    if values:
        shown = (repr(value) if isinstance(value, str) else in_words(value) for value in values)
        return f"only with {name} {' or '.join(shown)}"
    near = nearest(name, free)
    return f"not its argument {name!r}" + (f" (did you mean {near!r}?)" if near else "")


def _words(kind: str | Sequence[Any]) -> list[str]:
    return [KIND_WORDS[kind]] if isinstance(kind, str) else [in_words(choice) for choice in kind[1:]]


def _is_one(value: Value, kinds: Sequence[Any]) -> bool:
    return any(_is(value, kind) for kind in kinds)


def _is(value: Value, kind: str | Sequence[Any]) -> bool:
    if not isinstance(kind, str):
        return value in kind[1:]
    if isinstance(value, bool) or value is None:
        return kind == ("none" if value is None else "bool")
    return isinstance(value, {"int": int, "float": float, "str": str, "list": list, "dict": dict}.get(kind, ()))


def count_findings(
    network: NetworkOptions, scale: int | None, replies: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    """How the MACs were counted, where it was not as usual; and a scale that is not the config's."""
    counted = replies.get("counted")
    if replies["signature"]["scale"] == scale and scale is not None:  # handed over
        yield from mismatch(network, scale)
    if counted is None:
        reason = (replies.get("uncounted") or replies["failed"])["reason"]
        message = f"the MACs of {network.type} could not be counted: {reason}."
        yield Finding("network-macs-unknown", "info", message, None, network.place)
        return
    if counted["frames"]:
        message = f"{network.type} takes clips: its MACs were counted for {counted['frames']} frames, one of them made."
        yield Finding("network-takes-clips", "info", message, None, network.place)
    if counted["side"] != SIDE:
        message = f"{network.type} refuses {SIDE} x {SIDE} pixels: its MACs were counted at {counted['side']}."
        yield Finding("network-macs-side", "info", message, None, network.place)
    enlargement = counted["enlargement"]
    if scale is not None and enlargement is not None and enlargement != scale:
        message = f"the config's scale is {scale}, but {network.type} as built enlarges {enlargement:g} times."
        fix = "Give the network the scale in the argument that it has for that."
        yield Finding("network-scale-differs", "warning", message, fix, network.place)
