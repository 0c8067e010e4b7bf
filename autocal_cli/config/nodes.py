"""The nodes of a config: what stands where in its text. An alias stays an alias; nothing is constructed."""

from __future__ import annotations

from dataclasses import dataclass

from autocal_cli.config.record import Scalar


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """`start` and `end` are character offsets into the text. `tag` is None unless written out."""

    start: int
    end: int
    anchor: str | None
    tag: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ScalarNode(Node):
    """`style` is None (plain), one of the quotes, or `|` or `>`. An omitted value has start == end."""

    value: str
    style: str | None

    @property
    def omitted(self) -> bool:
        return self.start == self.end


@dataclass(frozen=True, slots=True, eq=False)
class TypedScalarNode(ScalarNode):
    """A scalar whose text alone tells its type, as in TOML: `content` is its value, `text` how it is written."""

    content: Scalar
    text: str


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
