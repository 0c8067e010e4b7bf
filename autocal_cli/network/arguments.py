"""The keyword arguments of a network, compared with what its constructor has and accepts."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from autocal_cli.config.record import NetworkOptions, Value
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.network.kinds import Kind

# A shared beginning is not a resemblance: num_grow_ch is to num_groups at 0.67, num_block to num_blocks at 0.95.
RESEMBLANCE = 0.75


def check_arguments(network: NetworkOptions, accepted: Collection[str], swallows: bool) -> tuple[Finding, ...]:
    """One warning `network-argument-unknown` for every argument that the constructor doesn't have.

    `accepted` are the constructor's arguments; `scale` is always one. Where `swallows` is True, unknown ones are
    reported beside the result: the constructor builds what it would have built without them. Where it is False they
    stop the command: whoever gives arguments to a fixed variant believes to train another network than that one.

    Raises:
        AutocalError: there are unknown arguments and `swallows` is False; all of them are named in one line.
    """
    known = {*accepted, "scale"}
    unknown = [name for name in network.arguments if name not in known]
    free = [name for name in accepted if name not in network.arguments]
    if unknown and not swallows:
        names = ", ".join(repr(name) for name in unknown)
        raise AutocalError(
            f"the network {network.type} doesn't have the argument{'s' * (len(unknown) > 1)} {names}: "
            "the variant would be trained as it is registered, whatever is written here.",
            place=place_of(network, unknown[0]),
            fix=" ".join(_cure(name, free, len(unknown) > 1) for name in unknown) + f" It takes {', '.join(accepted)}.",
        )
    return tuple(
        Finding(
            code="network-argument-unknown",
            severity="warning",
            message=f"the network {network.type} doesn't have the argument {name!r}, and the trainer ignores it: "
            "the network is built as if it were not there.",
            fix=_cure(name, free) + ("" if nearest(name, free) else f" {network.type} takes {', '.join(accepted)}."),
            place=place_of(network, name),
        )
        for name in unknown
    )


def check_values(network: NetworkOptions, kinds: Mapping[str, Kind]) -> None:
    """Compare the value of every argument that has a kind with that kind.

    Raises:
        AutocalError: the first value that the constructor would reject: what it should be, what was found and where.
    """
    for name, value in network.arguments.items():
        if name in kinds and not kinds[name].accepts(value):
            raise AutocalError(
                f"the network argument {name!r} should be {kinds[name].expected}. Found {in_words(value)}.",
                place=place_of(network, name),
                fix=_correction(value, kinds[name]),
            )


def place_of(network: NetworkOptions, name: str) -> Place:
    """Where an argument stands, or where the network does when that isn't known."""
    return network.argument_places.get(name, network.place)


def nearest(name: str, candidates: Collection[str], resemblance: float = RESEMBLANCE) -> str | None:
    """The candidate most like a misspelt name, whatever the case, or None when none is like it.

    `resemblance` in 0..1 is the least ratio of difflib's SequenceMatcher that counts.
    """
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=resemblance)
    return by_lower[found[0]] if found else None


def _cure(name: str, candidates: Collection[str], among_others: bool = False) -> str:
    near = nearest(name, candidates)
    if near is None:
        return f"Remove {repr(name) if among_others else 'it'}."
    return f"Did you mean {near!r}{f' instead of {name!r}' * among_others}?"


def in_words(value: Value) -> str:
    """A value as a config would show it, at most 60 characters: true, nothing, the text 'twelve', 12."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:59] + "…"
    return f"the text {shown}" if isinstance(value, str) else shown


def _correction(value: Value, kind: Kind) -> str | None:
    """What to write instead, when the value plainly means something that the kind accepts."""
    for meant, written in _meanings(value):
        if kind.accepts(meant):
            return f"It reads as text; write {written}." if isinstance(value, str) else f"Write {written}."
    return None


def _meanings(value: Value) -> Iterator[tuple[object, str]]:
    """What a value may have been meant to be, with the spelling that every YAML reader takes for that."""
    word = str(value).strip().lower()
    if word in ("true", "yes", "on", "1"):
        yield True, "true"
    if word in ("false", "no", "off", "0"):
        yield False, "false"
    try:
        number = float(word)
    except ValueError:
        return
    if not math.isfinite(number):
        return
    if number.is_integer():
        yield int(number), str(int(number))
    digits = len(Decimal(word).normalize().as_tuple().digits)
    yield number, f"{number:.{max(1, digits - 1)}e}" if "e" in word else repr(number)
