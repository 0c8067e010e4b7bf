"""Health and duplicates: tables of small rows, and the law that close hashes are found wherever they differ."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.dataset.health import (
    BLOCKY,
    FLAT_DEVIATION,
    LISTED,
    NEAR_BITS,
    assess,
    close_pairs,
    exact_duplicates,
    near_duplicates,
)
from autocal_cli.dataset.model import Duplicates, ImageFacts, ImageRow, Named

SPREAD = 0x0123_4567_89AB_CDEF  # multiplied by, neighbours differ in many bits


def row(path, size=(100, 80), sha=None, phash=None, grey=False, deviation=0.2, blockiness=1.0) -> ImageRow:
    number = sum(ord(char) * 31**i for i, char in enumerate(path))
    hashed = number * SPREAD % 2**64 if phash is None else phash
    facts = ImageFacts(path, sha or path, grey, deviation, blockiness, hashed, 0.1)
    return ImageRow(facts, *size, (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), 0.5)


@pytest.mark.parametrize("crop", [None, 64, 81, 101])
def test_sizes_and_what_is_below_the_crop(crop):
    rows = [row("a"), row("b", (64, 64)), row("c", (1000, 80)), row("d", (64, 500)), row("e", (90, 90))]
    health = assess(rows, crop)
    assert [image.path for image in (health.smallest, health.median, health.largest)] == ["b", "e", "c"]
    below = {64: (), 81: ("a", "b", "c", "d"), 101: ("a", "b", "c", "d", "e")}
    assert health.below_crop == (None if crop is None else Named(len(below[crop]), below[crop]))
    assert health.crop == crop


def test_grey_flat_and_blocky_images_are_named():
    rows = [
        row("g", grey=True),
        row("f", deviation=FLAT_DEVIATION - 0.001),
        row("n", deviation=FLAT_DEVIATION),
        row("b", blockiness=BLOCKY),
        row("m", blockiness=BLOCKY - 0.01),
        row("u", blockiness=None),
    ]
    health = assess(rows)
    assert (health.grey, health.flat, health.blocky) == (Named(1, ("g",)), Named(1, ("f",)), Named(1, ("b",)))
    assert (health.images, health.blockiness_known, health.blockiness_median) == (6, 5, 1.0)


def test_names_are_sorted_and_listed_up_to_a_limit():
    rows = [row(f"{i:03}", grey=True) for i in range(LISTED + 5)]
    random.Random(1).shuffle(rows)
    grey = assess(rows).grey
    assert grey.count == LISTED + 5
    assert grey.paths == tuple(f"{i:03}" for i in range(LISTED))


NO = Duplicates(0, 0, ())


def groups(*listed: str) -> Duplicates:
    """Groups of images with names of one letter."""
    return Duplicates(len(listed), sum(map(len, listed)) - len(listed), tuple(Named(len(g), tuple(g)) for g in listed))


@pytest.mark.parametrize(
    ("rows", "exact", "near"),
    [
        ([row("a")], NO, NO),
        ([row("a"), row("b")], NO, NO),
        ([row("b", sha="x", phash=1), row("a", sha="x", phash=1)], groups("ab"), NO),
        ([row("a", phash=1), row("b", phash=1)], NO, groups("ab")),
        ([row("a", phash=0b0000), row("b", phash=0b1111)], NO, groups("ab")),
        ([row("a", phash=0b00000), row("b", phash=0b11111)], NO, NO),
        (  # what hangs together by a third
            [row("a", phash=0), row("b", phash=0b1111), row("c", phash=0b11111111)],
            NO,
            groups("abc"),
        ),
        (  # a copy to the byte is told once, and its picture goes on in the near ones
            [row("a", sha="x", phash=0), row("b", sha="x", phash=0), row("c", phash=1)],
            groups("ab"),
            groups("ac"),
        ),
    ],
)
def test_duplicates(rows, exact, near):
    assert exact_duplicates(rows) == exact
    assert near_duplicates(rows) == near
    assert near_duplicates(rows[::-1]) == near


def test_near_duplicates_are_unknown_without_hashes():
    unhashed = ImageRow(ImageFacts("a", "a", False, 0.2, 1.0, None, 0.1), 9, 9, (0.0,) * 3, (0.5,) * 3, 0.5)
    assert near_duplicates([unhashed]) is None


def test_flat_images_are_no_near_duplicates():
    rows = [row("a", phash=1, deviation=0.0), row("b", phash=1, deviation=0.001)]
    assert assess(rows).near_duplicates == NO


def test_the_largest_groups_come_first_and_their_names_are_limited():
    rows = [row(name, sha=group) for group in ("ab", "cdef", "gh") for name in group]
    assert exact_duplicates(rows) == groups("cdef", "ab", "gh")
    (large,) = exact_duplicates([row(f"{i:03}", sha="x") for i in range(150)]).listed
    assert (large.count, len(large.paths)) == (150, 100)


@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), min_size=1, max_size=8))
def test_close_hashes_are_found_wherever_they_differ(value, flipped):
    other = value ^ sum(1 << bit for bit in flipped)
    found = {frozenset(pair) for pair in close_pairs([value, other])}
    assert (frozenset((value, other)) in found) == (len(flipped) <= NEAR_BITS)
