"""Losses that come as mappings or tuples, taken apart into 0-dim tensors and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

SEPARATOR = "/"


def label_of(name: str) -> str:
    """The label of the loss of which `name` is a component, or `name` itself."""
    return name.split(SEPARATOR, 1)[0]


def named_parts(losses: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of all losses by name. Raises TypeError as `components` does."""
    return {name: part for label, value in losses.items() for name, part in components(label, value)}


def components(label: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors of one loss with their names: `label`, or `label/key` for a part.

    None and bare numbers (of which nothing can be learnt) are no parts. Raises TypeError for anything else that is
    neither a tensor of one element, a mapping, nor a tuple or list.
    """
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise TypeError(f"The loss {label} should be a single number. Found shape {tuple(value.shape)}.")
        yield label, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from components(f"{label}{SEPARATOR}{key}", part)
    elif isinstance(value, tuple | list):
        for index, part in enumerate(value):
            yield from components(f"{label}{SEPARATOR}{index}", part)
    elif value is not None and not isinstance(value, int | float):
        raise TypeError(f"The loss {label} should be a tensor, a mapping or a tuple. Found {type(value).__name__}.")


def like(label: str, value: Any, by_name: Mapping[str, Tensor]) -> Any:
    """The multipliers in the shape of the loss: a tensor, a mapping, or a tuple with None where there is no part."""
    if isinstance(value, Tensor):
        return by_name[label]
    if isinstance(value, Mapping):
        return {key: like(f"{label}{SEPARATOR}{key}", part, by_name) for key, part in value.items()}
    if not isinstance(value, tuple | list):
        return None
    return tuple(like(f"{label}{SEPARATOR}{index}", part, by_name) for index, part in enumerate(value))


def scaled(label: str, value: Any, by_name: Mapping[str, Tensor]) -> Any:
    """The loss with every tensor times its multiplier, of the same types; half precision becomes float32."""
    if isinstance(value, Tensor):
        return value * by_name[label]
    if isinstance(value, Mapping):
        parts = {key: scaled(f"{label}{SEPARATOR}{key}", part, by_name) for key, part in value.items()}
        return parts if type(value) is dict else type(value)(parts)  # type: ignore[call-arg]
    if isinstance(value, tuple | list):
        row = [scaled(f"{label}{SEPARATOR}{index}", part, by_name) for index, part in enumerate(value)]
        return type(value)(*row) if hasattr(value, "_fields") else type(value)(row)
    return value
