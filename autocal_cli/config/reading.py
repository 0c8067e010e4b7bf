"""Node -> value, as the trainer's reader (YAML 1.1, TOML) would construct it. Only plain data: no tag runs anything."""

from __future__ import annotations

from collections.abc import Mapping

from autocal_cli.config.document import (
    AliasNode,
    ConfigDocument,
    MappingNode,
    Node,
    Pair,
    ScalarNode,
    SequenceNode,
    TypedScalarNode,
)
from autocal_cli.config.record import KeyPath, Scalar, Value
from autocal_cli.config.scalars import Version, read_plain, read_tagged
from autocal_cli.errors import AutocalError

MAX_NODES = 200_000  # what aliases may expand to; the largest real config has about 500 nodes
MAX_MERGED = 100

_MERGE = "<<"


def read_scalar(document: ConfigDocument, node: ScalarNode, version: Version = "1.1") -> Scalar:
    """The value of one scalar. Raises AutocalError where an explicit tag does not fit its text."""
    if isinstance(node, TypedScalarNode):
        return node.content
    if node.tag is not None:
        try:
            return read_tagged(node.tag, node.value)
        except (ValueError, OverflowError):
            message = f"{quoted(node.value)} cannot be read as {node.tag.rpartition(':')[2]}."
            raise AutocalError(message, place=document.place(node.start)) from None
    return read_plain(node.value, version) if node.style is None else node.value


def read_value(document: ConfigDocument, node: Node, version: Version = "1.1") -> Value:
    """The plain data of a whole subtree, aliases followed, merge keys applied, keys as text (`8: x` is under "8")."""
    return _Reader(document, version).value(node, 0)


def same_data(one: Value, other: Value) -> bool:
    """Equal in value, exact type and key order, all the way down. (nan stands for itself, and -0.0 is not 0.0.)"""
    return repr(one) == repr(other)


def quoted(text: str) -> str:
    """Text for a message of one line."""
    line = " ".join(text.split())
    return f"'{line[:60]}...'" if len(line) > 60 else f"'{line}'"


def pairs_of(document: ConfigDocument, mapping: MappingNode) -> Mapping[str, Pair]:
    """The pair that gives each key its value: the last one written, else one merged in with `<<`."""
    known = document.effective_pairs.get(mapping)
    if known is None:
        known = {
            pair.key.value: pair
            for source in reversed(_sources(document, mapping))
            for pair in source.pairs
            if isinstance(pair.key, ScalarNode) and not _merges(pair)
        }
        document.effective_pairs[mapping] = known
    return known


def child(document: ConfigDocument, mapping: MappingNode, key: str) -> Pair | None:
    return pairs_of(document, mapping).get(key)


def lookup(document: ConfigDocument, path: KeyPath) -> Pair | None:
    """The pair at a path of keys, e.g. ("train", "total_iter"), through aliases and merges."""
    node: Node = document.root
    pair: Pair | None = None
    for key in path:
        if not isinstance(node, MappingNode):
            return None
        pair = child(document, node, key)
        if pair is None:
            return None
        node = document.follow(pair.value)
    return pair


def _sources(document: ConfigDocument, mapping: MappingNode) -> list[MappingNode]:
    """The mapping and all that `<<` brings in, nearest first, each once however often it is merged."""
    found: dict[MappingNode, None] = {}
    waiting = [mapping]
    while waiting:
        source = waiting.pop()
        if source not in found:
            found[source] = None
            waiting += reversed(_merged(document, source))
        if len(found) > MAX_MERGED:
            message = f"A mapping merges more than {MAX_MERGED} others."
            raise AutocalError(message, place=document.place(mapping.start))
    return list(found)


def _merges(pair: Pair) -> bool:
    return isinstance(pair.key, ScalarNode) and pair.key.value == _MERGE and pair.key.style is None


def _merged(document: ConfigDocument, mapping: MappingNode) -> list[MappingNode]:
    """The mappings that `<<` names, nearest first: in a list the first wins, of several `<<` the last."""
    found: list[MappingNode] = []
    for pair in reversed(mapping.pairs):
        if _merges(pair):
            source = document.follow(pair.value)
            candidates = source.items if isinstance(source, SequenceNode) else (source,)
            found += [node for item in candidates if isinstance(node := document.follow(item), MappingNode)]
    return found


class _Reader:
    def __init__(self, document: ConfigDocument, version: Version) -> None:
        self.document = document
        self.version = version
        self.nodes = 0

    def value(self, node: Node, depth: int) -> Value:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > 200:
            raise AutocalError("The aliases expand to too much data.", place=self.document.place(node.start))
        if isinstance(node, AliasNode):
            return self.value(self.document.follow(node), depth + 1)
        if isinstance(node, ScalarNode):
            return read_scalar(self.document, node, self.version)
        if isinstance(node, SequenceNode):
            return [self.value(item, depth + 1) for item in node.items]
        assert isinstance(node, MappingNode)
        pairs = pairs_of(self.document, node)
        return {key: self.value(pair.value, depth + 1) for key, pair in pairs.items()}
