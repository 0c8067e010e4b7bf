"""Text -> ConfigDocument: libyaml's parse events, by PyYAML, composed to a tree that knows where everything stands.

The trainers' readers (BasicSR's loader and msgspec) are PyYAML with libyaml, so that what is refused here would stop a
training too; its marks count characters, not bytes. An alias stays an alias and nothing is constructed, so that a
hostile file (alias bombs, Python tags, deep nesting) costs no more than its own length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from autocal_cli.config.yaml.document import (
    BOM,
    MAX_DEPTH,
    AliasNode,
    ConfigDocument,
    MappingNode,
    Node,
    Pair,
    ScalarNode,
    SequenceNode,
    merge_sources,
    merges,
)
from autocal_cli.errors import AutocalError, Place

_OTHER_BREAKS = "\x85\u2028\u2029"  # next line, line and paragraph separator: given up by YAML 1.2
# Those, a bare carriage return, what YAML (1.1, section 5.1) leaves out (control characters and non-characters), and a
# second byte order mark, which libyaml skips without counting it.
_STRANGE = re.compile(rf"\A{BOM}|\r(?!\n)|[{_OTHER_BREAKS}]|[^\t\n\r -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse_yaml(text: str, bom: bool, path: str) -> ConfigDocument:
    """Parses the text of a YAML config (without its byte order mark).

    Raises AutocalError, with the place, for whatever cannot be edited safely.
    """
    _refuse_strange(text, path)
    tree = _Tree(path)
    for event in parse_events(text, path):
        tree.take(event)
    if not isinstance(tree.root, MappingNode):
        raise AutocalError("A training config should be a mapping at its top level.", place=Place(path, 1, 1))
    document = ConfigDocument(path, text, bom, tree.root, tuple(tree.scalars), tree.anchors, frozenset(tree.aliased))
    for pair in tree.merges:
        if not all(isinstance(source, MappingNode) for source in merge_sources(document, pair)):
            raise document.refusal("`<<` should name a mapping, or a list of mappings.", pair.value)
    return document


def _refuse_strange(text: str, path: str) -> None:
    """Raises AutocalError for characters that YAML leaves out, or that end a line for some of its readers only."""
    strange = _STRANGE.search(text)
    if strange is None:
        return
    line, column = text.count("\n", 0, strange.start()) + 1, strange.start() - text.rfind("\n", 0, strange.start())
    code, fix = f"U+{ord(strange[0]):04X}", "Use LF or CRLF."
    if strange[0] == "\r":
        message = "A carriage return stands alone as a line ending."
    elif strange[0] in _OTHER_BREAKS:
        message = f"{code} ends a line for some YAML readers and not for others."
    else:
        message, fix = f"{code} may not stand in YAML.", "Delete it, or save the file as UTF-8."
    raise AutocalError(message, place=Place(path, line, column), fix=fix)


def parse_events(text: str, path: str) -> Iterator[Event]:
    """The events of a text, in order. Raises AutocalError with line and column where it is not YAML."""
    if not yaml.__with_libyaml__:
        fix = "pip install --force-reinstall --only-binary :all: pyyaml"
        raise AutocalError("PyYAML was installed without libyaml.", place=Place(path), fix=fix)
    try:
        next_event = yaml.CSafeLoader(text).get_event
        while (event := next_event()) is not None:
            yield event
    except MarkedYAMLError as error:
        raise _refusal(error, text, path) from None
    except (YAMLError, ValueError, OverflowError) as error:  # without a mark
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise AutocalError(f"This is not valid YAML: {reason.strip()}.", place=Place(path)) from None


def _refusal(error: MarkedYAMLError, text: str, path: str) -> AutocalError:
    mark, opening = error.problem_mark or error.context_mark, error.context_mark
    if mark is None:
        return AutocalError(f"This is not valid YAML: {error.problem or error.context}.", place=Place(path))
    place = Place(path, mark.line + 1, mark.column + 1)
    opened = text[: mark.index]
    if len(opened[len(opened.rstrip("[{ ")) :].replace(" ", "")) > MAX_DEPTH:
        return _too_deep(place)  # libyaml looks ahead by a thousand characters, and has a cap of its own
    where = f" ({error.context} from line {opening.line + 1} on)" if opening and opening.line < mark.line else ""
    fix = "Indent with spaces, not with tabs." if text.startswith("\t", mark.index) else None
    return AutocalError(f"This is not valid YAML: {error.problem}{where}.", place=place, fix=fix)


def _too_deep(place: Place) -> AutocalError:
    return AutocalError(f"The file nests deeper than {MAX_DEPTH} levels.", place=place)


class _Tree:
    """Makes the tree of one document of its events, with a stack of its own, so that depth costs no recursion.

    `scalars`, `merges` (in order), `anchors`, `aliased` are filled on the way.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.root: Node | None = None
        self.scalars: list[ScalarNode] = []
        self.anchors: dict[str, Node] = {}
        self.aliased: set[str] = set()
        self.merges: list[Pair] = []
        self.documents = 0
        self.declared: set[str] = set()  # anchors, also of what is still open
        self.stack: list[tuple[CollectionStartEvent, list[Node]]] = []

    def take(self, event: Event) -> None:
        match event:
            case AliasEvent():
                if event.anchor not in self.anchors:
                    why = "stands inside what it names" if event.anchor in self.declared else "has no anchor before it"
                    raise AutocalError(f"The alias *{event.anchor} {why}.", place=self.place(event))
                self.aliased.add(event.anchor)
                self.add(AliasNode(*_span(event, event), event.anchor, None))
            case ScalarEvent():
                self.declare(event)
                start, end = _span(event, event)
                node = ScalarNode(
                    start, end, event.anchor, _tag(event), event.value, event.style or None, event.implicit
                )
                self.scalars.append(node)
                self.add(node)
            case CollectionStartEvent():
                if len(self.stack) >= MAX_DEPTH:
                    raise _too_deep(self.place(event))
                self.declare(event)
                self.stack.append((event, []))
            case CollectionEndEvent():
                self.close(event, *self.stack.pop())
            case DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    message = "The file holds more than one document."
                    raise AutocalError(message, place=self.place(event), fix="Split it.")

    def close(self, event: Event, opening: CollectionStartEvent, children: list[Node]) -> None:
        head = (*_span(opening, event), opening.anchor, _tag(opening))
        if isinstance(opening, SequenceStartEvent):
            self.add(SequenceNode(*head, tuple(children), bool(opening.flow_style)))
            return
        pairs = tuple(Pair(key, value) for key, value in zip(children[::2], children[1::2], strict=True))
        self.merges += [pair for pair in pairs if merges(pair)]
        self.add(MappingNode(*head, pairs, bool(opening.flow_style)))

    def declare(self, event: NodeEvent) -> None:
        if event.anchor in self.declared:
            message = f"The anchor &{event.anchor} stands twice."
            raise AutocalError(message, place=self.place(event), fix="Rename one.")
        self.declared |= {event.anchor} if event.anchor else set()

    def add(self, node: Node) -> None:
        if node.anchor and not isinstance(node, AliasNode):
            self.anchors[node.anchor] = node
        if self.stack:
            self.stack[-1][1].append(node)
        elif self.root is None:
            self.root = node

    def place(self, event: Event) -> Place:
        assert event.start_mark is not None
        return Place(self.path, event.start_mark.line + 1, event.start_mark.column + 1)


def _tag(event: Any) -> str | None:
    return None if event.tag in (None, "!") else str(event.tag)


def _span(first: Event, last: Event) -> tuple[int, int]:
    """From the start of one event to the end of another, in characters."""
    assert first.start_mark is not None
    assert last.end_mark is not None
    return first.start_mark.index, last.end_mark.index
