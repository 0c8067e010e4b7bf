"""What a plain YAML scalar means: under 1.1 as PyYAML's safe loader reads it (the trainers' reader), and under 1.2.

The two disagree (`1e-4` is text in 1.1 and a number in 1.2; `off` is false in 1.1 and text in 1.2), which is why
`write_scalar` only produces spellings on which both agree.

Sources: yaml.org/type (bool, int, float, null of YAML 1.1) as narrowed by PyYAML; YAML 1.2.2 section 10.3 (core
schema).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from autocal_cli.config.model import Scalar

Version = Literal["1.1", "1.2"]

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


def _spellings(*words: str) -> frozenset[str]:
    return frozenset(form for word in words for form in (word, word.capitalize(), word.upper()))


_TRUE = {"1.1": _spellings("true", "yes", "on"), "1.2": _spellings("true")}
_FALSE = {"1.1": _spellings("false", "no", "off"), "1.2": _spellings("false")}

_INT = {
    "1.1": re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*(?::[0-5]?[0-9])*)"),
    "1.2": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
}
_FLOAT = {
    "1.1": re.compile(
        r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
        r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    ),
    "1.2": re.compile(
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    ),
}
# Text that every reader takes for a string and that needs no quotes, in block and in flow context.
# (`y` and `n` are booleans to YAML 1.1 readers other than PyYAML.)
_PLAIN_SAFE = re.compile(r"(?![yYnN]$)[A-Za-z_](?:[A-Za-z0-9_.()/+-]| (?=[A-Za-z0-9_(]))*")
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def read_plain(text: str, version: Version = "1.1") -> Scalar:
    """The value of an untagged plain scalar.

    Text that looks like a number but is none (`0x_`, too many digits to convert) stays text, as no trainer gets past
    it; so does a date (`2024-01-31`), which no key that is read here takes.
    """
    if text in _NULLS:
        return None
    if text in _TRUE[version]:
        return True
    if text in _FALSE[version]:
        return False
    try:
        if _INT[version].fullmatch(text):
            return _to_int(text, version)
        if _FLOAT[version].fullmatch(text):
            return _to_float(text)
    except (ValueError, OverflowError):
        return text
    return text


def read_tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit core tag, e.g. `!!float 1e-4`. An unknown tag leaves text.

    Raises ValueError or OverflowError when the text does not fit the tag.
    """
    match tag.removeprefix("tag:yaml.org,2002:"):
        case "float":
            return _to_float(text)
        case "int":
            return _to_int(text, "1.1")
        case "bool":
            if text.lower() not in {"true", "yes", "on", "false", "no", "off"}:
                raise ValueError(text)
            return text.lower() in {"true", "yes", "on"}
        case "null":
            return None
        case _:
            return text


def write_scalar(value: Scalar) -> str:
    """One line of YAML that reads back as `value`, with its exact type, under 1.1 and 1.2 alike.

    >>> write_scalar(1e-06), write_scalar(5.0), write_scalar("off"), write_scalar(True)
    ('1.0e-06', '5.0', '"off"', 'true')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _write_float(value)
    if _PLAIN_SAFE.fullmatch(value) and all(read_plain(value, version) == value for version in ("1.1", "1.2")):
        return value
    return '"' + "".join(map(_escape, value)) + '"'


def _escape(char: str) -> str:
    """One character between double quotes. (JSON would write an emoji as two surrogates, which YAML keeps as two.)"""
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if char.isprintable():
        return char
    return f"\\U{ord(char):08x}" if ord(char) > 0xFFFF else f"\\u{ord(char):04x}"


def _write_float(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa
    sign = "-" if exponent.startswith("-") else "+"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{sign}{exponent.lstrip('+-'):0>2}"


def _to_int(text: str, version: Version) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").replace("_", "")
    if digits.startswith("0b"):
        return sign * int(digits[2:], 2)
    if digits.startswith("0x"):
        return sign * int(digits[2:], 16)
    if digits.startswith("0o"):
        return sign * int(digits[2:], 8)
    if version == "1.1" and ":" in digits:
        return sign * int(_base_60([int(part) for part in digits.split(":")]))
    if version == "1.1" and digits.startswith("0") and digits != "0":
        return sign * int(digits, 8)
    return sign * int(digits)


def _to_float(text: str) -> float:
    plain = text.replace("_", "").lower()
    sign = -1.0 if plain.startswith("-") else 1.0
    digits = plain.lstrip("+-")
    if digits in {".inf", ".nan"}:
        return sign * float(digits[1:])
    if ":" in digits:
        return sign * _base_60([float(part) for part in digits.split(":")])
    return sign * float(digits)


def _base_60(parts: Sequence[float]) -> float:
    """`1:30` is 90. Summed from the seconds up, as PyYAML does, so that floats come out alike to the last bit."""
    total: float = 0
    base = 1
    for part in reversed(parts):
        total += part * base
        base *= 60
    return total
