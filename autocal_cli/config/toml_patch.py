"""Plans the edits that make a TOML config say what is wanted, and touch nothing else.

tomlkit writes the values; the edits are spans of text, as with YAML, so that the same proofs hold. A missing table
becomes a section of its own behind the last section of its owner; a missing key a line behind the last of its table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from autocal_cli.config.document import ConfigDocument, MappingNode, Node, Pair
from autocal_cli.config.edits import Edit, Patch
from autocal_cli.config.extent import lines_below, next_line
from autocal_cli.config.reading import read_value, same_data
from autocal_cli.config.record import KeyPath, Value
from autocal_cli.config.toml_document import TomlDocument, statements_below
from autocal_cli.config.toml_render import render_inline, render_items, render_key, render_statements, without_nulls
from autocal_cli.config.toml_scanner import Statement
from autocal_cli.errors import AutocalError


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
