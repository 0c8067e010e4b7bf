"""Plans the edits that make a config say what is wanted, and touch nothing else.

Only keys that are missing or that read differently are edited: a scalar in place, a missing key as whole lines after
the last token of its mapping (or before the closing brace, in flow style).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autocal_cli.config.model import KeyPath, Value
from autocal_cli.config.yaml.document import (
    AliasNode,
    ConfigDocument,
    MappingNode,
    Node,
    Pair,
    ScalarNode,
    SequenceNode,
    is_null,
    read_value,
    same_data,
)
from autocal_cli.config.yaml.scalars import render_body, render_flow, render_pairs, write_scalar


def plan_yaml_patch(
    document: ConfigDocument, path: KeyPath, wanted: Mapping[str, Value], units: Collection[str] = ()
) -> Patch:
    """As `plan_patch`, of a YAML document. Raises AutocalError where an alias, an anchor, a duplicate or an unusual key
    stands on the way.
    """
    planner = _Planner(document, frozenset(units), len(path))
    parent: Node = document.root
    for depth, key in enumerate(path):
        mapping = planner.editable_mapping(parent, path[:depth])
        pair = planner.only_pair(mapping, key, path[: depth + 1])
        if pair is None or is_null(document, pair.value):
            missing: dict[str, Value] = dict(wanted)
            for outer in reversed(path[depth + 1 :]):
                missing = {outer: missing}
            planner.set_key(mapping, pair, path[: depth + 1], missing)
            break
        parent = pair.value
    else:
        planner.update(planner.editable_mapping(parent, path), path, wanted)
    return Patch(tuple(planner.edits), planner.values)


def _own_pair(node: Node, key: str) -> Pair | None:
    """The pair with a key that stands in a mapping itself, the last of several."""
    found = node.all_pairs(key) if isinstance(node, MappingNode) else []
    return found[-1] if found else None


class _Planner:
    def __init__(self, document: ConfigDocument, units: frozenset[str], depth: int) -> None:
        self.document, self.units, self.depth = document, units, depth
        self.edits: list[Edit] = []
        self.values: dict[KeyPath, Value] = {}

    def refuse_shared(self, node: Node, path: KeyPath) -> None:
        """An alias is somebody else's text, and an anchor that is used elsewhere would carry the edit there."""
        name, fix = ".".join(path), "Write it out."
        if isinstance(node, AliasNode):
            message = f"`{name}` is an alias (*{node.anchor}), so that an edit here would change another place too."
            raise self.document.refusal(message, node, fix)
        if node.anchor in self.document.aliased:
            bears = f"`{name}` bears the anchor &{node.anchor}, which is used elsewhere"
            raise self.document.refusal(f"{bears}; an edit would change that too.", node, fix)

    def editable_mapping(self, node: Node, path: KeyPath) -> MappingNode:
        self.refuse_shared(node, path)
        if not isinstance(node, MappingNode):
            raise self.document.refusal(f"`{'.'.join(path)}` should be a mapping.", node)
        return node

    def only_pair(self, mapping: MappingNode, key: str, path: KeyPath) -> Pair | None:
        """The pair with the key, None where there is none. Refuses a key that stands twice: readers differ on it."""
        found = mapping.all_pairs(key)
        if len(found) > 1:
            first = self.document.place(found[0].key.start)
            message = f"`{'.'.join(path)}` stands twice, here and in line {first.line}; a trainer reads the last."
            raise self.document.refusal(message, found[1].key, "Delete one.")
        return found[0] if found else None

    def update(self, mapping: MappingNode, path: KeyPath, wanted: Mapping[str, Value]) -> None:
        missing: dict[str, Value] = {}
        for key, value in wanted.items():
            here = (*path, key)
            pair = _own_pair(mapping, key)
            unit = len(path) == self.depth and key in self.units
            if pair is None:
                missing[key] = self.values[here] = value
            elif isinstance(value, dict) and isinstance(pair.value, MappingNode) and not unit:
                self.only_pair(mapping, key, here)
                self.update(self.editable_mapping(pair.value, here), here, value)
            elif not same_data(read_value(self.document, pair.value), value):
                self.only_pair(mapping, key, here)
                self.set_key(mapping, pair, here, value)
        if missing:
            self.insert(mapping, path, missing)

    def set_key(self, mapping: MappingNode, pair: Pair | None, path: KeyPath, value: Value) -> None:
        """Gives the key at `path` a value: in place of what `pair` holds, or as a new key when there is no pair."""
        self.values[path] = value
        if pair is None:
            self.insert(mapping, path[:-1], {path[-1]: value})
            return
        old = pair.value
        self.refuse_shared(old, path)
        # A span that is the text: a tag before an anchor stands outside of it, the line break of a `|` inside.
        alone = isinstance(old, ScalarNode) and not (old.omitted or old.style in ("|", ">") or (old.tag and old.anchor))
        if alone and not isinstance(value, dict | list):
            self.replace(old.start, old.end, write_scalar(value))
        else:
            self.replace_value(mapping, pair, len(path) - self.depth - 1, value)

    def insert(self, mapping: MappingNode, path: KeyPath, pairs: Mapping[str, Value]) -> None:
        last = mapping.pairs[-1] if mapping.pairs else None
        if mapping.flow:
            items = ", ".join(f"{write_scalar(key)}: {render_flow(value)}" for key, value in pairs.items())
            offset = last_token_end(self.document, last) if last else self.document.text.index("{", mapping.start) + 1
            old = last.value if last else None
            wordless = isinstance(old, ScalarNode) and old.style is None and old.value == ""
            comma = " , " if wordless else ", "  # a tag or a colon would take it for its own
            self.replace(offset, offset, comma + items if last else items)
            return
        assert last is not None  # a block mapping has at least one pair
        node = last_node(last)[1]
        ended = self.document.text.endswith("\n", node.start, node.end)
        if isinstance(node, ScalarNode) and node.style in ("|", ">") and not (ended and node.value.strip()):
            # it would take lines below it for its own
            below = f"below a `{node.style}` text without words or without a final line break"
            raise self.document.refusal(f"Nothing can be inserted {below}.", node, "End its last line.")
        indent = self.indent(mapping)
        lines = render_pairs(pairs, indent, self.step(), len(path) - self.depth)
        after = behind_deeper_comments(self.document, last_token_end(self.document, last), indent)
        self.edits.append(lines_below(self.document, after, lines))

    def replace_value(self, mapping: MappingNode, pair: Pair, level: int, value: Value) -> None:
        """Replaces whatever follows `key:` up to its last token; comments in between move to lines of their own."""
        start, end = colon_end(self.document, pair), last_token_end(self.document, pair)
        end = start + len(self.document.text[start:end].rstrip())  # a block scalar ends behind its line breaks
        step, indent = self.step(), self.column(pair.key) + self.step()
        body = render_flow(value) if mapping.flow else render_body(value, indent, step, level + 1)
        comments = comments_between(self.document, start, end)
        if isinstance(body, str) and not comments:
            self.replace(start, end, f" {body}")
            return
        lines = [" " * indent + comment for comment in comments]
        lines += body if isinstance(body, list) else [" " * indent + body]
        on_one_line = end <= self.document.line_end(start)
        if on_one_line and isinstance(body, list):  # `key: ~  # note` keeps its note on the line
            self.edits += [Edit(start, end, "")] if end > start else []
            self.edits.append(lines_below(self.document, end, lines))
        else:
            self.replace(start, end, "".join(self.document.newline + line for line in lines))

    def replace(self, start: int, end: int, new: str) -> None:
        if new and self.document.text.startswith("#", end):  # `{# note`: behind a token it would be no comment
            new += " "
        self.edits.append(Edit(start, end, new))

    def column(self, node: Node) -> int:
        return node.start - self.document.line_start(node.start)

    def indent(self, mapping: MappingNode) -> int:
        """The column of a block mapping's keys: that of the first one that begins its line."""
        for pair in mapping.pairs:
            start = self.document.line_start(pair.key.start)
            if not self.document.text[start : pair.key.start].strip(" "):
                return pair.key.start - start
        raise self.document.refusal("Nothing can be inserted beside a key with `?`.", mapping, "Write `key:`.")

    def step(self) -> int:
        """Columns a level: as the first indented block mapping at the top of the file has it."""
        for pair in self.document.root.pairs:
            value = pair.value
            if isinstance(value, MappingNode) and not value.flow and value.pairs:
                step = self.column(value.pairs[0].key) - self.column(pair.key)
                if step > 0:
                    return step
        return 2


def yaml_text_without(document: ConfigDocument, path: KeyPath) -> str:
    """The text without the pair at `path` (its lines, or its stretch of a flow mapping), without a final line break."""
    owner: Node = document.root
    node: Node = owner
    for key in path:
        owner, pair = node, _own_pair(node, key)
        if pair is None:
            return document.text.rstrip("\r\n")
        node = pair.value
    assert pair is not None
    assert isinstance(owner, MappingNode)
    end = last_token_end(document, pair)
    if owner.flow:
        before = [other for other in owner.pairs if other.key.start < pair.key.start]
        start = last_token_end(document, before[-1]) if before else pair.key.start
    else:
        start, end = document.line_start(pair.key.start), next_line(document.text, end)
    return (document.text[:start] + document.text[end:]).rstrip("\r\n")


def colon_end(document: ConfigDocument, pair: Pair) -> int:
    """The offset behind the `:` of a simple key. Raises AutocalError for `? complex` keys."""
    offset = pair.key.end
    while offset < len(document.text) and document.text[offset] in " \t":
        offset += 1
    if not document.text.startswith(":", offset):
        raise document.refusal("Only a key with its `:` can be given a value.", pair.key, "Write `key:`.")
    return offset + 1


def last_token_end(document: ConfigDocument, pair: Pair) -> int:
    """The offset behind the last token of a pair. (The end mark of a block mapping stands at the next token.)"""
    pair, value = last_node(pair)
    if not (isinstance(value, ScalarNode) and value.omitted):
        return value.end
    if value is not pair.value:  # an empty item of a list
        return document.text.rfind("-", 0, value.start) + 1
    colon = document.text.find(":", pair.key.end, pair.key.end + 200)
    return colon + 1 if colon >= 0 and not document.text[pair.key.end : colon].strip() else pair.key.end


def last_node(pair: Pair) -> tuple[Pair, Node]:
    """The node that a pair ends with, down through block collections, and the innermost pair that it ends."""
    value = pair.value
    while isinstance(value, MappingNode | SequenceNode) and not value.flow:
        if isinstance(value, MappingNode):
            pair = value.pairs[-1]
            value = pair.value
        else:
            value = value.items[-1]
    return pair, value


def next_line(text: str, after: int) -> int:
    """The start of the line below the token that ends at `after`. (A block scalar ends behind its last line break.)"""
    if text.endswith("\n", 0, after):
        return after
    line_break = text.find("\n", after)
    return len(text) if line_break < 0 else line_break + 1


def behind_deeper_comments(document: ConfigDocument, after: int, column: int) -> int:
    """The offset behind the last of the comment lines below `after` that stand further in than `column`.

    They belong to the value that ends at `after` (`# - type: ganloss` below a list), and are not parted from it.
    """
    position = next_line(document.text, after)
    while position < len(document.text):
        below = document.text.find("\n", position) + 1 or len(document.text)
        line = document.text[position:below]
        content = line.lstrip(" ")
        if content.startswith("#") and len(line) - len(content) > column:
            after = document.line_end(position)
        elif content.strip():
            break
        position = below
    return after


def lines_below(document: ConfigDocument, after: int, lines: Sequence[str]) -> Edit:
    """Inserts whole lines below the line that holds the character before `after`, also where that one has no end."""
    offset, newline = next_line(document.text, after), document.newline
    ended = document.text.endswith("\n", 0, offset)
    return Edit(offset, offset, "".join(line + newline if ended else newline + line for line in lines))


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replaces `text[start:end]` by `new`; an insertion has start == end."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True)
class Patch:
    """The edits, and what each key path that they set (as a whole) comes to say."""

    edits: tuple[Edit, ...]
    values: Mapping[KeyPath, Value]


def splice(text: str, edits: Iterable[Edit]) -> str:
    """Applies edits that do not overlap. Insertions at one offset keep the order in which they are given."""
    ordered = sorted(edits, key=lambda edit: (edit.start, edit.end))
    pieces: list[str] = []
    position = 0
    for edit in ordered:
        if edit.start < position:
            raise ValueError(f"Edits overlap at offset {edit.start}.")
        pieces += (text[position : edit.start], edit.new)
        position = edit.end
    return "".join((*pieces, text[position:]))


def inverse(text: str, edits: Iterable[Edit]) -> list[Edit]:
    """The edits that turn `splice(text, edits)` back into `text`."""
    undo = []
    shift = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        start = edit.start + shift
        undo.append(Edit(start, start + len(edit.new), text[edit.start : edit.end]))
        shift += len(edit.new) - (edit.end - edit.start)
    return undo


_COMMENT = re.compile(r"(?:(?<=[\s\[\]{},\"'])|^)#[^\r\n]*", re.MULTILINE)


def comments_between(document: ConfigDocument, start: int, end: int) -> list[str]:
    """The comments whose `#` lies in text[start:end], in order, each from its `#` on, without trailing blanks."""
    found = []
    for gap_start, gap_end in _gaps(document):
        low, high = max(gap_start, start), min(gap_end, end)
        if document.text.find("#", low, high) >= 0:
            found += [match.group().rstrip() for match in _COMMENT.finditer(document.text, low, high)]
    return found


def all_comments(document: ConfigDocument) -> Counter[str]:
    if document.language == "toml":  # where one may follow a number at once; what texts hold counts too
        return Counter(found.rstrip() for found in re.findall(r"#[^\r\n]*", document.text))
    return Counter(comments_between(document, 0, len(document.text)))


def _gaps(document: ConfigDocument) -> Iterator[tuple[int, int]]:
    """The stretches of text between scalars; the head of a block scalar (`| # comment`) is one of them."""
    position = 0
    for scalar in document.scalars:
        head = scalar.style in ("|", ">")
        yield position, document.line_end(scalar.start) if head else scalar.start
        position = scalar.end
    yield position, len(document.text)
