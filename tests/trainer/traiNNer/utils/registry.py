"""A registry in traiNNer-redux's shape: names in lower case, looked up whatever their case."""

from __future__ import annotations

from collections.abc import Callable, KeysView
from typing import Any


class Registry:
    def __init__(self) -> None:
        self._entries: dict[str, Callable[..., Any]] = {}

    def register(self) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def keep(entry: Callable[..., Any]) -> Callable[..., Any]:
            self._entries[entry.__name__.lower()] = entry
            return entry

        return keep

    def get(self, name: str) -> Callable[..., Any]:
        return self._entries[name.lower()]

    def keys(self) -> KeysView[str]:
        return self._entries.keys()


ARCH_REGISTRY = Registry()
LOSS_REGISTRY = Registry()
