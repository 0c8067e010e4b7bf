"""Plans the edits that make a config say what is wanted, and touch nothing else.

Only keys that are missing or that read differently are edited: a scalar in place, a missing key as whole lines after
the last token of its mapping (or before the closing brace, in flow style).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from autocal_cli.config.comments import comments_between
from autocal_cli.config.document import AliasNode, ConfigDocument, MappingNode, Node, Pair, ScalarNode
from autocal_cli.config.edits import Edit, Patch
from autocal_cli.config.extent import (
    behind_deeper_comments,
    colon_end,
    last_node,
    last_token_end,
    lines_below,
    next_line,
)
from autocal_cli.config.reading import read_scalar, read_value, same_data
from autocal_cli.config.record import KeyPath, Value
from autocal_cli.config.render import render_body, render_flow, render_pairs
from autocal_cli.config.scalars import write_scalar
from autocal_cli.config.toml_patch import plan_toml_patch, toml_text_without
from autocal_cli.errors import AutocalError


def plan_patch(
    document: ConfigDocument, path: KeyPath, wanted: Mapping[str, Value], units: Collection[str] = ()
) -> Patch:
    """Plans how the mapping at `path` comes to say `wanted`; keys that `wanted` lacks are left as they are.

    The mapping may be absent or null; its parent must exist. Mappings are compared key by key, those named in `units`
    (first level) as a whole. Raises AutocalError where an alias, an anchor, a duplicate or an unusual key
    stands on the way.
    """
    if document.language == "toml":
        return plan_toml_patch(document, path, wanted, units)
    planner = _Planner(document, frozenset(units), len(path))
    parent: Node = document.root
    for depth, key in enumerate(path):
        mapping = planner.editable_mapping(parent, path[:depth])
        pair = planner.only_pair(mapping, key, path[: depth + 1])
        if pair is None or planner.is_null(pair.value):
            missing: dict[str, Value] = dict(wanted)
            for outer in reversed(path[depth + 1 :]):
                missing = {outer: missing}
            planner.set_key(mapping, pair, path[: depth + 1], missing)
            break
        parent = pair.value
    else:
        planner.update(planner.editable_mapping(parent, path), path, wanted)
    return Patch(tuple(planner.edits), planner.values)


def _own_pair(mapping: MappingNode, key: str) -> Pair | None:
    found = mapping.all_pairs(key)
    return found[-1] if found else None


class _Planner:
    def __init__(self, document: ConfigDocument, units: frozenset[str], depth: int) -> None:
        self.document = document
        self.units = units
        self.depth = depth
        self.edits: list[Edit] = []
        self.values: dict[KeyPath, Value] = {}

    def editable_mapping(self, node: Node, path: KeyPath) -> MappingNode:
        self._refuse_shared(node, path)
        if not isinstance(node, MappingNode):
            message = f"`{'.'.join(path)}` should be a mapping."
            raise AutocalError(message, place=self.document.place(node.start))
        return node

    def only_pair(self, mapping: MappingNode, key: str, path: KeyPath) -> Pair | None:
        """The pair with the key, None where there is none. Refuses a key that stands twice: readers differ on it."""
        found = mapping.all_pairs(key)
        if len(found) > 1:
            first, second = (self.document.place(pair.key.start) for pair in found[:2])
            message = f"`{'.'.join(path)}` stands twice, here and in line {first.line}; a trainer reads the last."
            raise AutocalError(message, place=second, fix="Delete one.")
        return found[0] if found else None

    def is_null(self, node: Node) -> bool:
        return isinstance(node, ScalarNode) and read_scalar(self.document, node) is None

    def update(self, mapping: MappingNode, path: KeyPath, wanted: Mapping[str, Value]) -> None:
        missing: dict[str, Value] = {}
        for key, value in wanted.items():
            here = (*path, key)
            pair = _own_pair(mapping, key)
            if pair is None:
                missing[key] = value
                self.values[here] = value
            elif isinstance(value, dict) and isinstance(pair.value, MappingNode) and not self._is_unit(here):
                self.only_pair(mapping, key, here)
                self.update(self.editable_mapping(pair.value, here), here, value)
            elif not same_data(read_value(self.document, pair.value), value):
                self.only_pair(mapping, key, here)
                self.set_key(mapping, pair, here, value)
        if missing:
            self._insert(mapping, path, missing)

    def set_key(self, mapping: MappingNode, pair: Pair | None, path: KeyPath, value: Value) -> None:
        """Gives the key at `path` a value: in place of what `pair` holds, or as a new key when there is no pair."""
        self.values[path] = value
        if pair is None:
            self._insert(mapping, path[:-1], {path[-1]: value})
            return
        self._refuse_shared(pair.value, path)
        old = pair.value
        if isinstance(old, ScalarNode) and _stands_alone(old) and not isinstance(value, dict | list):
            self._replace(old.start, old.end, write_scalar(value))
        else:
            self._replace_value(mapping, pair, len(path) - self.depth - 1, value)

    def _is_unit(self, path: KeyPath) -> bool:
        return len(path) == self.depth + 1 and path[-1] in self.units

    def _refuse_shared(self, node: Node, path: KeyPath) -> None:
        """An alias is somebody else's text, and an anchor that is used elsewhere would carry the edit there."""
        name = ".".join(path)
        if isinstance(node, AliasNode):
            message = f"`{name}` is an alias (*{node.anchor}), so that an edit here would change another place too."
            raise AutocalError(message, place=self.document.place(node.start), fix="Write it out.")
        if node.anchor in self.document.aliased:
            message = (
                f"`{name}` bears the anchor &{node.anchor}, which is used elsewhere; an edit would change that too."
            )
            raise AutocalError(message, place=self.document.place(node.start), fix="Write it out.")

    def _insert(self, mapping: MappingNode, path: KeyPath, pairs: Mapping[str, Value]) -> None:
        last = mapping.pairs[-1] if mapping.pairs else None
        if mapping.flow:
            items = ", ".join(f"{write_scalar(key)}: {render_flow(value)}" for key, value in pairs.items())
            offset = last_token_end(self.document, last) if last else self.document.text.index("{", mapping.start) + 1
            comma = " , " if last and _wordless(last.value) else ", "  # a tag or a colon would take it for its own
            self._replace(offset, offset, comma + items if last else items)
            return
        assert last is not None  # a block mapping has at least one pair
        self._refuse_open_end(last)
        indent = self._indent(mapping)
        lines = render_pairs(pairs, indent, self._step(), len(path) - self.depth)
        self._insert_lines(behind_deeper_comments(self.document, last_token_end(self.document, last), indent), lines)

    def _refuse_open_end(self, last: Pair) -> None:
        """A block scalar without text, or without its line break, would take lines below it for its own."""
        node = last_node(last)[1]
        if isinstance(node, ScalarNode) and node.style in ("|", ">"):
            text = self.document.text[node.start : node.end]
            if not node.value.strip() or not text.endswith("\n"):
                message = (
                    f"Nothing can be inserted below a `{node.style}` text without words or without a final line break."
                )
                raise AutocalError(message, place=self.document.place(node.start), fix="End its last line.")

    def _insert_lines(self, after: int, lines: list[str]) -> None:
        self.edits.append(lines_below(self.document, after, lines))

    def _replace_value(self, mapping: MappingNode, pair: Pair, level: int, value: Value) -> None:
        """Replaces whatever follows `key:` up to its last token; comments in between move to lines of their own."""
        newline = self.document.newline
        start, end = colon_end(self.document, pair), last_token_end(self.document, pair)
        end = start + len(self.document.text[start:end].rstrip())  # a block scalar ends behind its line breaks
        indent, step = self._column(pair.key), self._step()
        body = render_flow(value) if mapping.flow else render_body(value, indent + step, step, level + 1)
        comments = comments_between(self.document, start, end)
        if isinstance(body, str) and not comments:
            self._replace(start, end, f" {body}")
            return
        lines = body if isinstance(body, list) else [" " * (indent + step) + body]
        lines = [" " * (indent + step) + comment for comment in comments] + lines
        on_one_line = end <= self.document.line_end(start)
        if on_one_line and isinstance(body, list):  # `key: ~  # note` keeps its note on the line
            if end > start:
                self.edits.append(Edit(start, end, ""))
            self._insert_lines(end, lines)
        else:
            self._replace(start, end, "".join(newline + line for line in lines))

    def _replace(self, start: int, end: int, new: str) -> None:
        if new and self.document.text.startswith("#", end):  # `{# note`: behind a token it would be no comment
            new += " "
        self.edits.append(Edit(start, end, new))

    def _column(self, node: Node) -> int:
        return node.start - self.document.line_start(node.start)

    def _indent(self, mapping: MappingNode) -> int:
        """The column of a block mapping's keys: that of the first one that begins its line."""
        for pair in mapping.pairs:
            start = self.document.line_start(pair.key.start)
            if not self.document.text[start : pair.key.start].strip(" "):
                return pair.key.start - start
        raise AutocalError(
            "Nothing can be inserted beside a key with `?`.",
            place=self.document.place(mapping.start),
            fix="Write `key:`.",
        )

    def _step(self) -> int:
        """Columns a level: as the first indented block mapping at the top of the file has it."""
        for pair in self.document.root.pairs:
            value = pair.value
            if isinstance(value, MappingNode) and not value.flow and value.pairs:
                step = self._column(value.pairs[0].key) - self._column(pair.key)
                if step > 0:
                    return step
        return 2


def _stands_alone(node: ScalarNode) -> bool:
    """Whether its span is its text: a tag before an anchor stands outside of it, the line break of a `|` inside."""
    return not (node.omitted or node.style in ("|", ">") or (node.tag and node.anchor))


def _wordless(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style is None and node.value == ""


def text_without(document: ConfigDocument, path: KeyPath) -> str:
    """The text without the pair at `path` (its lines, or its stretch of a flow mapping), without a final line break.

    Inserting that pair and cutting it out again gives the same text, so that a hash of it tells whether anything else
    was touched.
    """
    if document.language == "toml":
        return toml_text_without(document, path)
    parent: Node = document.root
    owner: MappingNode | None = None
    for key in path:
        owner = parent if isinstance(parent, MappingNode) else None
        pair = _own_pair(owner, key) if owner else None
        if owner is None or pair is None:
            return document.text.rstrip("\r\n")
        parent = pair.value
    assert owner is not None
    assert pair is not None
    end = last_token_end(document, pair)
    if owner.flow:
        before = [other for other in owner.pairs if other.key.start < pair.key.start]
        start = last_token_end(document, before[-1]) if before else pair.key.start
    else:
        start, end = document.line_start(pair.key.start), next_line(document.text, end)
    return (document.text[:start] + document.text[end:]).rstrip("\r\n")
