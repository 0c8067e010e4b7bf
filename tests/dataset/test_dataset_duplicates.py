"""Images that are the same: small tables, and the law that close hashes are found wherever they differ."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autocal_cli.dataset import duplicates as index
from autocal_cli.dataset.duplicates import NEAR_BITS, near_groups, turned

FAR = 0x5A3C_96E1_0FB4_78D2  # a hash unlike its own flipped and turned ones


def near(*hashes: int) -> list[list[int]]:
    return near_groups(np.array(hashes, dtype=np.uint64))


def flipped(value: int, bits: int) -> int:
    """The hash with so many of its bits changed, spread over it."""
    return value ^ sum(1 << (7 * bit + 1) for bit in range(bits))


@pytest.mark.parametrize(
    ("hashes", "groups"),
    [
        ([FAR], []),
        ([FAR, FAR], [[0, 1]]),
        ([FAR, ~FAR % 2**64], []),
        ([FAR, flipped(FAR, NEAR_BITS)], [[0, 1]]),
        ([FAR, flipped(FAR, NEAR_BITS + 1)], []),
        ([FAR, 0, flipped(FAR, 5), flipped(flipped(FAR, 5) ^ (1 << 60), 0) ^ 0b11000], [[0, 2, 3]]),  # by a third
    ],
)
def test_near_groups(hashes, groups):
    assert near(*hashes) == groups


@pytest.mark.parametrize("few", [0, 1_000])
@settings(max_examples=40, deadline=None)
@given(
    value=st.integers(0, 2**64 - 1),
    changed=st.sets(st.integers(0, 63), max_size=NEAR_BITS + 3),
    position=st.integers(0, 7),
    others=st.lists(st.integers(0, 2**64 - 1), max_size=5),
)
def test_close_hashes_are_found_in_any_position_by_the_index_and_without(few, value, changed, position, others):
    other = turned(np.array([value], np.uint64), position) ^ np.uint64(sum(1 << bit for bit in changed))
    hashes = np.unique(np.array([value, int(other[0]), *others], dtype=np.uint64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "FEW", few)
        found = {
            frozenset(pair)
            for ones in index.close_pairs(hashes)
            for pair in zip(*map(np.ndarray.tolist, ones), strict=True)
        }
    for first in range(len(hashes)):
        for second in range(first):
            apart = min(int(turned(hashes[first : first + 1], p)[0] ^ hashes[second]).bit_count() for p in range(8))
            assert (frozenset((first, second)) in found) == (apart <= NEAR_BITS)


def test_turning_four_times_is_turning_never():
    hashes = np.random.default_rng(1).integers(0, 2**63, 20, dtype=np.uint64)
    for position in range(8):
        again = hashes
        for _ in range(4):
            again = turned(again, position)
        assert (again == hashes).all()
