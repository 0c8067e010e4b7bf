"""TOML configs (neosr's): tomllib says what they mean, a small locator where it stands, and tomlkit edits them.

The tree is that of YAML's documents, so that all that reads a config reads both.
"""

from __future__ import annotations

import difflib
import itertools
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Mapping, MutableMapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, SingleKey, Table

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
from autocal_cli.errors import AutocalError, Place, VerificationError

# tomllib's time grows with the square of the parts of a dotted key, so that a megabyte of `a.a.a...` would not end.
_LONG_KEY = re.compile(r"""(?:(?:"[^"\n]*"|'[^'\n]*'|[\w-]+)[ \t]*\.[ \t]*)""" f"{{{MAX_DEPTH}}}")
_AT = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)")


def parse_toml(text: str, bom: bool, path: str) -> ConfigDocument:
    """Parses the text of a TOML config (without its byte order mark). Raises AutocalError, with the place."""
    long_key = _LONG_KEY.search(text)
    if long_key:
        raise AutocalError(f"A key has more than {MAX_DEPTH} parts.", place=_place(text, path, long_key.start()))
    try:
        root = _tree(tomllib.loads(text), Locator(text).spans, (), 0)
    except tomllib.TOMLDecodeError as error:
        raise _refusal(str(error), text, path) from None
    except RecursionError:
        raise AutocalError(f"The file nests deeper than {MAX_DEPTH} levels.", place=Place(path)) from None
    except ValueError:
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


# Where keys and values stand, by path; items of lists and of `[[name]]` by number. The text is valid: tomllib read it.

Spans = dict[tuple[str | int, ...], tuple[int, int, int, int]]  # start and end of the key, and of the value

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|'
    r"'''.*?'{3,5}|"
    r'"(?:\\.|[^"\\])*"|'
    r"'[^']*'|"  # strings
    r"\d{4}-\d\d-\d\d \d[^\s,\]}#]*|[\[\]{}=,]|#[^\r\n]*|[^\s\[\]{}=,#\"']+",
    re.DOTALL,
)


class Locator:
    """Every key and value of a valid TOML text in its order (`spans`); a table is where its header is, or its key."""

    def __init__(self, text: str) -> None:
        self.tokens = [match for match in _TOKEN.finditer(text) if not match[0].startswith("#")][::-1]  # the next: last
        self.spans: Spans = {}
        self.headers: list[int] = []
        self.repeated: dict[tuple[str | int, ...], int] = {}  # how often `[[name]]` stood there
        section: tuple[str | int, ...] = ()
        while self.tokens:
            if self.tokens[-1][0] == "[":
                section = self._header()
            else:
                self._pair(section)

    def _header(self) -> tuple[str | int, ...]:
        start = self.tokens.pop().start()
        self.headers.append(start)
        repeated = self.tokens[-1][0] == "["
        if repeated:
            self.tokens.pop()
        keys = self._key("]")
        if repeated:
            self.tokens.pop()
        path: tuple[str | int, ...] = ()
        for number, (name, key_start, key_end) in enumerate(keys, start=1):
            path = (*path, name)
            self.spans.setdefault(path, (key_start, key_end, key_start, key_end))
            if repeated and number == len(keys):
                self.repeated[path] = self.repeated.get(path, 0) + 1
            if path in self.repeated:
                path = (*path, self.repeated[path] - 1)
        _, key_start, key_end = keys[-1]
        self.spans[path] = (key_start, key_end, start, key_end + 1)
        return path

    def _pair(self, section: tuple[str | int, ...]) -> None:
        path = section
        for name, start, end in self._key("="):
            path = (*path, name)
            self.spans.setdefault(path, (start, end, start, end))
        start, end = self._value(path)
        self.spans[path] = (*self.spans[path][:2], start, end)

    def _key(self, closing: str) -> list[tuple[str, int, int]]:
        """The parts of a key up to the `closing` token, which is passed."""
        parts = []
        while (token := self.tokens.pop())[0] != closing:
            if token[0][0] in "\"'":
                parts.append((str(tomllib.loads(f"x = {token[0]}")["x"]), token.start(), token.end()))
            else:
                for part in re.finditer(r"[^.]+", token[0]):
                    parts.append((part[0], token.start() + part.start(), token.start() + part.end()))
        return parts

    def _value(self, path: tuple[str | int, ...]) -> tuple[int, int]:
        token = self.tokens.pop()
        closing, number = {"[": "]", "{": "}"}.get(token[0]), 0
        while closing and self.tokens[-1][0] != closing:
            if self.tokens[-1][0] == ",":
                self.tokens.pop()
            elif closing == "}":
                self._pair(path)
            else:
                start, end = self._value((*path, number))
                self.spans[*path, number] = (start, start, start, end)
                number += 1
        return token.start(), self.tokens.pop().end() if closing else token.end()


def _tree(data: Any, spans: Spans, path: tuple[str | int, ...], depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise RecursionError
    start, end = spans.get(path, (0, 0, 0, 0))[2:]
    if isinstance(data, dict):
        pairs = []
        for name, value in data.items():
            key = ScalarNode(*spans[*path, name][:2], None, None, name, '"', (False, True))
            pairs.append(Pair(key, _tree(value, spans, (*path, name), depth + 1)))
        return MappingNode(start, end, None, None, tuple(pairs), False)
    if isinstance(data, list):
        items = tuple(_tree(item, spans, (*path, number), depth + 1) for number, item in enumerate(data))
        return SequenceNode(start, end, None, None, items, True)
    content = data if isinstance(data, bool | int | float | str) else str(data)  # a date stays text
    return TypedScalarNode(start, end, None, None, str(content), '"', (False, True), content)


# Edits, by tomlkit. A block that is missing, or in pieces (`train.block.key = 1`), becomes a section of its own.


def plan_toml_patch(
    document: ConfigDocument, path: KeyPath, wanted: Mapping[str, Value], units: Collection[str] = ()
) -> Patch:
    """As `plan_patch`, of a TOML document. Keys whose wanted value is None are left out: TOML has no null."""
    content, pair = without_nulls(dict(wanted)), lookup(document, path)
    assert isinstance(content, dict)
    for depth in range(1, len(path) + 1):
        above = lookup(document, path[:depth])
        if above and not isinstance(above.value, MappingNode):
            message = f"`{'.'.join(path[:depth])}` should be a table."
            raise AutocalError(message, place=document.place(above.key.start))
    data = _editable(document)
    owner = _at(data, path[:-1])
    values: dict[KeyPath, Value] = {}
    try:
        if pair and document.text[pair.value.start] in "[{":
            _update_in(owner, path, content, frozenset(units), values)
            edits = _differences(document, tomlkit.dumps(data))
        elif isinstance(owner, InlineTable):
            owner[path[-1]] = tomlkit.value(render_inline(content))
            edits, values = _differences(document, tomlkit.dumps(data)), {path: content}
        elif pair is None:
            edits, values = (_section(document, path, content),), {path: content}
        else:
            whole = tomlkit.value(render_inline(owner[path[-1]].unwrap()))
            _update(whole, path, content, frozenset(units), values)
            del owner[path[-1]]
            bare = parse_toml(tomlkit.dumps(data), document.bom, document.path)
            values = {path: whole.unwrap()} if values else {}
            edits = _differences(document, splice(bare.text, [_section(bare, path, whole.unwrap())])) if values else ()
        if edits:
            after = parse_toml(splice(document.text, edits), document.bom, document.path)
            verify_toml(document, after, values)
            _editable(after)  # for the next patch
    except (VerificationError, TOMLKitError, AutocalError):  # scattered sections, comments on their way
        raise _unkeepable(document, "tomlkit cannot edit this block without touching what stands around it.") from None
    return Patch(edits, values)


def _editable(document: ConfigDocument) -> Any:
    """tomlkit's document. Raises AutocalError where that is not the text to the byte."""
    try:
        data = tomlkit.parse(document.text)
        same = tomlkit.dumps(data) == document.text
    except (TOMLKitError, ValueError, RecursionError):
        same = False
    if not same:
        raise _unkeepable(document, "tomlkit cannot keep this file as it is.")
    return data


def _unkeepable(document: ConfigDocument, message: str) -> AutocalError:
    fix = "Give each table one section, `[train]` above `[train.x]`, and keep comments out of what autocal wrote."
    return AutocalError(message, place=Place(document.path), fix=fix)


def _section(document: ConfigDocument, path: KeyPath, content: Mapping[str, Value]) -> Edit:
    """The table at `path` as a section, an empty line above it, behind its owner and the comments there."""
    found = Locator(document.text)
    own = [end for at, (*_, end) in found.spans.items() if at[: len(path) - 1] == path[:-1]]
    following = next((start for start in found.headers if own and start > max(own)), len(document.text))
    after = max((end for *_, end in found.spans.values() if end <= following), default=0)
    while document.text[(line := next_line(document.text, after)) :].lstrip(" \t").startswith("#"):
        after = document.line_end(line)
    table = tomlkit.table()
    _update(table, path, content, frozenset(), {})
    lines = ["", f"[{'.'.join(SingleKey(name).as_string() for name in path)}]", *table.as_string().splitlines()]
    below = document.text[line:]
    return lines_below(document, after, [*lines, ""] if below and not below.startswith(("\n", "\r\n")) else lines)


def _update(
    table: Any, path: KeyPath, wanted: Mapping[str, Value], units: frozenset[str], values: dict[KeyPath, Value]
) -> None:
    """Has the table at `path` say what is wanted; `values` collects what is set."""
    missing: dict[str, Value] = {}
    for key, value in wanted.items():
        standing, here = table.get(key), (*path, key)
        if isinstance(value, dict) and isinstance(standing, MutableMapping) and key not in units:
            _update_in(table, here, value, frozenset(), values)
        elif standing is None or not same_data(_plain(standing), value):
            values[here] = value
            if standing is None or key in units:
                missing[key] = value
            else:
                table[key] = tomlkit.value(render_inline(value))
    for key in missing:
        table.pop(key, None)
    _append(table, missing)


def _update_in(
    owner: Any, path: KeyPath, wanted: Mapping[str, Value], units: frozenset[str], values: dict[KeyPath, Value]
) -> None:
    table = owner[path[-1]]
    size = len(table)
    _update(table, path, wanted, units, values)
    if len(table) != size:
        _respell(owner, path[-1])


def _respell(owner: Any, key: str) -> None:
    """Writes an inline table anew, since the commas that tomlkit puts between its keys change as keys come and go."""
    if isinstance(owner[key], InlineTable):
        owner[key] = tomlkit.value(render_inline(owner[key].unwrap()))


def _append(table: Any, pairs: Mapping[str, Value]) -> None:
    """Adds pairs behind the last one, above the comments that stand there. Mappings become dotted keys."""
    body = table.value.body if isinstance(table, Table) else []
    tail = list(itertools.takewhile(lambda item: item[0] is None, reversed(body)))[::-1]
    del body[len(body) - len(tail) :]
    for key, value in pairs.items():
        if isinstance(value, dict) and value and isinstance(table, Table):
            for name, inner in value.items():
                table.append(tomlkit.key([key, name]), tomlkit.value(render_inline(inner)))
        else:
            table[key] = tomlkit.value(render_inline(value))
    body += tail


def _plain(item: Any) -> Any:
    return item.unwrap() if hasattr(item, "unwrap") else item


def _differences(document: ConfigDocument, after: str) -> tuple[Edit, ...]:
    """The stretches of lines that are not in both texts, with the line endings of the document."""
    old, new = document.text.splitlines(keepends=True), after.splitlines(keepends=True)
    starts = [0, *itertools.accumulate(map(len, old))]
    return tuple(
        Edit(starts[a], starts[b], re.sub(r"\r?\n", document.newline, "".join(new[c:d])))
        for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if kind != "equal"
    )


def toml_text_without(document: ConfigDocument, path: KeyPath) -> str:
    """As `text_without`, of a TOML document, and without empty lines, since tomlkit adds some."""
    text, owner = document.text, lookup(document, path[:-1])
    if owner and isinstance(owner.value, MappingNode):
        data = _editable(document)
        table = _at(data, path[:-1])
        table.pop(path[-1], None)
        _respell(_at(data, path[:-2]), path[-2])
        text = splice(text, _differences(document, tomlkit.dumps(data)))
    return re.sub(r"\n(?:[ \t]*\r?\n)+", "\n", text).rstrip("\r\n")


def render_inline(value: Value) -> str:
    """A value on one line.

    >>> render_inline({"until": 0.1, "kinds": ["gan"]})
    '{until = 0.1, kinds = ["gan"]}'
    """
    if isinstance(value, dict):
        pairs = (f"{SingleKey(key).as_string()} = {render_inline(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(render_inline(item) for item in value) + "]"
    return tomlkit.item(value).as_string()


def without_nulls(value: Value) -> Value:
    """The value without the keys that hold None, which TOML cannot say."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


# The proof that a patched TOML config says what was meant and nothing else otherwise.


def verify_toml(before: ConfigDocument, after: ConfigDocument, values: Mapping[KeyPath, Value]) -> None:
    """Without the keys set, both files have the same keys and values, as written and in their order; each key set
    reads back with its exact type, by tomllib and by tomlkit; no comment is lost. Raises VerificationError.
    """
    both = [(_spelt(one, frozenset(values)), repr(_pruned(tomllib.loads(one.text), values))) for one in (before, after)]
    if both[0] != both[1]:
        raise VerificationError("Something outside the edited keys reads differently.")
    for reader, data in (("tomllib", tomllib.loads(after.text)), ("tomlkit", tomlkit.parse(after.text).unwrap())):
        for path, value in values.items():
            if not same_data(_at(data, path), value):
                raise VerificationError(f"`{'.'.join(path)}` does not read back as {value!r} with {reader}.")
    lost = _comments(before) - _comments(after)
    if lost:
        raise VerificationError(f"A comment would be lost: {next(iter(lost))!r}.")


def _at(data: Any, path: KeyPath) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _comments(document: ConfigDocument) -> Counter[str]:
    return Counter(match[0].rstrip() for match in _TOKEN.finditer(document.text) if match[0].startswith("#"))


def _pruned(data: Any, paths: Collection[KeyPath], path: KeyPath = ()) -> Any:
    """The data without what stands at the `paths`."""
    if not isinstance(data, dict):
        return data
    return {key: _pruned(item, paths, (*path, key)) for key, item in data.items() if (*path, key) not in paths}


def _spelt(document: ConfigDocument, without: frozenset[KeyPath]) -> list[tuple[object, ...]]:
    """The single values as they are written, in the order of the text, but for those below the paths `without`."""
    spans = Locator(document.text).spans
    tables = {path[:-1] for path in spans}
    return [
        (path, document.text[start:end])
        for path, (*_, start, end) in spans.items()
        if path not in tables and document.text[start] not in "[{"
        if not any(path[:depth] in without for depth in range(1, len(path) + 1))
    ]
