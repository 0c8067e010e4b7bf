"""Parse events -> the tree of nodes, with a stack of its own, so that depth costs no recursion."""

from __future__ import annotations

from collections.abc import Iterable

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from autocal_cli.config.nodes import AliasNode, MappingNode, Node, Pair, ScalarNode, SequenceNode
from autocal_cli.errors import AutocalError, Place

MAX_DEPTH = 100


class TreeBuilder:
    """Builds the tree of one document. `scalars` (in order), `anchors` and `aliased` are filled on the way."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.scalars: list[ScalarNode] = []
        self.anchors: dict[str, Node] = {}
        self.aliased: set[str] = set()
        self._declared: set[str] = set()
        self._stack: list[tuple[MappingStartEvent | SequenceStartEvent, list[Node]]] = []
        self._root: Node | None = None

    def build(self, events: Iterable[Event]) -> Node | None:
        documents = 0
        for event in events:
            match event:
                case ScalarEvent():
                    self._scalar(event)
                case MappingStartEvent() | SequenceStartEvent():
                    self._open(event)
                case MappingEndEvent() | SequenceEndEvent():
                    self._close(event)
                case AliasEvent():
                    self._alias(event)
                case DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        message = "The file holds more than one document."
                        raise AutocalError(message, place=self._place(event), fix="Split it.")
        return self._root

    def _scalar(self, event: ScalarEvent) -> None:
        self._declare(event)
        tag = None if event.tag in (None, "!") else str(event.tag)
        node = ScalarNode(*_span(event, event), event.anchor, tag, event.value, event.style or None)
        self.scalars.append(node)
        self._add(node)

    def _alias(self, event: AliasEvent) -> None:
        if event.anchor not in self.anchors:
            why = "stands inside what it names" if event.anchor in self._declared else "has no anchor before it"
            raise AutocalError(f"The alias *{event.anchor} {why}.", place=self._place(event))
        self.aliased.add(event.anchor)
        self._add(AliasNode(*_span(event, event), event.anchor, None))

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise AutocalError(f"The file nests deeper than {MAX_DEPTH} levels.", place=self._place(event))
        self._declare(event)
        self._stack.append((event, []))

    def _close(self, event: MappingEndEvent | SequenceEndEvent) -> None:
        opening, children = self._stack.pop()
        start, end = _span(opening, event)
        tag = None if opening.tag in (None, "!") else str(opening.tag)
        flow = bool(opening.flow_style)
        if isinstance(opening, SequenceStartEvent):
            self._add(SequenceNode(start, end, opening.anchor, tag, tuple(children), flow))
        else:
            pairs = tuple(Pair(key, value) for key, value in zip(children[::2], children[1::2], strict=True))
            self._add(MappingNode(start, end, opening.anchor, tag, pairs, flow))

    def _declare(self, event: NodeEvent) -> None:
        if event.anchor in self._declared:
            message = f"The anchor &{event.anchor} stands twice."
            raise AutocalError(message, place=self._place(event), fix="Rename one.")
        if event.anchor:
            self._declared.add(event.anchor)

    def _place(self, event: Event) -> Place:
        assert event.start_mark is not None
        return Place(self.path, event.start_mark.line + 1, event.start_mark.column + 1)

    def _add(self, node: Node) -> None:
        if node.anchor and not isinstance(node, AliasNode):
            self.anchors[node.anchor] = node
        if self._stack:
            self._stack[-1][1].append(node)
        elif self._root is None:
            self._root = node


def _span(first: Event, last: Event) -> tuple[int, int]:
    """From the start of one event to the end of another, in characters."""
    assert first.start_mark is not None
    assert last.end_mark is not None
    return first.start_mark.index, last.end_mark.index
