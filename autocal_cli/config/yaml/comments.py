"""The comments that autocal writes: lines above a block, and the reason behind a value.

They begin with `#:` and are renewed on every run; a person's comment is never touched, and where one stands behind a
value no reason is added.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import yaml

from autocal_cli.config.model import KeyPath, Value
from autocal_cli.config.yaml.document import ConfigDocument, ScalarNode, TypedScalarNode, lookup
from autocal_cli.config.yaml.edit import Edit, last_token_end

MARK = "#: "
_ABOVE = re.compile(r"[ \t]*#: ?([^\r\n]*)\r?\n")
_LINES = re.compile(r"^[ \t]*#: [^\r\n]*\r?\n", re.MULTILINE)
_BEHIND = re.compile(r"[ \t]*(?:(#:[^\r\n]*)|(#[^\r\n]*))?(?=\r?\n|\Z)")


def record_above(document: ConfigDocument, path: KeyPath) -> dict[str, Value] | None:
    """The record in autocal's comment lines above a key, below its headline; None where there is none."""
    if document.language != "yaml":
        return None
    lines = _lines_above(document, path)[1:]
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
    span, key = _span_above(document, path), lookup(document, path)
    if span is None or key is None:
        return edits, dropped
    line = document.text[document.line_start(key.key.start) : key.key.start]
    indent = line[: len(line) - len(line.lstrip(" "))]
    wanted = "".join(f"{indent}{MARK}{line}{document.newline}" for line in above)
    if document.text[slice(*span)] != wanted:
        edits.append(Edit(*span, wanted))
        dropped += [f"{MARK}{line}".rstrip() for line in _lines_above(document, path)]
    # The reasons, lined up in one column.
    places = [(place, why) for key, why in behind.items() if (place := _line_end(document, (*path, *key)))]
    column = max((width for (_, _, width), _ in places), default=0)
    for (start, end, width), why in places:
        wanted, standing = f"{' ' * (column - width + 2)}{MARK}{why}", document.text[start:end]
        if standing != wanted:
            edits.append(Edit(start, end, wanted))
            dropped += [standing.strip()] if standing.strip() else []
    return edits, dropped


def _lines_above(document: ConfigDocument, path: KeyPath) -> list[str]:
    """What autocal's comment lines right above a key say, from the top, without their mark."""
    return _ABOVE.findall(document.text[slice(*(_span_above(document, path) or (0, 0)))])


def _span_above(document: ConfigDocument, path: KeyPath) -> tuple[int, int] | None:
    """Where autocal's lines right above a key stand (empty where there are none); None where it begins no line."""
    pair = lookup(document, path)
    if pair is None:
        return None
    end = start = document.line_start(pair.key.start)
    if document.language == "yaml" and document.text[start : pair.key.start].strip(" "):
        return None
    while start > 0 and _ABOVE.fullmatch(document.text, before := document.line_start(start - 1), start):
        start = before
    return start, end


def _line_end(document: ConfigDocument, path: KeyPath) -> tuple[int, int, int] | None:
    """Where the comment behind a value starts and ends, and how wide the line is before it.

    None where the key begins no line, the value is more than a plain scalar on it, or a person's comment stands there.
    """
    pair = lookup(document, path)
    value = pair.value if pair else None
    typed = isinstance(value, TypedScalarNode) and not value.omitted
    if pair is None or not (typed or (isinstance(value, ScalarNode) and value.style is None)):
        return None
    line, end = document.line_start(pair.key.start), last_token_end(document, pair)
    found = _BEHIND.match(document.text, end)
    if found is None or found[2] is not None or document.line_start(end) != line:
        return None
    return None if document.text[line : pair.key.start].strip(" ") else (end, found.end(), end - line)
