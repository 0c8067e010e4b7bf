"""Where the comments of a config stand: every `#` between scalars that may begin one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from autocal_cli.config.document import ConfigDocument

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
    return Counter(comments_between(document, 0, len(document.text)))


def _gaps(document: ConfigDocument) -> Iterator[tuple[int, int]]:
    """The stretches of text between scalars; the head of a block scalar (`| # comment`) is one of them."""
    position = 0
    for scalar in document.scalars:
        head = scalar.style in ("|", ">")
        yield position, document.line_end(scalar.start) if head else scalar.start
        position = scalar.end
    yield position, len(document.text)
