"""What readers that are not autocal's own make of a pair: PyYAML of YAML 1.1, as the trainers read, ruamel.yaml of 1.2.

autocal's reading of scalars (scalars.py) says what is written and what a trainer will see. That it says so rightly is
checked here, value by value, on the text that is about to be written.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autocal_cli.config.document import ConfigDocument, Pair
from autocal_cli.config.extent import last_token_end
from autocal_cli.config.record import Value


def other_readings(document: ConfigDocument, pair: Pair, flow: bool) -> dict[str, Any]:
    """The value of a pair by reader's name; `flow` is whether it stands between braces.

    The pair has to stand by itself: no alias, no anchor from elsewhere. What a reader refuses to read has the error as
    its value, which is the same as nothing.
    """
    column = pair.key.start - document.line_start(pair.key.start)
    text = document.text[pair.key.start : last_token_end(document, pair)]
    text = f"{{{text}\n}}" if flow else " " * column + text + "\n"
    return {name: _only_value(read, text) for name, read in _READERS.items()}


def _only_value(read: Callable[[str], object], text: str) -> Any:
    try:
        mapping = read(text)
    except (YAMLError, yaml.YAMLError, ValueError) as error:
        return error
    return _with_text_keys(next(iter(mapping.values()))) if isinstance(mapping, dict) and len(mapping) == 1 else mapping


def _with_text_keys(value: Any) -> Value:
    """As autocal reads data: `8: x` is under "8"."""
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value


def _read_1_1(text: str) -> object:
    return yaml.safe_load(text)


def _read_1_2(text: str) -> object:
    reader = YAML(typ="safe", pure=True)
    reader.version = "1.2"
    return reader.load(io.StringIO(text))


_READERS: Mapping[str, Callable[[str], object]] = {"PyYAML": _read_1_1, "ruamel.yaml": _read_1_2}
