"""TOML text -> the same tree of nodes as YAML gives, so that all that reads a config reads both.

tomllib says what the text means (neosr reads with it too); the scanner here only finds where each key and value stands.
What it found is held against tomllib's data node by node, so that a tree that is handed on has been proven.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from autocal_cli.config.document import (
    MAX_DEPTH,
    ConfigDocument,
    MappingNode,
    Node,
    Pair,
    ScalarNode,
    SequenceNode,
    TypedScalarNode,
)
from autocal_cli.config.record import KeyPath
from autocal_cli.config.toml_scanner import KeyPart, Scanner, Statement, Value
from autocal_cli.errors import AutocalError, Place

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


def _draft(value: Value) -> Any:
    if value.pairs is not None:
        table = _Table(value.start, value.end, {}, inline=True)
        for key, inner in value.pairs:
            owner = _descend(table, key[:-1], inner.end)
            owner.entries[key[-1].name] = (key[-1], _draft(inner))
        table.end = value.end
        return table
    return value


def _frozen(draft: _Table | _Tables | Value, data: Any, depth: int) -> Node:
    """The node of a draft, with tomllib's data for its values. That the two are of one shape is asserted."""
    if depth > MAX_DEPTH:
        raise RecursionError
    match draft:
        case _Table():
            assert isinstance(data, dict)
            assert list(draft.entries) == list(data)
            pairs = tuple(
                Pair(ScalarNode(key.start, key.end, None, None, key.name, '"'), _frozen(inner, data[name], depth + 1))
                for name, (key, inner) in draft.entries.items()
            )
            return MappingNode(draft.start, draft.end, None, None, pairs, draft.inline)
        case _Tables(items=items):
            assert isinstance(data, list)
            tables = tuple(_frozen(item, one, depth + 1) for item, one in zip(items, data, strict=True))
            return SequenceNode(items[0].start, items[-1].end, None, None, tables, False)
        case Value(items=list() as found):
            assert isinstance(data, list)
            nodes = tuple(_frozen(_draft(item), one, depth + 1) for item, one in zip(found, data, strict=True))
            return SequenceNode(draft.start, draft.end, None, None, nodes, True)
        case Value():
            assert not isinstance(data, dict | list)
            content = data if isinstance(data, bool | int | float | str) else draft.text  # a date stays text
            return TypedScalarNode(draft.start, draft.end, None, None, str(content), '"', content, draft.text)
    raise AssertionError(draft)


def statements_below(document: TomlDocument, path: KeyPath) -> list[Statement]:
    """The statements that say something of the table or key at `path`, in order."""
    return [statement for statement in document.statements if statement.path[: len(path)] == path]
