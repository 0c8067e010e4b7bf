"""What a constructor accepts for an argument: the words for it, and the test.

A `Kind` completes the sentence "num_feat should be ..."; the constructor and the config check share one table of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """The values that one argument takes: `expected` in words, `accepts` as a test that never raises."""

    expected: str
    accepts: Callable[[object], bool]


def whole(low: int, high: int, *, odd: bool = False) -> Kind:
    """An int from `low` to `high`, both included. True and False are not numbers, and 12.0 is not an int."""

    def accepts(value: object) -> bool:
        return type(value) is int and low <= value <= high and (not odd or value % 2 == 1)

    return Kind(f"{'an odd' if odd else 'a'} whole number from {low} to {high}", accepts)


def one_of(*choices: int) -> Kind:
    """One of a few ints, e.g. the scales that a network is made for."""
    *most, last = (str(choice) for choice in choices)
    return Kind(f"{', '.join(most)} or {last}", lambda value: type(value) is int and value in choices)


def number(low: float, high: float) -> Kind:
    """A finite int or float from `low` to `high`, both included."""

    def accepts(value: object) -> bool:
        return type(value) in (int, float) and math.isfinite(value) and low <= value <= high  # type: ignore[arg-type, operator]

    return Kind(f"a number from {low:g} to {high:g}", accepts)


SWITCH = Kind("true or false", lambda value: type(value) is bool)


def mapping_of(kinds: Mapping[str, Kind]) -> Kind:
    """A mapping with any of the given keys and no other, or nothing at all (None: every key's default)."""

    def accepts(value: object) -> bool:
        if value is None:
            return True
        return isinstance(value, Mapping) and all(key in kinds and kinds[key].accepts(value[key]) for key in value)

    return Kind("a mapping of " + ", ".join(f"{key} ({kind.expected})" for key, kind in kinds.items()), accepts)
