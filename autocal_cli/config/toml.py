"""TOML configs (neosr's): tomllib says what they mean, and edits replace whole statements or their values.

The tree is that of YAML's documents, so that all that reads a config reads both. A statement is a header or a
`key = value`; of what stands inside an inline value only the place of its statement is known.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tomlkit
from tomlkit.items import SingleKey

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
    lookup,
    same_data,
)
from autocal_cli.config.yaml.edit import Edit, Patch, lines_below, next_line, splice
from autocal_cli.config.yaml.scalars import render_flow
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
    long_key = _LONG_KEY.search(text)
    if long_key:
        raise AutocalError(f"A key has more than {MAX_DEPTH} parts.", place=_place(text, path, long_key.start()))
    try:
        data = tomllib.loads(text)
        root = _node(data, {one.path: one for one in _statements(text)}, (), 0, 0)
    except tomllib.TOMLDecodeError as error:
        raise _refusal(str(error), text, path) from None
    except RecursionError:
        raise AutocalError(f"The file nests deeper than {MAX_DEPTH} levels.", place=Place(path)) from None
    except (ValueError, OverflowError):
        raise AutocalError("A number has more digits than Python converts.", place=Place(path)) from None
    assert isinstance(root, MappingNode)
    return ConfigDocument(path, text, bom, root, (), {}, frozenset(), language="toml")


def _refusal(error: str, text: str, path: str) -> AutocalError:
    at, place = _AT.search(error), Place(path)
    if at:
        place = Place(path, int(at[1]), int(at[2])) if at[1] else _place(text, path, len(text))
    problem = " ".join(_AT.sub("", error).split())
    fix = "Put a Windows path between single quotes." if "Unescaped" in problem or "hex value" in problem else None
    return AutocalError(f"This is not valid TOML: {problem}.", place=place, fix=fix)


def _place(text: str, path: str, offset: int) -> Place:
    return Place(path, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


class Statement(NamedTuple):
    """A header or a pair in the text, from `start` to `end`, the last part of its key at `key`, its value from `value`.

    `section` is the path of the section that it stands in; that of a header is its own path.
    """

    path: KeyPath
    section: KeyPath
    start: int
    key: tuple[int, int]
    value: int
    end: int

    @property
    def pair(self) -> bool:
        return self.value > self.start

    def holds(self, path: KeyPath) -> bool:
        """Whether its value is what stands at `path`, or an inline table around it."""
        return self.pair and path[: len(self.path)] == self.path


def _statements(text: str) -> list[Statement]:
    """The statements of a valid TOML text, in its order. The items of `[[name]]` are not told apart."""
    found: list[Statement] = []
    section: KeyPath = ()
    for start, end in _stretches(text):
        header, key = text[start] == "[", _KEY.match(text, start, end)
        assert key is not None
        data: Any = tomllib.loads(text[start:end] if header else f"{key[0]}0")
        names: list[str] = []
        while data:  # on the way down through tables of one key
            ((name, data),) = data.items()
            names.append(name)
            data = data[0] if isinstance(data, list) else data
        path = (*(() if header else section), *names)
        section = path if header else section
        found.append(Statement(path, section, start, key.span(1), start if header else key.end(), end))
    return found


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Where each statement starts and ends: at the line breaks outside of brackets and strings."""
    start, end, depth = -1, 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] == "\n" and depth == 0 and start >= 0:
            yield start, end
            start = -1
        elif token[0] != "\n" and token[0][0] != "#":
            start, end = token.start() if start < 0 else start, token.end()
            depth += (token[0] in "[{") - (token[0] in "]}")
    if start >= 0:
        yield start, end


def _node(data: Any, standing: Mapping[KeyPath, Statement], path: KeyPath, depth: int, place: int) -> Node:
    """The node of what stands at `path`. One that no statement is about is empty, at the `place` of those above."""
    if depth > MAX_DEPTH:
        raise RecursionError
    own = standing.get(path)
    start, end = (own.value, own.end) if own else (place, place)
    if isinstance(data, dict):
        pairs = []
        for name, value in data.items():
            below = standing.get((*path, name))
            key = ScalarNode(*(below.key if below else (start, start)), None, None, name, '"', (False, True))
            pairs.append(Pair(key, _node(value, standing, (*path, name), depth + 1, key.start)))
        return MappingNode(start, end, None, None, tuple(pairs), False)
    if isinstance(data, list):
        items = tuple(_node(item, standing, path, depth + 1, start) for item in data)
        return SequenceNode(start, end, None, None, items, True)
    content = data if isinstance(data, bool | int | float | str) else str(data)  # a date stays text
    if isinstance(content, int):
        float(content)  # or it is refused, as beyond the digits that Python converts
    return TypedScalarNode(start, end, None, None, str(content), '"', (False, True), content)


def plan_toml_patch(
    document: ConfigDocument, path: KeyPath, wanted: Mapping[str, Value], units: Collection[str] = ()
) -> Patch:
    """As `plan_patch`, of a TOML document."""
    for depth in range(1, len(path) + 1):
        above = lookup(document, path[:depth])
        if above and not isinstance(above.value, MappingNode):
            raise document.refusal(f"`{'.'.join(path[:depth])}` should be a table.", above.key)
    statements, data, desired = _statements(document.text), *(tomllib.loads(document.text) for _ in range(2))
    _desire(desired, path, wanted, units)
    values = dict(_changes(data, desired))
    _desire(data, path, {})  # a table that is not there yet lacks its keys one by one
    changes, missing = dict(_changes(data, desired)), dict[KeyPath, dict[str, Value]]()
    for (*table, key), value in changes.items():
        if value is not None and not any(one.holds((*table, key)) for one in statements):
            missing.setdefault(tuple(table), {})[key] = value
    edits = _rewritten(document, statements, desired, changes)
    edits += _inserted(document, statements, missing, path)
    lost = _comments(document.text) - _comments(splice(document.text, edits))
    if lost:
        message = f"The comment {next(iter(lost))!r} stands inside a value that is to be replaced."
        raise AutocalError(message, place=Place(document.path), fix="Move it behind the value, or above it.")
    return Patch(tuple(edits), values)


def toml_text_without(document: ConfigDocument, path: KeyPath) -> str:
    """As `text_without`, of a TOML document; an inline table around the pair is written anew in any case."""
    desired = tomllib.loads(document.text)
    (_at(desired, path[:-1]) or {}).pop(path[-1], None)
    edits = _rewritten(document, _statements(document.text), desired, [path])
    return splice(document.text, edits).rstrip("\r\n")


def _desire(table: dict[str, Any], path: KeyPath, wanted: Mapping[str, Value], units: Collection[str] = ()) -> None:
    """Has what stands at `path` say what is wanted, mappings key by key but for the `units`."""
    for key in path:
        table = table.setdefault(key, {})
    for key, value in wanted.items():
        if isinstance(value, dict) and isinstance(table.get(key), dict) and key not in units:
            _desire(table, (key,), value)
        else:
            table[key] = value


def _changes(old: Any, new: Any, path: KeyPath = (), ordered: bool = False) -> Iterator[tuple[KeyPath, Any]]:
    """What reads otherwise in `new`, by its path, inner tables first; None for what is gone.

    Where they are to be `ordered`, so does a table with the keys of the old one in another order.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        if ordered and [key for key in old if key in new] != [key for key in new if key in old]:
            yield path, new
        for key in sorted({**old, **new}, key=lambda key: not isinstance(old.get(key), dict)):
            yield from _changes(old.get(key), new.get(key), (*path, key), ordered)
    elif not same_data(old, new):
        yield path, new


def _rewritten(
    document: ConfigDocument, statements: Sequence[Statement], desired: Any, changed: Collection[KeyPath]
) -> list[Edit]:
    """Replaces the values of what `changed` and of what is around it, and takes out what is gone."""
    text, edits = document.text, []
    for one in statements:
        if not any(one.holds(path) or one.path[: len(path)] == path for path in changed):
            continue
        value, rest = _at(desired, one.path), len(text) - len(text[one.end :].lstrip(" \t"))
        if one.pair and value is not None:
            edits.append(Edit(one.value, one.end, render_inline(value)))
        elif text.startswith("#", rest):  # a comment is left, and with it the line
            edits.append(Edit(one.start, rest, ""))
        else:
            edits.append(Edit(document.line_start(one.start), next_line(text, one.end), ""))
    return edits


def _inserted(
    document: ConfigDocument,
    statements: Sequence[Statement],
    missing: Mapping[KeyPath, Mapping[str, Value]],
    block: KeyPath,
) -> list[Edit]:
    """Adds pairs to tables: to their section, beside their dotted keys, or as a section at the end of their owner's."""
    text, edits, sections = document.text, list[Edit](), list[Edit]()
    for path, pairs in missing.items():
        own = [one for one in statements if one.section == path]
        below = [one for one in statements if one.path[: len(path)] == path]
        dotted = [] if own else [one for one in below if one.pair and len(one.section) < len(path)]
        owner = [one for one in statements if one.path[: len(path) - 1] == path[:-1]][-1].section
        last = (own or dotted or [one for one in statements if one.section == owner])[-1]
        after, prefix, lines = last.end, path[len(last.section) :] if dotted else (), []
        for key, value in pairs.items():  # mappings as dotted keys
            head, inner = _dotted(*prefix, key), value if isinstance(value, dict) and path == block else {}
            lines += [f"{head}.{_dotted(name)} = {render_inline(item)}" for name, item in inner.items()]
            lines += [] if inner else [f"{head} = {render_inline(value)}"]
        if own or dotted:
            edits.append(lines_below(document, after, lines))
            continue
        while text[(line := next_line(text, after)) :].lstrip(" \t").startswith("#"):
            after = document.line_end(line)
        lines = ["", f"[{_dotted(*path)}]", *lines, *([""] if text[line:] and text[line] not in "\r\n" else [])]
        sections.append(lines_below(document, after, lines))
    return edits + sections  # a section behind the lines that the one above it gets at the same place


def _dotted(*names: str) -> str:
    return ".".join(SingleKey(name).as_string() for name in names)


def render_inline(value: Value) -> str:
    """A value on one line.

    >>> render_inline({"until": 0.1, "kinds": ["gan"]})
    '{until = 0.1, kinds = ["gan"]}'
    """
    return render_flow(value, _dotted, lambda scalar: tomlkit.item(scalar).as_string(), " = ")


def verify_toml(
    before: ConfigDocument, after: ConfigDocument, values: Mapping[KeyPath, Value], dropped: Collection[str] = ()
) -> None:
    """The proof: what reads otherwise is what was set, with its exact type; no comment is lost but those `dropped`.

    Raises VerificationError.
    """
    found = dict(_changes(tomllib.loads(before.text), tomllib.loads(after.text), ordered=True))
    for path in {**found, **values}:
        if path not in found or path not in values or not same_data(found[path], values[path]):
            raise VerificationError(f"`{'.'.join(path)}` reads back as {found.get(path)!r}, not {values.get(path)!r}.")
    lost = _comments(before.text) - _comments(after.text) - Counter(dropped)
    if lost:
        raise VerificationError(f"A comment would be lost: {next(iter(lost))!r}.")


def _at(data: Any, path: KeyPath) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _comments(text: str) -> Counter[str]:
    return Counter(match[0].rstrip() for match in _TOKEN.finditer(text) if match[0].startswith("#"))
