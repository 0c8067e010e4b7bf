"""What a constructor accepts for an argument: the words for it, and the test.

A `Kind` completes the sentence "num_feat should be ..."; the constructor and the config check share one table of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeGuard


@dataclass(frozen=True, slots=True)
class Kind:
    """The values that one argument takes: `expected` in words, `accepts` as a test that never raises."""

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
