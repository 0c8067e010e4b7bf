"""Losses that come as mappings or tuples, taken apart into 0-dim tensors and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

SEPARATOR = "/"


def label_of(name: str) -> str:
    """The label of the loss of which `name` is a component, or `name` itself."""
    return name.split(SEPARATOR, 1)[0]


def components(label: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors of one loss with their names: `label`, or `label/key` for a part. None is no part.

    Raises TypeError for anything that is neither a tensor, a mapping, a tuple or list, nor None.
    """
    if isinstance(value, Tensor):
        yield label, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from components(f"{label}{SEPARATOR}{key}", part)
    elif isinstance(value, tuple | list):
        for index, part in enumerate(value):
            yield from components(f"{label}{SEPARATOR}{index}", part)
    elif value is not None:
        raise TypeError(f"The loss {label} should be a tensor, a mapping or a tuple. Found {type(value).__name__}.")


def like(label: str, value: Any, by_name: Mapping[str, Tensor]) -> Any:
    """The multipliers in the shape of the loss: a tensor, a mapping, or a tuple with None where the loss has None."""
    if isinstance(value, Tensor):
        return by_name[label]
    if isinstance(value, Mapping):
        return {key: like(f"{label}{SEPARATOR}{key}", part, by_name) for key, part in value.items()}
    if value is None:
        return None
    return tuple(like(f"{label}{SEPARATOR}{index}", part, by_name) for index, part in enumerate(value))
