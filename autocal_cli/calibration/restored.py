"""Plain data -> a frozen record, every field checked against its annotation: for what a file claims that we wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def restored(kind: type[Record], entry: Mapping[str, Any]) -> Record:
    """An instance of the dataclass `kind` with the fields of `entry`.

    A field that may be None and is missing is None: TOML has no null. Raises TypeError where another field is missing,
    or one is unknown or of another type than its annotation.
    """
    annotations = get_type_hints(kind)
    absent = {name: None for name, annotation in annotations.items() if name not in entry and _fits(None, annotation)}
    for name, value in entry.items():
        if name in annotations and not _fits(value, annotations[name]):
            raise TypeError(f"{name} is {value!r}"[:80])
    return kind(**absent, **entry)


def _fits(value: object, annotation: Any) -> bool:
    """Whether a value is of an annotated type. A float may be a whole number, but is finite; true is no number."""
    if annotation in (int, float):
        numbers = int if annotation is int else int | float
        return isinstance(value, numbers) and not isinstance(value, bool) and abs(value) < math.inf
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return any(_fits(value, option) for option in inner)
    if origin is Literal:
        return value in inner
    if origin is tuple and isinstance(value, tuple):
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return len(value) == len(kinds) and all(map(_fits, value, kinds))
    if origin is not None and isinstance(value, Mapping):
        return issubclass(origin, Mapping) and all(_fits(item, inner[1]) for item in value.values())
    return isinstance(value, origin or annotation)
