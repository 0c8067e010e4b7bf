"""Plain data -> lines of TOML. Scalars and keys are written by tomlkit.

A mapping is written with dotted keys, so that a block stays one section. Below the first level a mapping of single
values takes one line (`phases.early = {until = 0.1, rate = 0.5}`), and so does each item of a list of mappings.
"""

from __future__ import annotations

from collections.abc import Mapping

import tomlkit
from tomlkit.items import SingleKey

from autocal_cli.config.record import KeyPath, Value


def render_inline(value: Value) -> str:
    """A value on one line.

    >>> render_inline({"until": 0.1, "kinds": ["gan"]})
    '{until = 0.1, kinds = ["gan"]}'
    """
    if isinstance(value, dict):
        return "{" + render_items(value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(render_inline(item) for item in value) + "]"
    return tomlkit.item(value).as_string()


def render_items(pairs: Mapping[str, Value], above: KeyPath = ()) -> str:
    """What stands between the braces of an inline table; `above` is written before each key."""
    return ", ".join(f"{render_key((*above, key))} = {render_inline(value)}" for key, value in pairs.items())


def render_key(path: KeyPath) -> str:
    return ".".join(SingleKey(name).as_string() for name in path)


def render_statements(pairs: Mapping[str, Value], prefix: str = "", level: int = 0) -> list[str]:
    """The lines of `key = value` statements, without line endings; `prefix` is written before each key."""
    lines: list[str] = []
    for key, value in pairs.items():
        name = prefix + render_key((key,))
        if isinstance(value, dict) and value and not (level > 0 and _single_values(value)):
            lines += render_statements(value, f"{name}.", level + 1)
        elif isinstance(value, list) and _nested(value):
            lines += [f"{name} = [", *(f"  {render_inline(item)}," for item in value), "]"]
        else:
            lines.append(f"{name} = {render_inline(value)}")
    return lines


def without_nulls(value: Value) -> Value:
    """The value without the keys that hold None, which TOML cannot say."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def _single_values(mapping: Mapping[str, Value]) -> bool:
    return not any(isinstance(item, dict) or _nested(item) for item in mapping.values())


def _nested(value: Value) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
