"""How values are written in YAML, and what a plain scalar means to a reader of YAML 1.2.

The trainers read YAML 1.1 (PyYAML: `document.read_scalar`), editors and other tools mostly 1.2. The two disagree
(`1e-4` is text in 1.1 and a number in 1.2; `off` is false in 1.1 and text in 1.2), which is why `write_scalar` only
produces spellings on which both agree.

Source: YAML 1.2.2 section 10.3 (core schema).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from autocal_cli.config.model import Scalar, Value

Writer = Callable[[Any], str]

_CORE = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
# Text that every reader takes for a string and that needs no quotes, in block and in flow context, unless it is one of
# the words: of YAML 1.1, where some readers have `y` and `n` too.
_PLAIN_SAFE = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_.()/+-]| (?=[A-Za-z0-9_(]))*")
_RESERVED = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def read_core(text: str) -> Scalar:
    """The value of an untagged plain scalar by the core schema of YAML 1.2.

    >>> read_core("1e-4"), read_core("off"), read_core("0x1F"), read_core("017")
    (0.0001, 'off', 31, 17)
    """
    if text in _CORE:
        return _CORE[text]
    try:
        if _INT.fullmatch(text):
            number = int(text, 0) if text.startswith(("0o", "0x")) else int(text)
            float(number)
            return number
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan")) if _FLOAT.fullmatch(text) else text
    except (ValueError, OverflowError):  # more digits than Python converts, or than a float has room for
        return text


def write_scalar(value: Scalar) -> str:
    """One line of YAML that reads back as `value`, with its exact type, under 1.1 and 1.2 alike.

    >>> write_scalar(1e-06), write_scalar(5.0), write_scalar("off"), write_scalar(True)
    ('1.0e-06', '5.0', '"off"', 'true')
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        mantissa, letter, exponent = repr(value).partition("e")
        return with_exponent(mantissa, exponent) if letter else mantissa
    if not isinstance(value, str):
        return str(value).replace("inf", ".inf").replace("nan", ".nan")
    if _PLAIN_SAFE.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    return '"' + "".join(map(_escape, value)) + '"'


def _escape(char: str) -> str:
    """One character between double quotes. (JSON would write an emoji as two surrogates, which YAML keeps as two.)"""
    code = f"\\U{ord(char):08x}" if ord(char) > 0xFFFF else f"\\u{ord(char):04x}"
    return _SHORT_ESCAPES.get(char) or (char if char.isprintable() else code)


def with_exponent(mantissa: str, exponent: str) -> str:
    """A float as every YAML reader takes it: a dot in the mantissa, and a sign in the exponent.

    >>> with_exponent("2", "-4"), with_exponent(".5", "10")
    ('2.0e-04', '0.5e+10')
    """
    whole, _, part = mantissa.partition(".")
    sign = "-" if exponent.startswith("-") else "+"
    return f"{whole if whole.strip('+-') else whole + '0'}.{part or '0'}e{sign}{exponent.lstrip('+-'):0>2}"


# Plain data -> lines of YAML, in block style or on one line.
#
# Below the first level a mapping of single values (or plain lists) takes one line (`early: {until: 0.1, rate: 0.5}`),
# and so does a plain list and each item of another: a resolved block is read by people, and stays short so.


def render_flow(value: Value, key: Writer = write_scalar, scalar: Writer = write_scalar, between: str = ": ") -> str:
    """A value on one line; in the words of another language, where it has others for keys and single values.

    >>> render_flow({"until": 0.1, "kinds": ["gan"]})
    '{until: 0.1, kinds: [gan]}'
    """
    if isinstance(value, dict):
        pairs = (f"{key(name)}{between}{render_flow(item, key, scalar, between)}" for name, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(render_flow(item, key, scalar, between) for item in value) + "]"
    return scalar(value)


def render_pairs(pairs: Mapping[str, Value], indent: int, step: int, level: int = 0) -> list[str]:
    """The lines of a block mapping, without line endings. `indent` is in columns, `step` the columns a level deeper."""
    lines: list[str] = []
    for key, value in pairs.items():
        head, body = " " * indent + write_scalar(key) + ":", render_body(value, indent + step, step, level + 1)
        lines += [head, *body] if isinstance(body, list) else [f"{head} {body}"]
    return lines


def render_body(value: Value, indent: int, step: int, level: int) -> str | list[str]:
    """What follows `key:`: text for the same line, or lines to put below it."""
    if isinstance(value, dict) and value:
        single = not any(isinstance(item, dict) or _nested(item) for item in value.values())
        return render_flow(value) if level > 1 and single else render_pairs(value, indent, step, level)
    if isinstance(value, list) and _nested(value):
        return [" " * indent + "- " + render_flow(item) for item in value]
    return render_flow(value)


def _nested(value: Value) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
