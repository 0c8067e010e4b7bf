"""ConfigDocument: the text of a config and the position of every node in it.

The tree is composed from PyYAML's parse events, because that is the reader of the trainers themselves. An alias stays
an alias and nothing is constructed, so that a hostile file (alias bombs, Python tags, deep nesting) costs no more than
its own length.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from autocal_cli.config.decoding import BOM, MAX_BYTES, decode, is_toml, refuse_strange
from autocal_cli.config.nodes import AliasNode, MappingNode, Node, Pair, ScalarNode, SequenceNode, TypedScalarNode
from autocal_cli.config.parsing import parse_events
from autocal_cli.config.tree import MAX_DEPTH, TreeBuilder
from autocal_cli.errors import AutocalError, Place

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "AliasNode",
    "ConfigDocument",
    "MappingNode",
    "Node",
    "Pair",
    "ScalarNode",
    "SequenceNode",
    "TypedScalarNode",
    "parse_document",
]


@dataclass(frozen=True, eq=False)
class ConfigDocument:
    """One parsed config. `text` is without the byte order mark; `path` names it in messages.

    `scalars` are all of the tree's, keys too, in the order of the text; `anchors` are the nodes by their `&name`, and
    `aliased` the names that a `*name` uses. `effective_pairs` is what `reading.pairs_of` found so far.
    """

    path: str
    text: str
    bom: bool
    root: MappingNode
    scalars: tuple[ScalarNode, ...] = field(repr=False)
    anchors: dict[str, Node] = field(repr=False)
    aliased: frozenset[str] = field(repr=False)
    effective_pairs: dict[MappingNode, dict[str, Pair]] = field(default_factory=dict, repr=False)
    language: Literal["yaml", "toml"] = "yaml"

    @property
    def newline(self) -> str:
        """The line ending that the file uses (the first one found)."""
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def line_start(self, offset: int) -> int:
        """The offset of the first character of the line that holds `offset`."""
        return self._line_starts[bisect.bisect_right(self._line_starts, offset) - 1]

    def line_end(self, offset: int) -> int:
        """The offset behind the last character of the line that holds `offset`, before its line break."""
        line_break = self.text.find("\n", offset)
        end = len(self.text) if line_break < 0 else line_break
        return end - 1 if end > offset and self.text[end - 1] == "\r" else end

    def place(self, offset: int) -> Place:
        line = bisect.bisect_right(self._line_starts, offset)
        return Place(self.path, line, offset - self._line_starts[line - 1] + 1)

    def follow(self, node: Node) -> Node:
        """The node that an alias stands for; any other node itself."""
        return self.anchors[node.anchor] if isinstance(node, AliasNode) and node.anchor else node

    def encode(self, text: str) -> bytes:
        """`text` as bytes of this file: UTF-8, with the byte order mark if the file has one."""
        return ((BOM if self.bom else "") + text).encode("utf-8")


def parse_document(raw: bytes, path: str) -> ConfigDocument:
    """Parses a config: TOML by the ending `.toml` of its path, or by its looks where the ending tells nothing.

    Raises AutocalError, with the place, for whatever cannot be edited safely.
    """
    text, bom = decode(raw, path)
    if is_toml(text, path):
        from autocal_cli.config.toml_document import parse_toml  # builds on the document here

        return parse_toml(text, bom, path)
    refuse_strange(text, path)
    builder = TreeBuilder(path)
    root = builder.build(parse_events(text, path))
    if not isinstance(root, MappingNode):
        raise AutocalError("A training config should be a mapping at its top level.", place=Place(path, 1, 1))
    return ConfigDocument(path, text, bom, root, tuple(builder.scalars), builder.anchors, frozenset(builder.aliased))
