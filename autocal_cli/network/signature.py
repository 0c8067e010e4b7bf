"""What a constructor takes, read from its signature and type hints, as plain data."""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def describe(call: Callable[..., Any]) -> dict[str, Any]:
    """`{"accepted": {name: kinds or None}, "required": [names], "swallows": bool}`.

    Kinds are what a value may be: "int", "float", "str", "bool", "none", "list", "dict", or ["one of", value, ...] for
    a Literal; None where the signature doesn't say, or says something that a config cannot hold.
    """
    signature = inspect.signature(call)
    hints = _hints(call)
    named = {name: parameter for name, parameter in signature.parameters.items() if parameter.kind in NAMED}
    return {
        "accepted": {name: _accepted(hints.get(name), parameter.default) for name, parameter in named.items()},
        "required": [name for name, parameter in named.items() if parameter.default is inspect.Parameter.empty],
        "swallows": any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in signature.parameters.values()),
    }


def _hints(call: Callable[..., Any]) -> dict[str, Any]:
    function = call.__init__ if inspect.isclass(call) else call
    try:
        return typing.get_type_hints(inspect.unwrap(function))
    except Exception:  # a hint that names what only a type checker imports
        return {}


def _accepted(hint: Any, default: Any) -> list[Any] | None:
    kinds = _kinds(hint) if hint is not None else _kinds_of_default(default)
    return [*kinds, "none"] if kinds and default is None else kinds


def _kinds(hint: Any) -> list[Any] | None:
    origin = typing.get_origin(hint) or hint
    if origin in (typing.Union, types.UnionType):
        parts = [_kinds(part) for part in typing.get_args(hint)]
        return None if None in parts else [kind for part in parts if part for kind in part]
    if origin is typing.Literal:
        return [["one of", *typing.get_args(hint)]]
    if origin is type(None):
        return ["none"]
    if origin is float:
        return ["int", "float"]
    if origin in (int, str, bool):
        return [origin.__name__]
    if inspect.isclass(origin) and issubclass(origin, collections.abc.Mapping):
        return ["dict"]
    if inspect.isclass(origin) and issubclass(origin, (list, tuple, collections.abc.Sequence)):
        return ["list"]
    return None


def _kinds_of_default(default: Any) -> list[Any] | None:
    """Without a hint a number's default says only that text is wrong, and text's default that a number is."""
    if isinstance(default, (bool, int, float)):
        return ["int", "float", "bool", "none", "list"]
    return None
