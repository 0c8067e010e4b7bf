"""Edits: splicing from the end, and taking it back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.config.yaml.edit import Edit, inverse, splice


@pytest.mark.parametrize(
    ("edits", "result"),
    [
        ([], "abcdef"),
        ([Edit(0, 0, "x")], "xabcdef"),
        ([Edit(6, 6, "x")], "abcdefx"),
        ([Edit(1, 3, "")], "adef"),
        ([Edit(4, 5, "E"), Edit(0, 1, "A")], "AbcdEf"),
        ([Edit(2, 2, "1"), Edit(2, 2, "2")], "ab12cdef"),
        ([Edit(2, 4, "x"), Edit(2, 2, "1")], "ab1xef"),
        ([Edit(2, 4, "x"), Edit(4, 4, "1")], "abx1ef"),
    ],
)
def test_splice(edits, result):
    assert splice("abcdef", edits) == result
    assert splice(result, inverse("abcdef", edits)) == "abcdef"


@pytest.mark.parametrize("edits", [[Edit(0, 3, ""), Edit(2, 4, "")], [Edit(0, 3, ""), Edit(1, 1, "x")]])
def test_overlapping_edits_are_our_mistake(edits):
    with pytest.raises(ValueError, match="overlap"):
        splice("abcdef", edits)


@st.composite
def texts_with_edits(draw):
    text = draw(st.text("ab\n", max_size=30))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    edits = [
        Edit(start, end, draw(st.text("xy\n", max_size=3))) for start, end in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    return text, draw(st.permutations(edits))


@given(texts_with_edits())
def test_edits_can_be_undone(case):
    text, edits = case
    assert splice(splice(text, edits), inverse(text, edits)) == text


@given(texts_with_edits())
def test_what_no_edit_names_stays(case):
    text, edits = case
    result = splice(text, edits)
    removed = sum(edit.end - edit.start for edit in edits)
    added = sum(len(edit.new) for edit in edits)
    assert len(result) == len(text) - removed + added
    first, last = min((e.start for e in edits), default=len(text)), max((e.end for e in edits), default=0)
    assert result.startswith(text[:first])
    assert result.endswith(text[last:])
