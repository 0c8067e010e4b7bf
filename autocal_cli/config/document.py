"""ConfigDocument: the text of a config and the position of every node in it.

The tree is composed from ruamel.yaml's parse events. An alias stays an alias and nothing is constructed, so that a
hostile file (alias bombs, Python tags, deep nesting) costs no more than its own length.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
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

from autocal_cli.config.record import Scalar
from autocal_cli.errors import AutocalError, Place

MAX_BYTES = 1024 * 1024  # parsed in 5 to 10 s; the largest of 1,700 real option files has 15 KB
MAX_DEPTH = 100

BOM = "\ufeff"
_OTHER_BREAKS = "\x85\u2028\u2029"  # next line, line and paragraph separator: given up by YAML 1.2
# Those, a bare carriage return, and what YAML (1.1, section 5.1) leaves out: control characters and non-characters.
_STRANGE = re.compile(rf"\r(?!\n)|[{_OTHER_BREAKS}]|[^\t\n\r -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LOOKS_LIKE_TOML = re.compile(r"""(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*(?:\[[^\]\n,]+\]|[\w"'. -]+=)""")


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


@dataclass(frozen=True, eq=False)
class ConfigDocument:
    """One parsed config. `text` is without the byte order mark; `path` names it in messages."""

    path: str
    text: str
    bom: bool
    root: MappingNode
    anchors: dict[str, Node] = field(repr=False)
    aliased: frozenset[str] = field(repr=False)
    language: Literal["yaml", "toml"] = "yaml"

    @property
    def newline(self) -> str:
        """The line ending that the file uses (the first one found)."""
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(index + 1 for index, char in enumerate(self.text) if char == "\n")]

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
    text, bom = _decode(raw, path)
    if is_toml(text, path):
        from autocal_cli.config.toml_document import parse_toml  # builds on the nodes here

        return parse_toml(text, bom, path)
    _refuse_strange(text, path)
    builder = _TreeBuilder(path)
    try:
        root = builder.build(_events(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)
        problem = " ".join(str(error.problem or error.context or "not YAML").split())
        fix = "Use spaces." if r"'\t'" in problem else None
        raise AutocalError(f"This is not valid YAML: {problem}.", place=place, fix=fix) from None
    except (YAMLError, ValueError, OverflowError, AssertionError) as error:  # e.g. of `"\UFFFFFFFF"`, without a mark
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise AutocalError(f"This is not valid YAML: {reason.strip()}.", place=Place(path)) from None
    if not isinstance(root, MappingNode):
        raise AutocalError("A training config should be a mapping at its top level.", place=Place(path, 1, 1))
    return ConfigDocument(path, text, bom, root, builder.anchors, frozenset(builder.aliased))


def _decode(raw: bytes, path: str) -> tuple[str, bool]:
    if len(raw) > MAX_BYTES:
        raise AutocalError(f"The file has {len(raw):,} bytes; at most {MAX_BYTES:,} are read.", place=Place(path))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise AutocalError(
            f"The file is not UTF-8 (byte {error.start:,}).", place=Place(path, line), fix="Save it as UTF-8."
        ) from None
    bom = text.startswith(BOM)
    return text.removeprefix(BOM), bom


def is_toml(text: str, path: str) -> bool:
    """Whether a config is TOML: by its file's ending, else by its first line that is neither blank nor a comment."""
    ending = PurePath(path).suffix.lower()
    if ending in (".toml", ".yml", ".yaml"):
        return ending == ".toml"
    return _LOOKS_LIKE_TOML.match(text) is not None


def _refuse_strange(text: str, path: str) -> None:
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


def _events(text: str) -> Iterator[Event]:
    yaml = YAML(typ="safe", pure=True)
    yaml.version = "1.1"
    events: Iterable[Event] = yaml.parse(text)
    yield from events


class _TreeBuilder:
    """Composes the tree with a stack of its own, so that depth costs no recursion."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.anchors: dict[str, Node] = {}
        self.aliased: set[str] = set()
        self._declared: set[str] = set()
        self._stack: list[tuple[MappingStartEvent | SequenceStartEvent, list[Node]]] = []
        self._root: Node | None = None

    def build(self, events: Iterable[Event]) -> Node | None:
        documents = 0
        for event in events:
            match event:
                case DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        message = "The file holds more than one document."
                        raise AutocalError(message, place=self._place(event), fix="Split it.")
                case MappingStartEvent() | SequenceStartEvent():
                    self._open(event)
                case MappingEndEvent() | SequenceEndEvent():
                    self._close(event)
                case ScalarEvent():
                    self._declare(event)
                    tag = None if event.tag in (None, "!") else str(event.tag)
                    start, end = event.start_mark.index, event.end_mark.index
                    self._add(ScalarNode(start, end, event.anchor, tag, event.value, event.style or None))
                case AliasEvent():
                    if event.anchor not in self.anchors:
                        why = (
                            "stands inside what it names"
                            if event.anchor in self._declared
                            else "has no anchor before it"
                        )
                        raise AutocalError(f"The alias *{event.anchor} {why}.", place=self._place(event))
                    self.aliased.add(event.anchor)
                    self._add(AliasNode(event.start_mark.index, event.end_mark.index, event.anchor, None))
        return self._root

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise AutocalError(f"The file nests deeper than {MAX_DEPTH} levels.", place=self._place(event))
        self._declare(event)
        self._stack.append((event, []))

    def _close(self, event: MappingEndEvent | SequenceEndEvent) -> None:
        opening, children = self._stack.pop()
        start, end = opening.start_mark.index, event.end_mark.index
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
        return Place(self.path, event.start_mark.line + 1, event.start_mark.column + 1)

    def _add(self, node: Node) -> None:
        if node.anchor and not isinstance(node, AliasNode):
            self.anchors[node.anchor] = node
        if self._stack:
            self._stack[-1][1].append(node)
        elif self._root is None:
            self._root = node
