"""The comments that autocal writes: lines above a block, and the reason behind a value.

They begin with `#:` and are renewed on every run; a person's comment is never touched, and where one stands behind a
value no reason is added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import yaml

from autocal_cli.config.model import KeyPath, Value
from autocal_cli.config.yaml.document import ConfigDocument, Node, ScalarNode, TypedScalarNode, lookup
from autocal_cli.config.yaml.edit import Edit, last_token_end

MARK = "#: "
_ABOVE = re.compile(r"[ \t]*#: ?([^\r\n]*)\r?\n")
_LINES = re.compile(r"^[ \t]*#: [^\r\n]*\r?\n", re.MULTILINE)
_BEHIND = re.compile(r"[ \t]*(?:(#:[^\r\n]*)|(#[^\r\n]*))?(?=\r?\n|\Z)")


def lines_above(document: ConfigDocument, path: KeyPath) -> tuple[str, ...]:
    """What autocal's comment lines right above a key say, from the top, without their mark."""
    start, end = _span_above(document, path) or (0, 0)
    return tuple(match[1] for match in _ABOVE.finditer(document.text[start:end]))


def record_above(document: ConfigDocument, path: KeyPath) -> dict[str, Value] | None:
    """The record in autocal's comment lines above a key, below its headline; None where there is none."""
    if document.language != "yaml":
        return None
    lines = lines_above(document, path)[1:]
    try:
        record = yaml.safe_load("\n".join(lines)) if lines else None
    except yaml.YAMLError:
        return None
    return record if isinstance(record, dict) else None


def without_comment_lines(text: str) -> str:
    """A text without the lines that hold nothing but a comment of autocal's."""
    return _LINES.sub("", text)


def plan_comments(
    document: ConfigDocument, path: KeyPath, above: Sequence[str], behind: Mapping[KeyPath, str]
) -> tuple[list[Edit], list[str]]:
    """The edits that set the comment lines above the block at `path`, and the reasons `behind` keys below it.

    Also returns the comments that the edits drop. Where a key begins no line of its own, nothing is set.
    """
    edits: list[Edit] = []
    dropped: list[str] = []
    span = _span_above(document, path)
    if span is not None:
        start, end = span
        key = lookup(document, path)
        assert key is not None
        line = document.text[document.line_start(key.key.start) : key.key.start]
        indent = line[: len(line) - len(line.lstrip(" "))]
        wanted = "".join(f"{indent}{MARK}{line}{document.newline}" for line in above)
        if document.text[start:end] != wanted:
            edits.append(Edit(start, end, wanted))
            dropped += [f"{MARK}{line}".rstrip() for line in lines_above(document, path)]
        edits += list(_behind(document, path, behind, dropped))
    return edits, dropped


def _span_above(document: ConfigDocument, path: KeyPath) -> tuple[int, int] | None:
    """Where autocal's lines right above a key stand (empty where there are none); None where it begins no line."""
    pair = lookup(document, path)
    if pair is None:
        return None
    end = start = document.line_start(pair.key.start)
    if document.language == "yaml" and document.text[start : pair.key.start].strip(" "):
        return None
    while start > 0:
        before = document.line_start(start - 1)
        if not _ABOVE.fullmatch(document.text, before, start):
            break
        start = before
    return start, end


def _behind(
    document: ConfigDocument, path: KeyPath, reasons: Mapping[KeyPath, str], dropped: list[str]
) -> Iterator[Edit]:
    """The reasons, lined up in one column; `dropped` collects those that they replace."""
    places = [(place, reason) for key, reason in reasons.items() if (place := _line_end(document, (*path, *key)))]
    column = max((width for (_, _, width), _ in places), default=0)
    for (start, end, width), reason in places:
        wanted = f"{' ' * (column - width + 2)}{MARK}{reason}"
        standing = document.text[start:end]
        if standing != wanted:
            yield Edit(start, end, wanted)
            dropped += [standing.strip()] if standing.strip() else []


def _line_end(document: ConfigDocument, path: KeyPath) -> tuple[int, int, int] | None:
    """Where the comment behind a value starts and ends, and how wide the line is before it.

    None where the key begins no line, the value is more than a plain scalar on it, or a person's comment stands there.
    """
    pair = lookup(document, path)
    if pair is None or not _is_plain(pair.value):
        return None
    line, end = document.line_start(pair.key.start), last_token_end(document, pair)
    found = _BEHIND.match(document.text, end)
    if document.text[line : pair.key.start].strip(" ") or found is None or found[2] is not None:
        return None
    if document.line_start(end) != line:
        return None
    return end, found.end(), end - line


def _is_plain(node: Node) -> bool:
    if isinstance(node, TypedScalarNode):
        return not node.omitted
    return isinstance(node, ScalarNode) and node.style is None
