"""ConfigDocument: the text of a config, the position of every node in it, and what its nodes say.

Values are constructed by PyYAML, because that is the reader of the trainers themselves, and only those that are asked
for: an alias stays an alias.
"""

from __future__ import annotations

import bisect
import itertools
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from autocal_cli.config.model import KeyPath, Scalar, Value
from autocal_cli.config.yaml.scalars import read_core
from autocal_cli.errors import AutocalError, Place

BOM = "\ufeff"
MAX_DEPTH = 100


@dataclass(frozen=True, eq=False)
class ConfigDocument:
    """One parsed config. `text` is without the byte order mark; `path` names it in messages.

    `scalars` are all of the tree's, keys too, in the order of the text; `anchors` are the nodes by their `&name`, and
    `aliased` the names that a `*name` uses. `composed` is what `pairs_of` read so far.
    """

    path: str
    text: str
    bom: bool
    root: MappingNode
    scalars: tuple[ScalarNode, ...] = field(repr=False)
    anchors: dict[str, Node] = field(repr=False)
    aliased: frozenset[str] = field(repr=False)
    composed: dict[MappingNode, Composed] = field(default_factory=dict, repr=False)
    language: Literal["yaml", "toml"] = "yaml"

    @property
    def newline(self) -> str:
        """The line ending that the file uses (the first one found)."""
        return "\r\n" if self.text.partition("\n")[0].endswith("\r") else "\n"

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

    def refusal(self, message: str, node: Node, fix: str | None = None) -> AutocalError:
        """The error that says what is wrong with a node, at its place."""
        return AutocalError(message, place=self.place(node.start), fix=fix)

    def follow(self, node: Node) -> Node:
        """The node that an alias stands for; any other node itself."""
        return self.anchors[node.anchor] if isinstance(node, AliasNode) and node.anchor else node

    def encode(self, text: str) -> bytes:
        """`text` as bytes of this file: UTF-8, with the byte order mark if the file has one."""
        return ((BOM if self.bom else "") + text).encode("utf-8")


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """`start` and `end` are character offsets into the text. `tag` is None unless written out."""

    start: int
    end: int
    anchor: str | None
    tag: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ScalarNode(Node):
    """`style` is None (plain), one of the quotes, or `|` or `>`. An omitted value has start == end.

    `implicit` is PyYAML's: whether the type is told by the plain text, and whether it is by the quotes.
    """

    value: str
    style: str | None
    implicit: tuple[bool, bool]

    @property
    def omitted(self) -> bool:
        return self.start == self.end


@dataclass(frozen=True, slots=True, eq=False)
class TypedScalarNode(ScalarNode):
    """A scalar whose text alone tells its type, as in TOML: `content` is its value."""

    content: Scalar


@dataclass(frozen=True, slots=True, eq=False)
class SequenceNode(Node):
    items: tuple[Node, ...]
    flow: bool


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    key: Node
    value: Node


@dataclass(frozen=True, slots=True, eq=False)
class MappingNode(Node):
    pairs: tuple[Pair, ...]
    flow: bool

    def all_pairs(self, key: str) -> list[Pair]:
        return [pair for pair in self.pairs if isinstance(pair.key, ScalarNode) and pair.key.value == key]


@dataclass(frozen=True, slots=True, eq=False)
class AliasNode(Node):
    """A `*name`; the name is in `anchor`."""


# Node -> value, by PyYAML's own resolver and SafeConstructor, since the trainers read with them; TOML has its values.
#
# Only plain data: of the tags only those of single values construct something, and all others leave text or a
# collection. Nothing is constructed but what is asked for, and an alias bomb is not expanded.


Version = Literal["1.1", "1.2"]

MAX_NODES = 200_000  # what aliases and merges may expand to; the largest real config has about 500 nodes
MAX_MERGED = 100

_TAG = "tag:yaml.org,2002:"
_RESOLVER, _CONSTRUCTOR = Resolver(), SafeConstructor()
_CONSTRUCT = {_TAG + name: SafeConstructor.yaml_constructors[_TAG + name] for name in ("null", "bool", "int", "float")}


def read_scalar(document: ConfigDocument, node: ScalarNode, version: Version = "1.1") -> Scalar:
    """The value of one scalar; a date stays text, and so does what looks like a number and is none (`0x_`, 400
    digits).

    `version` 1.2 is what a reader of that makes of it. Raises AutocalError where an explicit tag does not fit its text.
    """
    if isinstance(node, TypedScalarNode):
        return node.content
    if version == "1.2" and node.tag is None:
        return read_core(node.value) if node.style is None else node.value
    tag = _tag(node)
    construct = _CONSTRUCT.get(tag)
    if construct is None:
        return node.value
    try:
        value: Scalar = construct(_CONSTRUCTOR, yaml.ScalarNode(tag, node.value))
        if isinstance(value, int):
            float(value)  # beyond the floats it is no number to a trainer, and could not be shown
    except (ValueError, OverflowError, LookupError):
        if node.tag is None:
            return node.value
        told = f"{quoted(node.value)} cannot be read as {tag.rpartition(':')[2]}."
        raise document.refusal(told, node) from None
    return value


def read_value(document: ConfigDocument, node: Node, version: Version = "1.1") -> Value:
    """The plain data of a whole subtree, aliases followed, merge keys applied, keys as text (`8: x` is under "8")."""
    nodes = itertools.count(1)

    def value(node: Node, depth: int) -> Value:
        if next(nodes) > MAX_NODES or depth > 2 * MAX_DEPTH:
            raise document.refusal("The aliases expand to too much data.", node)
        if isinstance(node, AliasNode):
            return value(document.follow(node), depth + 1)
        if isinstance(node, ScalarNode):
            return read_scalar(document, node, version)
        if isinstance(node, SequenceNode):
            return [value(item, depth + 1) for item in node.items]
        assert isinstance(node, MappingNode)
        return {key: value(pair.value, depth + 1) for key, pair in pairs_of(document, node).items()}

    return value(node, 0)


def same_data(one: Value, other: Value) -> bool:
    """Equal in value, exact type and key order, all the way down. (nan stands for itself, and -0.0 is not 0.0.)"""
    return repr(one) == repr(other)


def quoted(text: str) -> str:
    """Text for a message of one line."""
    shown = " ".join(text.split())
    return f"'{shown}'" if len(shown) <= 60 else f"'{shown[:60]}...'"


@dataclass(slots=True)
class Composed:
    """A mapping as PyYAML composes it: pairs of a key and, as a value, our Pair.

    `levels` is how deep its merges go, `entries` how many pairs they expand to at most; `pairs` is what is left.
    """

    node: yaml.MappingNode
    levels: int
    entries: int
    pairs: dict[str, Pair] | None = None


def pairs_of(document: ConfigDocument, mapping: MappingNode) -> dict[str, Pair]:
    """The pairs that count, by key: of one that stands twice the last, and what is merged in with `<<`."""
    composed = _compose(document, mapping, mapping, 0)
    if composed.pairs is None:
        _CONSTRUCTOR.flatten_mapping(composed.node)
        composed.pairs = {
            key.value: pair
            for _, pair in composed.node.value
            if isinstance(key := document.follow(pair.key), ScalarNode)
        }
    return composed.pairs


def child(document: ConfigDocument, mapping: MappingNode, key: str) -> Pair | None:
    return pairs_of(document, mapping).get(key)


def lookup(document: ConfigDocument, path: KeyPath) -> Pair | None:
    """The pair at a path of keys, e.g. ("train", "total_iter"), through aliases and merges."""
    node: Node = document.root
    pair: Pair | None = None
    for key in path:
        pair = child(document, node, key) if isinstance(node, MappingNode) else None
        if pair is None:
            return None
        node = document.follow(pair.value)
    return pair


def node_at(document: ConfigDocument, path: KeyPath) -> Node | None:
    """What stands at a path of keys, an alias followed; at none, the whole."""
    pair = lookup(document, path)
    return document.follow(pair.value) if pair else None if path else document.root


def is_null(document: ConfigDocument, node: Node) -> bool:
    return isinstance(node, ScalarNode) and read_scalar(document, node) is None


def _compose(document: ConfigDocument, top: MappingNode, mapping: MappingNode, level: int) -> Composed:
    """Composes a mapping, `level` merges below `top`, with its own. Raises AutocalError where they are too much."""
    known = document.composed.get(mapping)
    if known is None and level <= MAX_MERGED:
        composed, levels, entries = [], 0, len(mapping.pairs)
        for pair in mapping.pairs:
            key = document.follow(pair.key)
            value: Any = pair
            if merges(pair):
                sources = [_compose(document, top, source, level + 1) for source in merge_sources(document, pair)]
                levels = max([levels, *(1 + source.levels for source in sources)])
                entries += sum(source.entries for source in sources) - 1
                value = yaml.SequenceNode(_TAG + "seq", [source.node for source in sources])
            # SafeConstructor tells keys apart by the identity of their text
            composed.append((yaml.ScalarNode(_tag(key), key.value if isinstance(key, ScalarNode) else key), value))
        known = document.composed[mapping] = Composed(yaml.MappingNode(_TAG + "map", composed), levels, entries)
    if known is None or level + known.levels > MAX_MERGED:
        raise document.refusal(f"Merges nest deeper than {MAX_MERGED} levels.", top)
    if known.entries > MAX_NODES:
        raise document.refusal("The merges expand to too much data.", top)
    return known


def merge_sources(document: ConfigDocument, pair: Pair) -> list[Any]:
    """What the value of a `<<` names: mappings, as `parse_yaml` has seen to."""
    source = document.follow(pair.value)
    return [document.follow(item) for item in source.items] if isinstance(source, SequenceNode) else [source]


def merges(pair: Pair) -> bool:
    return isinstance(pair.key, ScalarNode) and _tag(pair.key) == _TAG + "merge"


def _tag(node: Node) -> str:
    """The tag by which PyYAML tells what a node is."""
    if node.tag is not None or not isinstance(node, ScalarNode):
        return node.tag or _TAG + "map"
    return str(_RESOLVER.resolve(yaml.ScalarNode, node.value, node.implicit))  # type: ignore[no-untyped-call]
