"""Kinds of images, how varied a set is, and choices that keep its range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.dataset.model import Curation, ImageFacts, ImageRow, Reason, Traces
from autocal_cli.dataset.plan import choices, choose, chosen, kind_of, variety_of

GREY = (100.0, 100.0, 80.0)


def row(path: str, edges: float = 0.5, colours: float = 0.5, mean=GREY, overall: float = 0.5) -> ImageRow:
    facts = ImageFacts(path, "ab", False, False, 0.2, 7.0, 0, 0.1, Traces(), mean)
    return ImageRow(facts, 100, 100, (0.0,) * 3, (0.5, edges, colours), overall)


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ({}, False),
        ({"edges": 0.55, "colours": 0.45, "mean": (101.0, 99.0, 82.0)}, False),
        ({"edges": 0.9}, True),
        ({"colours": 0.1}, True),
        ({"mean": (200.0, 200.0, 180.0)}, True),  # brighter
        ({"mean": (80.0, 120.0, 80.0)}, True),  # greener
        ({"mean": (100.0, 100.0, 140.0)}, True),  # bluer
    ],
)
def test_what_makes_another_kind(changed, differs):
    one, other = map(kind_of, [row("a"), row("b", **changed)])
    assert (one != other) == differs


def test_scores_of_one_are_of_the_last_kind():
    one, other = map(kind_of, [row("a", edges=1.0, colours=1.0), row("b", edges=0.95, colours=0.95)])
    assert one == other


@pytest.mark.parametrize(
    ("kinds", "effective"),
    [([7], 1.0), ([1, 2, 3, 4], 4.0), ([1, 1, 2, 2], 2.0), ([1] * 98 + [2, 3], 1.12)],
)
def test_variety_is_the_number_of_equally_frequent_kinds(kinds, effective):
    found = variety_of(np.array(kinds))
    assert found.kinds == len(set(kinds))
    assert found.effective == pytest.approx(effective, abs=0.01)


def test_the_ten_fullest_kinds():
    assert variety_of(np.array([*range(20), *range(10)])).fullest == pytest.approx(20 / 30)


def test_no_kind_wins_by_its_number():
    kinds = np.array([0] * 90 + [1] * 6 + [2] * 4)
    taken = chosen(kinds, np.arange(100), 15)
    assert np.bincount(kinds[taken]).tolist() == [6, 5, 4]  # one left over in the fullest after four or five turns


def test_fewer_images_than_kinds_lie_evenly_over_them():
    assert chosen(np.arange(10), np.arange(10)[::-1].copy(), 5).tolist() == [8, 6, 4, 2, 0]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 50), st.randoms())
def test_a_choice_is_as_even_as_can_be(kinds, count, rng):
    order = list(range(len(kinds)))
    rng.shuffle(order)
    taken = chosen(np.array(kinds), np.array(order, dtype=np.intp), count)
    assert len(set(taken.tolist())) == len(taken) == min(count, len(kinds))
    have, got = np.bincount(kinds, minlength=6), np.bincount(np.array(kinds)[taken], minlength=6)
    most = got.max()
    assert all(number >= min(most - 1, there) for number, there in zip(got.tolist(), have.tolist(), strict=True))
    for kind in set(kinds):  # the best of each kind come first
        of_kind = [place for place in order if kinds[place] == kind]
        assert {place for place in taken.tolist() if kinds[place] == kind} == set(of_kind[: got[kind]])


def test_a_choice_keeps_what_is_good_and_complex():
    rows = [row("a", overall=0.9), row("b", overall=0.8), row("c", overall=0.5), row("d", edges=0.9, overall=0.1)]
    spoilt = Curation(4, {"a": (Reason("blurred", "drop", ""),), "b": (Reason("noise", "look", ""),)}, ())
    found = choose(spoilt, rows, 2)
    assert {path: found.verdict(path) for path in "abcd"} == {"a": "drop", "b": "drop", "c": "keep", "d": "keep"}
    assert [reason.code for reason in found.reasons["b"]] == ["noise", "surplus"]
    assert found.reasons["b"][-1].detail == "kept of its kind: 1"
    assert [reason.code for reason in found.reasons["a"]] == ["blurred"]
    assert choose(spoilt, rows, 3) == spoilt


def test_what_choices_would_keep():
    rows = [row(str(number), overall=0.9) for number in range(8)] + [row("d", edges=0.1), row("e", edges=0.3)]
    found = choices(Curation(10, {"0": (Reason("noise", "drop", ""),)}, ()), rows)
    assert [(one.count, one.kinds, one.complex) for one in found] == [(4, 3, 1), (2, 2, 1)]
