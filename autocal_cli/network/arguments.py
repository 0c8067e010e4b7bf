"""The keyword arguments of a network, compared with what its constructor has and accepts."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType, NoneType
from typing import Any, TypeGuard

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import AutocalError, Finding, Place, Severity
from autocal_cli.network.model import SIDE

# A shared beginning is not a resemblance: num_grow_ch is to num_groups at 0.67, num_block to num_blocks at 0.95.
RESEMBLANCE = 0.75
SCALE_NAMES = ("scale", "upscale", "upscale_factor")  # of the argument for it, by the tables of networks


def check_arguments(network: NetworkOptions, accepted: Collection[str], swallows: bool) -> tuple[Finding, ...]:
    """One warning `network-argument-unknown` for every argument that the constructor doesn't have.

    `accepted` are the constructor's arguments; `scale` is always one. Where `swallows` is True, unknown ones are
    reported beside the result: the constructor builds what it would have built without them. Where it is False they
    stop the command: whoever gives arguments to a fixed variant believes to train another network than that one.

    Raises:
        AutocalError: there are unknown arguments and `swallows` is False; all of them are named in one line.
    """
    unknown = [name for name in network.arguments if name not in (*accepted, "scale")]
    free = [name for name in accepted if name not in network.arguments]
    if unknown and not swallows:
        cures = []
        for name in unknown:
            near = nearest(name, free)
            which = f" instead of {name!r}" if len(unknown) > 1 else ""
            cures.append(f"Did you mean {near!r}{which}?" if near else f"Remove {repr(name) if which else 'it'}.")
        raise AutocalError(
            f"the network {network.type} doesn't have the argument{'s' * (len(unknown) > 1)} "
            f"{', '.join(map(repr, unknown))}: the variant would be trained as it is registered, whatever is written "
            "here.",
            place=key_of(network, unknown[0]),
            fix=f"{' '.join(cures)} It takes {', '.join(accepted)}.",
        )
    ignored = "and the trainer ignores it: the network is built as if it were not there."
    return tuple(
        Finding(
            code="network-argument-unknown",
            severity="warning",
            message=f"the network {network.type} doesn't have the argument {name!r}, {ignored}",
            fix=_cure(network, name, free, accepted),
            place=key_of(network, name),
        )
        for name in unknown
    )


def argument_findings(
    network: NetworkOptions,
    builder: str,
    kinds: Mapping[str, Sequence[Any] | None],
    rejected: Collection[str],
    swallowed: Collection[str],
    inner: Collection[str] = (),
) -> Iterator[Finding]:
    """Arguments that a foreign constructor refused, let fall or takes as another kind of value.

    `kinds` are what it takes, by name, as `worker.describe` has them; it passes on what the `inner` class takes.
    """
    free = [name for name in dict.fromkeys((*kinds, *inner)) if name not in network.arguments]
    for name in (*rejected, *swallowed):
        if name in network.arguments:
            severity: Severity = "error" if name in rejected else "warning"
            does = "and refuses it" if name in rejected else "and ignores it"
            message = f"the network {network.type} of {builder} doesn't have the argument {name!r} {does}: "
            message += "the network was measured without it."
            fix, place = _cure(network, name, free, free), key_of(network, name)
            yield Finding("network-argument-unknown", severity, message, fix, place)
        elif name in rejected:
            message = f"{builder} hands the config's scale to {network.type}, which doesn't take {name!r}."
            yield Finding("network-scale-refused", "error", message, None, network.place)
    for name, value in network.arguments.items():
        accepted = kinds.get(name)
        if accepted and not any(_is_of(value, kind) for kind in accepted):
            expected = " or ".join(dict.fromkeys(word for kind in accepted for word in _words(kind)))
            message = f"the network argument {name!r} should be {expected}. Found {in_words(value)}."
            yield Finding("network-argument-type", "warning", message, None, place_of(network, name))


# What a value may be, by the names of `worker.describe`.
KINDS: Mapping[str, tuple[str, type]] = MappingProxyType(
    {
        "int": ("a whole number", int),
        "float": ("a number", float),
        "str": ("text", str),
        "bool": ("true or false", bool),
        "none": ("nothing", NoneType),
        "list": ("a list", list),
        "dict": ("a mapping", dict),
    }
)


def _words(kind: str | Sequence[Any]) -> list[str]:
    return [KINDS[kind][0]] if isinstance(kind, str) else [in_words(choice) for choice in kind[1:]]


def _is_of(value: Value, kind: str | Sequence[Any]) -> bool:
    if not isinstance(kind, str):  # ["one of", value, ...]
        return value in kind[1:]
    return type(value) is KINDS[kind][1]


def about_count(
    network: NetworkOptions,
    scale: int | None,
    handed: Any,
    uncounted: str | None,
    side: int = SIDE,
    frames: int | None = None,
    enlarges: float | None = None,
    *,
    accepted: Iterable[str] = (),
) -> Iterator[Finding]:
    """How the MACs were counted where it was not as usual, or (`uncounted`) why not; and a scale that is not the
    config's. `handed` is the scale that the constructor was given, `accepted` are its arguments; for the rest see
    `table.Entry`."""
    if scale is not None and handed == scale:
        yield from mismatch(network, scale)
    if uncounted is not None:
        message = f"the MACs of {network.type} could not be counted: {uncounted}."
        yield Finding("network-macs-unknown", "info", message, None, network.place)
        return
    if frames:
        message = f"{network.type} takes clips: its MACs were counted for {frames} frames, one of them made."
        yield Finding("network-takes-clips", "info", message, None, network.place)
    if side != SIDE:
        message = f"{network.type} refuses {SIDE} x {SIDE} pixels: its MACs were counted at {side}."
        yield Finding("network-macs-side", "info", message, None, network.place)
    if scale is not None and enlarges is not None and enlarges != scale:
        message = f"the config's scale is {scale}, but {network.type} as built enlarges {enlarges:g} times."
        name = next((name for name in SCALE_NAMES if name in accepted), None)
        fix = f"Write `{name}: {scale}` in it." if name else "Give it the scale in the argument that it has for that."
        yield Finding("network-scale-differs", "error", message, fix, network.place)


def mismatch(network: NetworkOptions, scale: int) -> tuple[Finding, ...]:
    """The finding that a network's own scale is another than the config's, which is handed to it; or nothing."""
    own = network.arguments.get("scale")
    if not isinstance(own, int) or own == scale:
        return ()
    message = f"the config's scale is {scale}, the network's own {own}: the trainer builds at {scale}."
    fix = f"Write the same scale in both places, or remove it from the network {network.type}."
    return (Finding("network-scale-mismatch", "warning", message, fix, place_of(network, "scale")),)


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
    """Where an argument's value stands, or where the network does when that isn't known."""
    return network.argument_places.get(name, network.place)


def key_of(network: NetworkOptions, name: str) -> Place:
    """Where an argument's own name stands."""
    return network.argument_places.get(f"{name}:", place_of(network, name))


def nearest(name: str, candidates: Collection[str], resemblance: float = RESEMBLANCE) -> str | None:
    """The candidate most like a misspelt name, whatever the case, or None when none is like it.

    `resemblance` in 0..1 is the least ratio of difflib's SequenceMatcher that counts.
    """
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=resemblance)
    return by_lower[found[0]] if found else None


def _cure(network: NetworkOptions, name: str, free: Collection[str], takes: Collection[str]) -> str:
    near = nearest(name, free)
    if near:
        return f"Did you mean {near!r}?"
    return f"Remove it. {network.type} takes {', '.join(takes)}." if takes else "Remove it."


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


@dataclass(frozen=True, slots=True)
class Kind:
    """The values that one argument takes: `expected` completes "num_feat should be ...", `accepts` never raises."""

    expected: str
    accepts: Callable[[object], bool]


def is_int(value: object) -> TypeGuard[int]:
    """True and False are not numbers here, though Python counts with them."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole(low: int, high: int, *, odd: bool = False) -> Kind:
    """An int from `low` to `high`, both included; 12.0 is not one."""

    def accepts(value: object) -> bool:
        return is_int(value) and low <= value <= high and (not odd or value % 2 == 1)

    return Kind(f"{'an odd' if odd else 'a'} whole number from {low} to {high}", accepts)


def one_of(*choices: int) -> Kind:
    """One of a few ints, e.g. the scales that a network is made for."""
    *most, last = (str(choice) for choice in choices)
    return Kind(f"{', '.join(most)} or {last}", lambda value: is_int(value) and value in choices)


def number(low: float, high: float) -> Kind:
    """An int or float from `low` to `high`, both included; never NaN."""

    def accepts(value: object) -> bool:
        return (is_int(value) or isinstance(value, float)) and low <= value <= high

    return Kind(f"a number from {low:g} to {high:g}", accepts)


SWITCH = Kind("true or false", lambda value: isinstance(value, bool))


def mapping_of(kinds: Mapping[str, Kind]) -> Kind:
    """A mapping with any of the given keys and no other, or nothing at all (None: every key's default)."""

    def accepts(value: object) -> bool:
        if value is None:
            return True
        return isinstance(value, Mapping) and all(key in kinds and kinds[key].accepts(value[key]) for key in value)

    return Kind("a mapping of " + ", ".join(f"{key} ({kind.expected})" for key, kind in kinds.items()), accepts)
