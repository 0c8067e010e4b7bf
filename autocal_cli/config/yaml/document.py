"""ConfigDocument: the text of a config and the position of every node in it.

The tree is composed from PyYAML's parse events, because that is the reader of the trainers themselves. An alias stays
an alias and nothing is constructed, so that a hostile file (alias bombs, Python tags, deep nesting) costs no more than
its own length.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Literal

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

from autocal_cli.config.model import KeyPath, Scalar, Value
from autocal_cli.config.yaml.scalars import Version, read_plain, read_tagged
from autocal_cli.errors import AutocalError, Place


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


def parse_yaml(text: str, bom: bool, path: str) -> ConfigDocument:
    """Parses the text of a YAML config (without its byte order mark).

    Raises AutocalError, with the place, for whatever cannot be edited safely.
    """
    refuse_strange(text, path)
    builder = TreeBuilder(path)
    root = builder.build(parse_events(text, path))
    if not isinstance(root, MappingNode):
        raise AutocalError("A training config should be a mapping at its top level.", place=Place(path, 1, 1))
    return ConfigDocument(path, text, bom, root, tuple(builder.scalars), builder.anchors, frozenset(builder.aliased))


# Bytes of a config -> its text, or a refusal that says which character may not stand there.


MAX_BYTES = 1024 * 1024  # the largest of 1,700 real option files has 15 KB

BOM = "\ufeff"
_OTHER_BREAKS = "\x85\u2028\u2029"  # next line, line and paragraph separator: given up by YAML 1.2
# Those, a bare carriage return, what YAML (1.1, section 5.1) leaves out (control characters and non-characters), and a
# second byte order mark, which libyaml skips without counting it.
_STRANGE = re.compile(rf"\A{BOM}|\r(?!\n)|[{_OTHER_BREAKS}]|[^\t\n\r -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LOOKS_LIKE_TOML = re.compile(r"""(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*(?:\[[^\]\n,]+\]|[\w"'. -]+=)""")


def decode(raw: bytes, path: str) -> tuple[str, bool]:
    """The text without its byte order mark, and whether it had one. Raises AutocalError."""
    if len(raw) > MAX_BYTES:
        raise AutocalError(f"The file has {len(raw):,} bytes; at most {MAX_BYTES:,} are read.", place=Place(path))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise AutocalError(
            f"The file is not UTF-8 (byte {error.start:,}).", place=Place(path, line), fix="Save it as UTF-8."
        ) from None
    return text.removeprefix(BOM), text.startswith(BOM)


def is_toml(text: str, path: str) -> bool:
    """Whether a config is TOML: by its file's ending, else by its first line that is neither blank nor a comment."""
    ending = PurePath(path).suffix.lower()
    if ending in (".toml", ".yml", ".yaml"):
        return ending == ".toml"
    return _LOOKS_LIKE_TOML.match(text) is not None


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


# The nodes of a config: what stands where in its text. An alias stays an alias; nothing is constructed.


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


# Text -> the events of PyYAML's parser: libyaml where PyYAML was built with it, else the one written in Python.
#
# Both trainers' readers (BasicSR's loader and msgspec) are PyYAML with libyaml, so that what is refused here would stop
# a training too. libyaml's marks count characters, not bytes; it is some six times faster (measured:
# benchmarks/config_edit.py). On what few texts the two differ, `tests/config/test_config_parsing.py` says.


LIBYAML = bool(yaml.__with_libyaml__)


def parse_events(text: str, path: str, libyaml: bool = LIBYAML) -> Iterator[Event]:
    """The events of a text, in order. Raises AutocalError with line and column where it is not YAML."""
    try:
        next_event = (yaml.CSafeLoader if libyaml else yaml.SafeLoader)(text).get_event
        while (event := next_event()) is not None:
            yield event
    except MarkedYAMLError as error:
        raise _refusal(error, text, path) from None
    except (YAMLError, ValueError, OverflowError) as error:  # e.g. of `"\UFFFFFFFF"`, without a mark
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise AutocalError(f"This is not valid YAML: {reason.strip()}.", place=Place(path)) from None


def _refusal(error: MarkedYAMLError, text: str, path: str) -> AutocalError:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return AutocalError(f"This is not valid YAML: {error.problem or error.context}.", place=Place(path))
    opening = error.context_mark
    where = f" ({error.context} from line {opening.line + 1} on)" if opening and opening.line < mark.line else ""
    tab = text.startswith("\t", mark.index)
    return AutocalError(
        f"This is not valid YAML: {error.problem}{where}.",
        place=Place(path, mark.line + 1, mark.column + 1),
        fix="Indent with spaces, not with tabs." if tab else None,
    )


# Parse events -> the tree of nodes, with a stack of its own, so that depth costs no recursion.


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


# Node -> value, as the trainer's reader (YAML 1.1, TOML) would construct it. Only plain data: no tag runs anything.


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
