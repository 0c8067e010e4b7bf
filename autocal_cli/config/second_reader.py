"""What readers that are not autocal's own make of a pair: PyYAML of YAML 1.1, as the trainers read, ruamel.yaml of 1.2.

autocal's reading of scalars (scalars.py) says what is written and what a trainer will see. That it says so rightly is
checked here, value by value, on the text that is about to be written.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autocal_cli.config.document import ConfigDocument, Pair
from autocal_cli.config.extent import last_token_end
from autocal_cli.config.record import Value


def other_readings(document: ConfigDocument, pair: Pair, flow: bool) -> dict[str, object]:
    """The value of a pair by reader's name; `flow` is whether it stands between braces.

    The pair has to stand by itself: no alias, no anchor from elsewhere. What a reader refuses to read has the error as
    its value, which equals nothing.
    """
    column = pair.key.start - document.line_start(pair.key.start)
    text = document.text[pair.key.start : last_token_end(document, pair)]
    text = f"{{{text}\n}}" if flow else " " * column + text + "\n"
    return {name: _only_value(read, text) for name, read in _READERS.items()}


def _only_value(read: Callable[[str], object], text: str) -> object:
    try:
        mapping = read(text)
    except (YAMLError, yaml.YAMLError, ValueError) as error:
        return error
    return next(iter(mapping.values())) if isinstance(mapping, Mapping) and len(mapping) == 1 else mapping


def _read_1_1(text: str) -> object:
    return yaml.safe_load(text)


def _read_1_2(text: str) -> object:
    reader = YAML(typ="safe", pure=True)
    reader.version = "1.2"
    return reader.load(io.StringIO(text))


_READERS: Mapping[str, Callable[[str], object]] = {"PyYAML": _read_1_1, "ruamel.yaml": _read_1_2}


def same(found: object, value: Value) -> bool:
    """Equal in value, exact type and order, all the way down; nan is nan. (Keys count as text: `8: x` is under "8".)"""
    if isinstance(value, dict):
        return (
            isinstance(found, Mapping)
            and [str(key) for key in found] == list(value)
            and all(same(item, value[str(key)]) for key, item in found.items())
        )
    if isinstance(value, list):
        return isinstance(found, list) and len(found) == len(value) and all(map(same, found, value))
    return type(found) is type(value) and repr(found) == repr(value)
