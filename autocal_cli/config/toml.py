"""TOML configs (neosr's): tomllib says what they mean, and edits replace whole statements or their values.

The tree is that of YAML's documents, so that all that reads a config reads both. A statement is a header or a
`key = value`; of what stands inside an inline value only the place of its statement is known.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
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
            message = f"`{'.'.join(path[:depth])}` should be a table."
            raise AutocalError(message, place=document.place(above.key.start))
    planner = _Planner(document, path)
    planner.desire(path, wanted, units)
    planner.change()
    planner.fill(path)
    edits = (*planner.edits, *planner.sections)
    lost = _comments(document.text) - _comments(splice(document.text, edits))
    if lost:
        message = f"The comment {next(iter(lost))!r} stands inside a value that is to be replaced."
        raise AutocalError(message, place=Place(document.path), fix="Move it behind the value, or above it.")
    return Patch(edits, planner.values)


def toml_text_without(document: ConfigDocument, path: KeyPath) -> str:
    """As `text_without`, of a TOML document; an inline table around the pair is written anew in any case."""
    planner = _Planner(document, path)
    (_at(planner.desired, path[:-1]) or {}).pop(path[-1], None)
    planner.change(respell=True)
    return splice(document.text, planner.edits).rstrip("\r\n")


class _Planner:
    """Collects the edits that have a document say what is `desired` at `path`, and the `values` that they set."""

    def __init__(self, document: ConfigDocument, path: KeyPath) -> None:
        self.document, self.path = document, path
        self.statements = _statements(document.text)
        self.data, self.desired = tomllib.loads(document.text), tomllib.loads(document.text)
        self.edits: list[Edit] = []
        self.sections: list[Edit] = []  # new ones: behind the lines that the section above them gets at the same place
        self.values: dict[KeyPath, Value] = {}

    def desire(self, path: KeyPath, wanted: Mapping[str, Value], units: Collection[str]) -> None:
        """Has the table at `path` say what is wanted, mappings key by key but for the `units`."""
        table = self.desired
        for key in path:
            table = table.setdefault(key, {})
        for key, value in wanted.items():
            if isinstance(value, dict) and isinstance(table.get(key), dict) and key not in units:
                self.desire((*path, key), value, ())
            else:
                table[key] = value

    def change(self, respell: bool = False) -> None:
        """Replaces and takes out what stands at `path` or around it; `respell` writes what is around it in any case."""
        text, path = self.document.text, self.path
        for one in self.statements:
            around = respell and one.holds(path) and one.path != path
            old, value = _at(self.data, one.path), _at(self.desired, one.path)
            if not around and (same_data(old, value) or not (one.pair or value is None)):
                continue
            if value is None:  # with its line, unless a comment stands there, which is left
                rest = len(text[one.end :]) - len(text[one.end :].lstrip(" \t"))
                comment = text.startswith("#", one.end + rest)
                line, below = text.rfind("\n", 0, one.start) + 1, next_line(text, one.end)
                self.edits.append(Edit(one.start, one.end + rest, "") if comment else Edit(line, below, ""))
            else:
                self.edits.append(Edit(one.value, one.end, render_inline(value)))
            gone = next((n for n in range(len(one.path)) if _at(self.desired, one.path[:n]) is None), len(one.path))
            self.values[one.path[:gone]] = value

    def fill(self, path: KeyPath) -> None:
        """Adds what the table at `path` lacks."""
        missing: dict[str, Value] = {}
        for key, value in _at(self.desired, path).items():
            here = (*path, key)
            if isinstance(value, dict) and isinstance(_at(self.data, here), dict):
                self.fill(here)
            elif not any(one.holds(here) for one in self.statements):
                missing[key] = value
        if missing and not any(one.holds(path) for one in self.statements):
            self._insert(path, missing)
            fresh = _at(self.data, path) is None
            self.values |= {path: missing} if fresh else {(*path, key): value for key, value in missing.items()}

    def _insert(self, path: KeyPath, pairs: Mapping[str, Value]) -> None:
        """Adds pairs to a table: to its section, beside its dotted keys, or as a section at the end of its owner's."""
        text, statements = self.document.text, self.statements
        own = [one for one in statements if one.section == path]
        below = [one for one in statements if one.path[: len(path)] == path]
        dotted = [] if own else [one for one in below if one.pair and len(one.section) < len(path)]
        owner = [one for one in statements if one.path[: len(path) - 1] == path[:-1]][-1].section
        last = (own or dotted or [one for one in statements if one.section == owner])[-1]
        after, prefix, lines = last.end, path[len(last.section) :] if dotted else (), []
        for key, value in pairs.items():  # mappings as dotted keys
            head, inner = _dotted(*prefix, key), value if isinstance(value, dict) and path == self.path else {}
            lines += [f"{head}.{_dotted(name)} = {render_inline(item)}" for name, item in inner.items()]
            lines += [] if inner else [f"{head} = {render_inline(value)}"]
        if own or dotted:
            self.edits.append(lines_below(self.document, after, lines))
            return
        while text[(line := next_line(text, after)) :].lstrip(" \t").startswith("#"):
            after = self.document.line_end(line)
        lines = ["", f"[{_dotted(*path)}]", *lines, *([""] if text[line:] and text[line] not in "\r\n" else [])]
        self.sections.append(lines_below(self.document, after, lines))


def _dotted(*names: str) -> str:
    return ".".join(SingleKey(name).as_string() for name in names)


def render_inline(value: Value) -> str:
    """A value on one line.

    >>> render_inline({"until": 0.1, "kinds": ["gan"]})
    '{until = 0.1, kinds = ["gan"]}'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_dotted(key)} = {render_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(render_inline(item) for item in value) + "]"
    return tomlkit.item(value).as_string()


def verify_toml(
    before: ConfigDocument, after: ConfigDocument, values: Mapping[KeyPath, Value], dropped: Collection[str] = ()
) -> None:
    """The proof: without what was set, both files have the same keys and values in their order; each value set reads
    back with its exact type; no comment is lost but those `dropped`. Raises VerificationError.
    """

    def pruned(data: Any, path: KeyPath = ()) -> Any:
        table = data.items() if isinstance(data, dict) else ()
        kept = {key: pruned(item, (*path, key)) for key, item in table if (*path, key) not in values}
        return kept if isinstance(data, dict) else data

    data = tomllib.loads(after.text)
    if not same_data(pruned(tomllib.loads(before.text)), pruned(data)):
        raise VerificationError("Something outside the edited keys reads differently.")
    for path, value in values.items():
        if not same_data(_at(data, path), value):
            raise VerificationError(f"`{'.'.join(path)}` does not read back as {value!r}.")
    lost = _comments(before.text) - _comments(after.text) - Counter(dropped)
    if lost:
        raise VerificationError(f"A comment would be lost: {next(iter(lost))!r}.")


def _at(data: Any, path: KeyPath) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _comments(text: str) -> Counter[str]:
    return Counter(match[0].rstrip() for match in _TOKEN.finditer(text) if match[0].startswith("#"))
