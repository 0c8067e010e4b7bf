"""Plain data -> lines of YAML, in block style or on one line.

Below the first level a mapping of single values (or plain lists) takes one line (`early: {until: 0.1, rate: 0.5}`),
and so does a plain list and each item of another: a resolved block is read by people, and stays short so.
"""

from __future__ import annotations

from collections.abc import Mapping

from autocal_cli.config.record import Value
from autocal_cli.config.scalars import write_scalar


def render_flow(value: Value) -> str:
    """A value on one line.

    >>> render_flow({"until": 0.1, "kinds": ["gan"]})
    '{until: 0.1, kinds: [gan]}'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{write_scalar(key)}: {render_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(render_flow(item) for item in value) + "]"
    return write_scalar(value)


def render_pairs(pairs: Mapping[str, Value], indent: int, step: int, level: int = 0) -> list[str]:
    """The lines of a block mapping, without line endings. `indent` is in columns, `step` the columns a level deeper."""
    lines: list[str] = []
    for key, value in pairs.items():
        lines += render_pair(key, value, indent, step, level)
    return lines


def render_pair(key: str, value: Value, indent: int, step: int, level: int = 0) -> list[str]:
    """The lines of `key: value`, the first of them with the key."""
    head = " " * indent + write_scalar(key) + ":"
    body = render_body(value, indent + step, step, level + 1)
    return [head, *body] if isinstance(body, list) else [f"{head} {body}"]


def render_body(value: Value, indent: int, step: int, level: int) -> str | list[str]:
    """What follows `key:`: text for the same line, or lines to put below it."""
    if isinstance(value, dict) and value and not (level > 1 and _single_values(value)):
        return render_pairs(value, indent, step, level)
    if isinstance(value, list) and _nested(value):
        return [" " * indent + "- " + render_flow(item) for item in value]
    return render_flow(value)


def _single_values(mapping: Mapping[str, Value]) -> bool:
    return not any(isinstance(item, dict) or _nested(item) for item in mapping.values())


def _nested(value: Value) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
