"""Node -> value, as the trainer's YAML 1.1 reader would construct it. Only plain data: no tag ever runs anything."""

from __future__ import annotations

from autocal_cli.config.document import AliasNode, ConfigDocument, MappingNode, Node, Pair, ScalarNode, SequenceNode
from autocal_cli.config.record import KeyPath, Scalar, Value
from autocal_cli.config.scalars import Version, read_plain, read_tagged
from autocal_cli.errors import AutocalError

MAX_NODES = 200_000  # what aliases may expand to; the largest real config has about 500 nodes

_MERGE = "<<"


def read_scalar(document: ConfigDocument, node: ScalarNode, version: Version = "1.1") -> Scalar:
    """The value of one scalar. Raises AutocalError where an explicit tag does not fit its text."""
    if node.tag is not None:
        try:
            return read_tagged(node.tag, node.value)
        except ValueError:
            kind = node.tag.rpartition(":")[2]
            message = f"'{node.value}' cannot be read as {kind}."
            raise AutocalError(message, place=document.place(node.start)) from None
    return read_plain(node.value, version) if node.style is None else node.value


def read_value(document: ConfigDocument, node: Node, version: Version = "1.1") -> Value:
    """The plain data of a whole subtree, aliases followed and merge keys applied."""
    return _Reader(document, version).value(node, 0)


def child(document: ConfigDocument, mapping: MappingNode, key: str) -> Pair | None:
    """The pair that gives `key` its value: the last one written, else one merged in with `<<`."""
    return _child(document, mapping, key, 0)


def _child(document: ConfigDocument, mapping: MappingNode, key: str, depth: int) -> Pair | None:
    own = mapping.all_pairs(key)
    if own:
        return own[-1]
    for merged in _merged(document, mapping) if depth < 20 else ():
        found = _child(document, merged, key, depth + 1)
        if found:
            return found
    return None


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


def _merged(document: ConfigDocument, mapping: MappingNode) -> list[MappingNode]:
    """The mappings that `<<` brings in, nearest first."""
    found: list[MappingNode] = []
    for pair in mapping.pairs:
        if isinstance(pair.key, ScalarNode) and pair.key.value == _MERGE and pair.key.style is None:
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
        return self._mapping(node, depth)

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Value]:
        result: dict[str, Value] = {}
        for merged in reversed(_merged(self.document, node)):
            result |= self._mapping(merged, depth + 1)
            self.nodes += len(result)
        for pair in node.pairs:
            key = pair.key
            if isinstance(key, ScalarNode) and not (key.value == _MERGE and key.style is None):
                result[key.value] = self.value(pair.value, depth + 1)
        return result
