"""TOML text -> the same tree of nodes as YAML gives, so that all that reads a config reads both.

tomllib says what the text means (neosr reads with it too); the scanner here only finds where each key and value stands.
What it found is held against tomllib's data node by node, so that a tree that is handed on has been proven.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

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
    read_value,
    same_data,
)
from autocal_cli.config.yaml.edit import Edit, Patch, lines_below, next_line
from autocal_cli.errors import AutocalError, Place, VerificationError

# tomllib's time grows with the square of the parts of a dotted key, so that a megabyte of `a.a.a...` would not end.
_LONG_KEY = re.compile(r"""(?:(?:"[^"\n]*"|'[^'\n]*'|[\w-]+)[ \t]*\.[ \t]*)""" f"{{{MAX_DEPTH}}}")
_AT = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)")


@dataclass(frozen=True, eq=False)
class TomlDocument(ConfigDocument):
    """A TOML config: besides the tree, its statements in order, and the span of every comment."""

    statements: tuple[Statement, ...] = field(default=(), repr=False)
    comments: tuple[tuple[int, int], ...] = field(default=(), repr=False)


def parse_toml(text: str, bom: bool, path: str) -> TomlDocument:
    """Parses the text of a TOML config (without its byte order mark). Raises AutocalError, with the place."""
    long_key = _LONG_KEY.search(text)
    if long_key:
        line, column = _line_and_column(text, long_key.start())
        raise AutocalError(f"A key has more than {MAX_DEPTH} parts.", place=Place(path, line, column))
    try:
        data = tomllib.loads(text)
        scanner = Scanner(text)
        statements = scanner.statements()
        root = _frozen(_tables(statements), data, 0)
    except tomllib.TOMLDecodeError as error:
        raise _refusal(str(error), text, path) from None
    except RecursionError:
        raise AutocalError(f"The file nests deeper than {MAX_DEPTH} levels.", place=Place(path)) from None
    except ValueError:
        raise AutocalError("A number has more digits than Python converts.", place=Place(path)) from None
    assert isinstance(root, MappingNode)
    return TomlDocument(
        path, text, bom, root, (), {}, frozenset(), {}, "toml", tuple(statements), tuple(scanner.comments)
    )


def _refusal(error: str, text: str, path: str) -> AutocalError:
    at = _AT.search(error)
    place = Place(path)
    if at:
        line, column = (int(at[1]), int(at[2])) if at[1] else _line_and_column(text, len(text))
        place = Place(path, line, column)
    problem = " ".join(_AT.sub("", error).split())
    fix = "Put a Windows path between single quotes." if "Unescaped" in problem or "hex value" in problem else None
    return AutocalError(f"This is not valid TOML: {problem}.", place=place, fix=fix)


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


@dataclass(slots=True)
class _Table:
    """A table as it grows; `inline` has its braces in the text."""

    start: int
    end: int
    entries: dict[str, tuple[KeyPart, Any]]
    inline: bool = False


@dataclass(slots=True)
class _Tables:
    """The items of `[[name]]`."""

    items: list[_Table]


def _tables(statements: list[Statement]) -> _Table:
    """The tables that the statements make, whichever order they stand in."""
    root = section = _Table(0, 0, {})
    for statement in statements:
        if statement.value is not None:
            owner = _descend(section, statement.key[:-1], statement.end)
            owner.entries[statement.key[-1].name] = (statement.key[-1], _draft(statement.value))
            owner.end = section.end = statement.end
            continue
        *above, last = statement.key
        owner = _descend(root, above, statement.end)
        _, present = owner.entries.get(last.name, (None, None))
        fresh = _Table(statement.start, statement.end, {})
        if statement.repeated and isinstance(present, _Tables):
            present.items.append(fresh)
        elif statement.repeated:
            owner.entries[last.name] = (last, _Tables([fresh]))
        elif isinstance(present, _Table):  # made by the headers of its own tables before
            present.start, fresh = min(present.start, statement.start), present
        else:
            owner.entries[last.name] = (last, fresh)
        section = fresh
    return root


def _descend(table: _Table, parts: list[KeyPart] | tuple[KeyPart, ...], end: int) -> _Table:
    """The table that lies below `table` under the names of `parts`; those that are missing are made."""
    for part in parts:
        _, present = table.entries.setdefault(part.name, (part, _Table(part.start, end, {})))
        table = present.items[-1] if isinstance(present, _Tables) else present
        table.end = max(table.end, end)
    return table


def _draft(value: TomlValue) -> Any:
    if value.pairs is not None:
        table = _Table(value.start, value.end, {}, inline=True)
        for key, inner in value.pairs:
            owner = _descend(table, key[:-1], inner.end)
            owner.entries[key[-1].name] = (key[-1], _draft(inner))
        table.end = value.end
        return table
    return value


def _frozen(draft: _Table | _Tables | TomlValue, data: Any, depth: int) -> Node:
    """The node of a draft, with tomllib's data for its values. That the two are of one shape is asserted."""
    if depth > MAX_DEPTH:
        raise RecursionError
    match draft:
        case _Table():
            assert isinstance(data, dict)
            assert list(draft.entries) == list(data)
            pairs = tuple(
                Pair(
                    ScalarNode(key.start, key.end, None, None, key.name, '"', (False, True)),
                    _frozen(inner, data[name], depth + 1),
                )
                for name, (key, inner) in draft.entries.items()
            )
            return MappingNode(draft.start, draft.end, None, None, pairs, draft.inline)
        case _Tables(items=items):
            assert isinstance(data, list)
            tables = tuple(_frozen(item, one, depth + 1) for item, one in zip(items, data, strict=True))
            return SequenceNode(items[0].start, items[-1].end, None, None, tables, False)
        case TomlValue(items=list() as found):
            assert isinstance(data, list)
            nodes = tuple(_frozen(_draft(item), one, depth + 1) for item, one in zip(found, data, strict=True))
            return SequenceNode(draft.start, draft.end, None, None, nodes, True)
        case TomlValue():
            assert not isinstance(data, dict | list)
            content = data if isinstance(data, bool | int | float | str) else draft.text  # a date stays text
            return TypedScalarNode(
                draft.start, draft.end, None, None, str(content), '"', (False, True), content, draft.text
            )
    raise AssertionError(draft)


def statements_below(document: TomlDocument, path: KeyPath) -> list[Statement]:
    """The statements that say something of the table or key at `path`, in order."""
    return [statement for statement in document.statements if statement.path[: len(path)] == path]


# Where each key and value of a TOML text stands. The text is known to be valid: tomllib has read it.
#
# Grammar: toml.io, version 1.0.0.


_BLANK = re.compile(r"[ \t\r\n]+")
_COMMENT = re.compile(r"#[^\r\n]*")
_KEY = re.compile(r'"(?:\\.|[^"\\])*"|' r"'[^']*'|[A-Za-z0-9_-]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
# Strings over several lines may end in up to two quotes of their own before the three that close them.
_SCALAR = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|'
    r"'''.*?'''(?:'{0,2})|"
    r'"(?:\\.|[^"\\])*"|'
    r"'[^']*'"
    r"|\d{4}-\d\d-\d\d[ ]\d[^\s,\]}#]*|[^\s,\]}#]+",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One name of a dotted key."""

    start: int
    end: int
    name: str


Key = tuple[KeyPart, ...]


@dataclass(frozen=True, slots=True)
class TomlValue:
    """A value: the `items` of an array, the `pairs` of an inline table, or neither: a scalar."""

    start: int
    end: int
    text: str
    items: list[TomlValue] | None = None
    pairs: list[tuple[Key, TomlValue]] | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A `key = value`, a `[header]`, or a `[[header]]` (`repeated`); headers have no value.

    `path` is the key with the names of the section that it stands in.
    """

    start: int
    end: int
    key: Key
    value: TomlValue | None
    path: KeyPath
    repeated: bool = False

    @property
    def is_header(self) -> bool:
        return self.value is None


class Scanner:
    """Walks a valid text from its first character to its last; `comments` are the spans of those passed by."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.comments: list[tuple[int, int]] = []

    def statements(self) -> list[Statement]:
        found: list[Statement] = []
        section: KeyPath = ()
        self._skip()
        while self.at < len(self.text):
            start = self.at
            if self.text[start] == "[":
                repeated = self.text.startswith("[[", start)
                self.at += 1 + repeated
                key = self._key()
                self.at = self.text.index("]", self.at) + 1 + repeated
                section = tuple(part.name for part in key)
                found.append(Statement(start, self.at, key, None, section, repeated))
            else:
                key, value = self._pair()
                path = (*section, *(part.name for part in key))
                found.append(Statement(start, self.at, key, value, path))
            self._skip()
        return found

    def _skip(self) -> None:
        """Passes blanks, line breaks and comments."""
        while True:
            blank = _BLANK.match(self.text, self.at)
            if blank:
                self.at = blank.end()
            comment = _COMMENT.match(self.text, self.at)
            if not comment:
                return
            self.comments.append(comment.span())
            self.at = comment.end()

    def _key(self) -> Key:
        parts = []
        while True:
            self._skip()
            match = _KEY.match(self.text, self.at)
            assert match is not None
            parts.append(KeyPart(match.start(), match.end(), _name(match.group())))
            self.at = match.end()
            dot = _DOT.match(self.text, self.at)
            if not dot:
                return tuple(parts)
            self.at = dot.end()

    def _pair(self) -> tuple[Key, TomlValue]:
        key = self._key()
        equals = _EQUALS.match(self.text, self.at)
        assert equals is not None
        self.at = equals.end()
        return key, self._value()

    def _value(self) -> TomlValue:
        start = self.at
        match self.text[start]:
            case "[":
                items = []
                self.at += 1
                while self._more("]"):
                    items.append(self._value())
                return TomlValue(start, self.at, self.text[start : self.at], items=items)
            case "{":
                pairs = []
                self.at += 1
                while self._more("}"):
                    pairs.append(self._pair())
                return TomlValue(start, self.at, self.text[start : self.at], pairs=pairs)
            case _:
                match = _SCALAR.match(self.text, start)
                assert match is not None
                self.at = match.end()
                return TomlValue(start, self.at, match.group())

    def _more(self, closing: str) -> bool:
        """Whether another item follows, a comma passed; if none does, passes the closing bracket."""
        self._skip()
        if self.text[self.at] == ",":
            self.at += 1
            self._skip()
        if self.text[self.at] != closing:
            return True
        self.at += 1
        return False


def _name(raw: str) -> str:
    if raw[0] == '"':
        return str(tomllib.loads(f"x = {raw}")["x"]) if "\\" in raw else raw[1:-1]
    return raw[1:-1] if raw[0] == "'" else raw


# Plans the edits that make a TOML config say what is wanted, and touch nothing else.
#
# tomlkit writes the values; the edits are spans of text, as with YAML, so that the same proofs hold. A missing table
# becomes a section of its own behind the last section of its owner; a missing key a line behind the last of its table.


def plan_toml_patch(
    document: ConfigDocument, path: KeyPath, wanted: Mapping[str, Value], units: Collection[str] = ()
) -> Patch:
    """As `plan_patch`, of a TOML document. Keys whose wanted value is None are left out: TOML has no null."""
    assert isinstance(document, TomlDocument)
    planner = _Planner(document, frozenset(units), path)
    content = without_nulls(dict(wanted))
    assert isinstance(content, dict)
    mapping = document.root
    for depth, key in enumerate(path):
        pair = _own_pair(mapping, key)
        if pair is None:
            for outer in reversed(path[depth + 1 :]):
                content = {outer: content}
            planner.add_table(mapping, path[: depth + 1], content)
            break
        mapping = _table(document, pair.value, path[: depth + 1])
    else:
        planner.update(mapping, path, content)
    return Patch(tuple(planner.edits), planner.values)


def toml_text_without(document: ConfigDocument, path: KeyPath) -> str:
    """As `text_without`, of a TOML document: without the lines of every statement below `path`."""
    assert isinstance(document, TomlDocument)
    below = statements_below(document, path)
    spans = [(document.line_start(found.start), next_line(document.text, found.end)) for found in below]
    if not below:
        spans = [span for span in (_inline_span(document, path),) if span]
    text = document.text
    for start, end in reversed(spans):
        text = text[:start] + text[end:]
    return text.rstrip("\r\n")


def _inline_span(document: TomlDocument, path: KeyPath) -> tuple[int, int] | None:
    """The stretch of an inline table that holds the pair at `path`, with the comma before it."""
    node: Node = document.root
    span = None
    for key in path:
        pair = _own_pair(node, key) if isinstance(node, MappingNode) else None
        if pair is None or not isinstance(node, MappingNode):
            return None
        before = [other for other in node.pairs if other.value.end <= pair.key.start]
        span = (before[-1].value.end if before else pair.key.start, pair.value.end)
        node = pair.value
    return span


def _own_pair(mapping: MappingNode, key: str) -> Pair | None:
    found = mapping.all_pairs(key)
    return found[0] if found else None


def _table(document: TomlDocument, node: Node, path: KeyPath) -> MappingNode:
    if not isinstance(node, MappingNode):
        raise AutocalError(f"`{'.'.join(path)}` should be a table.", place=document.place(node.start))
    return node


class _Planner:
    def __init__(self, document: TomlDocument, units: frozenset[str], block: KeyPath) -> None:
        self.document = document
        self.units = units
        self.block = block
        self.edits: list[Edit] = []
        self.values: dict[KeyPath, Value] = {}

    def add_table(self, owner: MappingNode, path: KeyPath, content: dict[str, Value]) -> None:
        """Adds the missing table at `path`: between the braces of its owner, or as a section of its own."""
        self.values[path] = content
        if owner.flow:
            self._insert_inline(owner, path[:-1], {path[-1]: content})
        else:
            self._insert_section(path, content)

    def update(self, mapping: MappingNode, path: KeyPath, wanted: Mapping[str, Value]) -> None:
        missing: dict[str, Value] = {}
        for key, value in wanted.items():
            here = (*path, key)
            pair = _own_pair(mapping, key)
            unit = path == self.block and key in self.units
            if pair is None:
                missing[key] = value
                self.values[here] = value
            elif isinstance(value, dict) and isinstance(pair.value, MappingNode) and not unit:
                self.update(pair.value, here, value)
            elif not same_data(read_value(self.document, pair.value), value):
                self.values[here] = value
                self._set(mapping, pair, here, value)
        if missing:
            self._insert(mapping, path, missing)

    def _set(self, mapping: MappingNode, pair: Pair, path: KeyPath, value: Value) -> None:
        """Gives a key another value: in place, or, of a table with statements of its own, as new lines for the old."""
        below = statements_below(self.document, path)
        if not below or (len(below) == 1 and below[0].path == path and not below[0].is_header):
            self.edits.append(Edit(pair.value.start, pair.value.end, render_inline(value)))
            return
        first = self.document.statements.index(below[0])
        together = list(self.document.statements[first : first + len(below)]) == below
        if together and not any(statement.is_header for statement in below):
            start, end = self.document.line_start(below[0].start), below[-1].end
            self._replace_lines(start, end, [*self._comments(start, end), *self._lines(below[0], path, value)])
            return
        for statement in below:  # sections of their own, or scattered
            start, end = self.document.line_start(statement.start), next_line(self.document.text, statement.end)
            kept = self._comments(start, end)
            self.edits.append(Edit(start, end, "".join(line + self.document.newline for line in kept)))
        self._insert(mapping, path[:-1], {path[-1]: value}, without=path)

    def _lines(self, beside: Statement, path: KeyPath, value: Value) -> list[str]:
        """The statements that give the key at `path` its value, in the section and indentation of `beside`."""
        above = path[len(self._section_of(beside)) : -1]
        prefix = render_key(above) + "." if above else ""
        level = len(path) - 1 - len(self.block)
        return [self._indent(beside) + line for line in render_statements({path[-1]: value}, prefix, level)]

    def _comments(self, start: int, end: int) -> list[str]:
        return [self.document.text[a:b] for a, b in self.document.comments if start <= a < end]

    def _replace_lines(self, start: int, end: int, lines: list[str]) -> None:
        self.edits.append(Edit(start, end, self.document.newline.join(lines)))

    def _insert(
        self, mapping: MappingNode, path: KeyPath, pairs: Mapping[str, Value], without: KeyPath | None = None
    ) -> None:
        """Adds keys to the table at `path`; the statements below `without` are on their way out."""
        if mapping.flow or not statements_below(self.document, path):
            self._insert_inline(mapping, path, pairs)
            return
        level = len(path) - len(self.block)
        header, last = self._own_section(path, without)
        if last is not None:
            prefix = "" if header else render_key(path[len(self._section_of(last)) :]) + "."
            lines = [self._indent(last) + line for line in render_statements(pairs, prefix, level)]
            self._insert_lines(last.end, lines)
        else:
            self._insert_section(path, dict(pairs), without)

    def _own_section(self, path: KeyPath, without: KeyPath | None) -> tuple[bool, Statement | None]:
        """Whether the table has a header, and the statement behind which a key of its own may stand, if any may."""
        last, header, inside = None, False, False
        for statement in self.document.statements:
            if statement.is_header:
                inside = statement.path == path and not statement.repeated
                header = header or inside
            if without and statement.path[: len(without)] == without:
                continue
            dotted = not statement.is_header and statement.path[: len(path)] == path
            if inside or (dotted and not header and len(self._section_of(statement)) < len(path)):
                last = statement
        return header, last

    def _section_of(self, statement: Statement) -> KeyPath:
        return statement.path[: len(statement.path) - len(statement.key)]

    def _indent(self, statement: Statement) -> str:
        start = self.document.line_start(statement.start)
        return self.document.text[start : statement.start] if not statement.is_header else ""

    def _insert_inline(self, mapping: MappingNode, path: KeyPath, pairs: Mapping[str, Value]) -> None:
        """Adds keys between braces: of the table itself, or, of one made by dotted keys, of that which it stands in."""
        braces, node = 0, self.document.root
        for depth, key in enumerate(path, start=1):
            pair = _own_pair(node, key)
            assert pair is not None
            node = _table(self.document, pair.value, path[:depth])
            braces = depth if node.flow else braces
        items = render_items(pairs, path[braces:])
        if mapping.pairs:
            end = max(pair.value.end for pair in mapping.pairs)
            self.edits.append(Edit(end, end, f", {items}"))
        else:
            self.edits.append(Edit(mapping.start + 1, mapping.start + 1, items))

    def _insert_section(self, path: KeyPath, content: dict[str, Value], without: KeyPath | None = None) -> None:
        """Adds a section, with an empty line above it, behind the last statement of the table that it belongs to."""
        owner = statements_below(self.document, path) or statements_below(self.document, path[:-1])
        owner = [found for found in owner if not without or found.path[: len(without)] != without] or owner
        after = self._behind_comments(max(statement.end for statement in owner))
        lines = ["", f"[{render_key(path)}]", *render_statements(content, "", len(path) - len(self.block))]
        text = self.document.text
        following = text[next_line(text, after) :]
        if following and not following.startswith(("\n", "\r\n")):
            lines.append("")
        offset = next_line(text, after)
        if any(edit.start == offset and edit.new.endswith(self.document.newline * 2) for edit in self.edits):
            lines = lines[1:]  # the section before it brings the empty line
        self._insert_lines(after, lines)

    def _behind_comments(self, after: int) -> int:
        """The end of the comment lines that follow without an empty line between: they belong to what stands above."""
        text = self.document.text
        while True:
            line = next_line(text, after)
            end = self.document.line_end(line) if line < len(text) else line
            if not text[line:end].lstrip(" \t").startswith("#") or end == after:
                return after
            after = end

    def _insert_lines(self, after: int, lines: list[str]) -> None:
        self.edits.append(lines_below(self.document, after, lines))


# Plain data -> lines of TOML. Scalars and keys are written by tomlkit.
#
# A mapping is written with dotted keys, so that a block stays one section. Below the first level a mapping of single
# values takes one line (`phases.early = {until = 0.1, rate = 0.5}`), and so does each item of a list of mappings.


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


# The proof that a patched TOML config says what was meant and nothing else otherwise.


def verify_toml(before: ConfigDocument, after: ConfigDocument, values: Mapping[KeyPath, Value]) -> None:
    """Without the keys set, both files have the same keys and values, as written and in their order; each key set
    reads back with its exact type, by tomllib and by tomlkit; no comment is lost. Raises VerificationError.
    """
    assert isinstance(before, TomlDocument)
    assert isinstance(after, TomlDocument)
    set_paths = frozenset(values)
    if list(_walk(before.root, (), set_paths)) != list(_walk(after.root, (), set_paths)):
        raise VerificationError("Something outside the edited keys reads differently.")
    for reader, data in (
        ("tomllib", tomllib.loads(after.text)),
        ("tomlkit", tomlkit.parse(after.text).unwrap()),
    ):
        for path, value in values.items():
            if not same_data(_at(data, path), value):
                raise VerificationError(f"`{'.'.join(path)}` does not read back as {value!r} with {reader}.")
    lost = _comments(before) - _comments(after)
    if lost:
        raise VerificationError(f"A comment would be lost: {next(iter(lost))!r}.")


def _at(data: Any, path: KeyPath) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _comments(document: TomlDocument) -> Counter[str]:
    return Counter(document.text[start:end].rstrip() for start, end in document.comments)


def _walk(node: Node, path: KeyPath | None, without: frozenset[KeyPath]) -> Iterator[tuple[object, ...]]:
    """The tree as a flat list, without what stands at the paths `without`; scalars as they are written."""
    match node:
        case TypedScalarNode():
            yield ("scalar", node.text, repr(node.content))
        case SequenceNode():
            yield ("array", node.flow)
            for item in node.items:
                yield from _walk(item, None, without)
            yield ("end",)
        case MappingNode():
            yield ("table", node.flow)
            for pair in node.pairs:
                name = pair.key.value  # type: ignore[attr-defined]
                here = (*path, name) if path is not None else None
                if here not in without:
                    yield ("key", name)
                    yield from _walk(pair.value, here, without)
            yield ("end",)
