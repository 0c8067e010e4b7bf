"""Text -> ConfigDocument: libyaml's parse events, by PyYAML, composed to a tree that knows where everything stands.

The trainers' readers (BasicSR's loader and msgspec) are PyYAML with libyaml, so that what is refused here would stop a
training too; its marks count characters, not bytes. An alias stays an alias and nothing is constructed, so that a
hostile file (alias bombs, Python tags, deep nesting) costs no more than its own length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import yaml
from yaml.error import MarkedYAMLError, YAMLError
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


def parse_yaml(text: str, bom: bool, path: str) -> ConfigDocument:
    """Parses the text of a YAML config (without its byte order mark).

    Raises AutocalError, with the place, for whatever cannot be edited safely.
    """
    refuse_strange(text, path)
    builder = TreeBuilder(path)
    root = builder.build(parse_events(text, path))
    if not isinstance(root, MappingNode):
        raise AutocalError("A training config should be a mapping at its top level.", place=Place(path, 1, 1))
    scalars, aliased = tuple(builder.scalars), frozenset(builder.aliased)
    document = ConfigDocument(path, text, bom, root, scalars, builder.anchors, aliased)
    for pair in builder.merges:
        if not all(isinstance(source, MappingNode) for source in merge_sources(document, pair)):
            message = "`<<` should name a mapping, or a list of mappings."
            raise AutocalError(message, place=document.place(pair.value.start))
    return document


# Characters that may not stand in a config.


_OTHER_BREAKS = "\x85\u2028\u2029"  # next line, line and paragraph separator: given up by YAML 1.2
# Those, a bare carriage return, what YAML (1.1, section 5.1) leaves out (control characters and non-characters), and a
# second byte order mark, which libyaml skips without counting it.
_STRANGE = re.compile(rf"\A{BOM}|\r(?!\n)|[{_OTHER_BREAKS}]|[^\t\n\r -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def refuse_strange(text: str, path: str) -> None:
    """Raises AutocalError for characters that YAML leaves out, or that end a line for some of its readers only."""
    strange = _STRANGE.search(text)
    if strange:
        line, column = text.count("\n", 0, strange.start()) + 1, strange.start() - text.rfind("\n", 0, strange.start())
        code = f"U+{ord(strange.group()):04X}"
        if strange.group() == "\r":
            message, fix = "A carriage return stands alone as a line ending.", "Use LF or CRLF."
        elif strange.group() in _OTHER_BREAKS:
            message, fix = f"{code} ends a line for some YAML readers and not for others.", "Use LF or CRLF."
        else:
            message, fix = f"{code} may not stand in YAML.", "Delete it, or save the file as UTF-8."
        raise AutocalError(message, place=Place(path, line, column), fix=fix)


# Text -> events.


def parse_events(text: str, path: str) -> Iterator[Event]:
    """The events of a text, in order. Raises AutocalError with line and column where it is not YAML."""
    if not yaml.__with_libyaml__:
        message, fix = (
            "PyYAML was installed without libyaml.",
            "pip install --force-reinstall --only-binary :all: pyyaml",
        )
        raise AutocalError(message, place=Place(path), fix=fix)
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
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return AutocalError(f"This is not valid YAML: {error.problem or error.context}.", place=Place(path))
    opened = text[: mark.index]
    opened = opened[len(opened.rstrip("[{ ")) :].replace(" ", "")
    if len(opened) > MAX_DEPTH:  # libyaml looks ahead by a thousand characters, and has a cap of its own
        return _too_deep(Place(path, mark.line + 1, mark.column + 1))
    opening = error.context_mark
    where = f" ({error.context} from line {opening.line + 1} on)" if opening and opening.line < mark.line else ""
    tab = text.startswith("\t", mark.index)
    return AutocalError(
        f"This is not valid YAML: {error.problem}{where}.",
        place=Place(path, mark.line + 1, mark.column + 1),
        fix="Indent with spaces, not with tabs." if tab else None,
    )


def _too_deep(place: Place) -> AutocalError:
    return AutocalError(f"The file nests deeper than {MAX_DEPTH} levels.", place=place)


# Parse events -> the tree of nodes, with a stack of its own, so that depth costs no recursion.


class TreeBuilder:
    """Builds the tree of one document. `scalars`, `merges` (in order), `anchors`, `aliased` are filled on the way."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.scalars: list[ScalarNode] = []
        self.anchors: dict[str, Node] = {}
        self.aliased: set[str] = set()
        self.merges: list[Pair] = []
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
        node = ScalarNode(*_span(event, event), event.anchor, tag, event.value, event.style or None, event.implicit)
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
            raise _too_deep(self._place(event))
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
            self.merges += [pair for pair in pairs if merges(pair)]
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
