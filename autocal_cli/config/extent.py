"""Where the text of a pair ends: behind its colon, behind its last token, at the line below."""

from __future__ import annotations

from collections.abc import Sequence

from autocal_cli.config.document import ConfigDocument, MappingNode, Node, Pair, ScalarNode, SequenceNode
from autocal_cli.config.edits import Edit
from autocal_cli.errors import AutocalError


def colon_end(document: ConfigDocument, pair: Pair) -> int:
    """The offset behind the `:` of a simple key. Raises AutocalError for `? complex` keys."""
    offset = pair.key.end
    while offset < len(document.text) and document.text[offset] in " \t":
        offset += 1
    if not document.text.startswith(":", offset):
        raise AutocalError(
            "Only a key with its `:` can be given a value.", place=document.place(pair.key.start), fix="Write `key:`."
        )
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
