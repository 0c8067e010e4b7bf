"""TOML configs (neosr's): tomllib says what they mean, a scan of the text where it stands, and tomlkit edits it.

The tree is that of YAML's documents, so that all that reads a config reads both; of what stands inside an inline value
only the place of the whole is known.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import tomlkit
from tomlkit.container import OutOfOrderTableProxy
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import SingleKey, Table

from autocal_cli.config.model import KeyPath, Value
from autocal_cli.config.yaml.document import (
    MAX_DEPTH,
    ConfigDocument,
    MappingNode,
    Node,
    Pair,
    ScalarNode,
    SequenceNode,
    TypedScalarNode,
    node_at,
    same_data,
)
from autocal_cli.config.yaml.edit import Edit, Patch, lines_below, next_line, splice
from autocal_cli.config.yaml.scalars import render_flow
from autocal_cli.config.yaml.verify import verify
from autocal_cli.errors import AutocalError, Place, VerificationError

_PART = r"""(?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[\w-]++)"""
# tomllib's time grows with the square of the parts of a dotted key, so that a megabyte of `a.a.a...` would not end.
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_PART}[ \t]*\.[ \t]*){{{MAX_DEPTH}}}")
_KEY = re.compile(rf"[\[ \t]*(?:{_PART}[ \t]*\.[ \t]*)*({_PART})[ \t]*[=\]][ \t]*")
_LONG_STRING = r'''"""(?:\\.|[^\\])*?"{3,5}|''' r"""'''.*?'{3,5}"""
_TOKEN = re.compile(rf"{_LONG_STRING}|{_PART}|#[^\r\n]*|\S|\n", re.DOTALL)
_AT = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)")


def parse_toml(text: str, bom: bool, path: str) -> ConfigDocument:
    """Parses the text of a TOML config (without its byte order mark). Raises AutocalError, with the place."""
    if _LONG_KEY.search(text):
        raise AutocalError(f"A key has more than {MAX_DEPTH} parts.", place=Place(path))
    try:
        root = _node(tomllib.loads(text), _spans(text), (), 0)
    except tomllib.TOMLDecodeError as error:
        at, problem = _AT.search(str(error)), " ".join(_AT.sub("", str(error)).split())
        line, column = at.groups() if at and at[1] else (text.count("\n") + 1, len(text) - text.rfind("\n"))
        fix = "Put a Windows path between single quotes." if re.search("Unescaped|hex value", problem) else None
        place = Place(path, int(line), int(column))
        raise AutocalError(f"This is not valid TOML: {problem}.", place=place, fix=fix) from None
    except RecursionError:
        raise AutocalError(f"The file nests deeper than {MAX_DEPTH} levels.", place=Place(path)) from None
    except (ValueError, OverflowError):
        raise AutocalError("A number has more digits than Python converts.", place=Place(path)) from None
    assert isinstance(root, MappingNode)
    return ConfigDocument(path, text, bom, root, (), {}, frozenset(), language="toml")


def _spans(text: str) -> dict[KeyPath, tuple[int, int, int, int]]:
    """Where the statements of a valid text have the last part of their key and their value (a header itself), both from
    start to end, by path. A statement ends at a line break outside of brackets and strings."""
    spans: dict[KeyPath, tuple[int, int, int, int]] = {}
    section: KeyPath = ()
    start, end, depth = -1, 0, 0
    for token in _TOKEN.finditer(f"{text}\n"):
        if token[0] != "\n" and token[0][0] != "#":
            start, end = token.start() if start < 0 else start, token.end()
            depth += (token[0] in "[{") - (token[0] in "]}")
            if depth > MAX_DEPTH:
                raise RecursionError
        elif token[0] == "\n" and depth == 0 and start >= 0:
            header, key = text[start] == "[", _KEY.match(text, start, end)
            assert key is not None
            data: Any = tomllib.loads(text[start:end] if header else f"{key[0]}0")
            path: KeyPath = () if header else section
            while data:  # on the way down through tables of one key
                ((name, data),) = data.items()
                path, data = (*path, name), data[0] if isinstance(data, list) else data
                spans.setdefault(path, (start,) * 4)  # a table without a header is where its first statement is
            section = path if header else section
            spans[path] = (*key.span(1), start if header else key.end(), end)
            start = -1
    return spans


def _node(data: Any, spans: Mapping[KeyPath, tuple[int, int, int, int]], path: KeyPath, place: int) -> Node:
    """The node of what stands at `path`. One that no statement is about is empty, at the `place` of those above."""
    *_, start, end = spans.get(path, (place, place))
    if isinstance(data, dict):
        pairs = []
        for name, value in data.items():
            key = ScalarNode(*spans.get((*path, name), (start, start))[:2], None, None, name, '"', (False, True))
            pairs.append(Pair(key, _node(value, spans, (*path, name), key.start)))
        return MappingNode(start, end, None, None, tuple(pairs), False)
    if isinstance(data, list):
        return SequenceNode(start, end, None, None, tuple(_node(item, spans, path, start) for item in data), True)
    content = data if isinstance(data, bool | int | float | str) else str(data)  # a date stays text
    if isinstance(content, int):
        float(content)  # or it is refused, as beyond the digits that Python converts
    style = '"' if isinstance(data, str) else None
    return TypedScalarNode(start, end, None, None, str(content), style, (False, True), content)


def plan_toml_patch(
    document: ConfigDocument, path: KeyPath, wanted: Mapping[str, Value], units: Collection[str] = ()
) -> Patch:
    """As `plan_patch`, of a TOML document. Raises AutocalError where tomlkit cannot keep all that stands around."""
    text, owner = document.text, node_at(document, path[:-1])
    standing = _at(tomllib.loads(text), path)
    values = {path: dict(wanted)} if standing is None else dict(_changes(standing, wanted, path, units))
    items = values
    if standing is None and owner and not text.startswith("{", owner.start):
        text, items = _with_section(document, path), {(*path, key): value for key, value in wanted.items()}
    line_break = "" if text.endswith("\n") else document.newline
    try:
        tree = tomlkit.parse(text + line_break)
        if tomlkit.dumps(tree) != text + line_break:
            raise TOMLKitError("It does not write the file as it is.")
        for at, value in items.items():
            _put(_at(tree, at[:-1]), at[-1], value)
        text = tomlkit.dumps(tree)
        if document.text.count("\r\n") == document.text.count("\n"):  # what tomlkit adds has "\n"
            text = re.sub(r"\r?\n", document.newline, text)
        text = text.removesuffix(line_break)
        verify(document, parse_toml(text, document.bom, document.path), values)
    except (TOMLKitError, VerificationError, AutocalError) as error:
        message = f"tomlkit cannot edit this file and keep the rest of it: {error}"
        fix = "Keep the sections of a table together, and comments above the block's values or behind them."
        raise AutocalError(message, place=Place(document.path), fix=fix) from None
    return Patch((Edit(0, len(document.text), text),) if values else (), values)


def toml_text_without(document: ConfigDocument, path: KeyPath) -> str:
    """As `text_without`, of a TOML document. An inline table around the pair is written anew in any case; empty lines
    are left out, for tomlkit puts one between pairs and a section below."""
    text, data, edits = document.text, tomllib.loads(document.text), []
    (_at(data, path[:-1]) or {}).pop(path[-1], None)
    for at, (key, _, start, end) in _spans(text).items():
        if at == path[: len(at)] and at != path and key < start:
            edits.append(Edit(start, end, render_inline(_at(data, at))))
        elif at[: len(path)] == path and key < end:  # a comment is left, and with it the line
            rest = len(text) - len(text[end:].lstrip(" \t"))
            stop = rest if text.startswith("#", rest) else next_line(text, end)
            edits.append(Edit(document.line_start(min(key, start)), stop, ""))
    return re.sub(r"(?m)^[ \t]*\r?\n", "", splice(text, edits)).rstrip("\r\n")


def _changes(old: Any, new: Any, path: KeyPath, units: Collection[str] = ()) -> Iterator[tuple[KeyPath, Value]]:
    """What of the new table reads otherwise in the old one, by its path: mappings key by key but for the `units`."""
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict) and key not in units:
            yield from _changes(old[key], value, (*path, key))
        elif not same_data(old.get(key), value):
            yield (*path, key), value


def _with_section(document: ConfigDocument, path: KeyPath) -> str:
    """The text with an empty section for the table at `path`, below the table around it and the comments there."""
    text, spans = document.text, _spans(document.text)
    after = max(end for at, (*_, end) in spans.items() if at[0] == path[0])
    header = min((start for key, _, start, _ in spans.values() if after < start < key), default=len(text))
    after = max(end for *_, end in spans.values() if end <= header)  # top-level pairs may follow
    while text[(line := next_line(text, after)) :].lstrip(" \t").startswith("#"):
        after = document.line_end(line)
    blank = [""] if text[line:] and text[line] not in "\r\n" else []
    return splice(text, [lines_below(document, after, ["", f"[{_dotted(*path)}]", *blank])])


def _put(table: Any, key: str, value: Any) -> None:
    """Sets a key of a table: in its place, or below the last pair, where each mapping in a mapping has its line."""
    if not isinstance(table, Table) or not isinstance(table.get(key), Table | OutOfOrderTableProxy | None):
        table[key] = tomlkit.value(render_inline(value))
        return
    table.pop(key, None)
    body, below = table.value.body, max((n for n, (name, _) in enumerate(table.value.body, 1) if name), default=0)
    tail = body[below:]  # comments and empty lines
    del body[below:]
    if table.is_super_table():  # it gets a header, without the comment behind the one below
        table.trivia.comment_ws = table.trivia.comment = ""
    nested = isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values())
    for name, inner in [((key, name), inner) for name, inner in value.items()] if nested else [(key, value)]:
        table.append(tomlkit.key(name), tomlkit.value(render_inline(inner)))
    body += tail


def _at(data: Any, path: KeyPath) -> Any:
    """What stands at a path of tables, None where nothing does."""
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def render_inline(value: Value) -> str:
    """A value on one line.

    >>> render_inline({"until": 0.1, "kinds": ["gan"]})
    '{until = 0.1, kinds = ["gan"]}'
    """
    return render_flow(value, _dotted, lambda scalar: tomlkit.item(scalar).as_string(), " = ")


def _dotted(*names: str) -> str:
    return ".".join(SingleKey(name).as_string() for name in names)
