"""Edits: replacements of spans of text, spliced from the end so that no offset moves under another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autocal_cli.config.record import KeyPath, Value


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
