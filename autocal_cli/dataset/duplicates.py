"""Which images are the same: copies to the byte by content hash, and what looks alike by perceptual hash.

Near copies are searched by an index (Norouzi, Punjani and Fleet 2012, "Fast search in Hamming space with multi-index
hashing"): no image is compared with all others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from autocal_cli.dataset.facts import HASH_SIDE
from autocal_cli.dataset.model import Duplicates, Named

# Bits of 64 in which the hashes of one picture may differ. Of 258 photographs (BSDS500 and Kodak) those halved, or as
# JPEG of quality 10 to 90, stay within 4 bits of themselves, 99% of those cropped to 98% and 78% of those cropped to
# 95% within 6; different ones are at least 15 apart.
NEAR_BITS = 6
PARTS = 8  # bytes of a hash, of which PARTS - NEAR_BITS are equal at least where NEAR_BITS bits differ at most
KEY_BITS = 16  # of two bytes
FEW = 1_000  # hashes that are all compared, which takes no longer than an index
MOST_ALIKE = 1_000  # candidates of a hash with the same parts: what a folder of frames of one video may hold
POSITIONS = (0, 1, 2, 3, 4, 5, 7)  # as `turned` numbers them; 6 turns the other way than 5, which finds the same pairs

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


def exact_groups(digests: Sequence[bytes]) -> list[list[int]]:
    """The places of images whose files are equal byte for byte, in groups of two or more."""
    places: defaultdict[bytes, list[int]] = defaultdict(list)
    for place, digest in enumerate(digests):
        places[digest].append(place)
    return [group for group in places.values() if len(group) > 1]


def near_groups(hashes: Hashes) -> list[list[int]]:
    """The places of images that look alike, flipped and turned ones too: linked where hashes, in one of the eight
    positions of the picture, differ in at most NEAR_BITS bits; in groups of what hangs together.
    """
    distinct, where = np.unique(hashes, return_inverse=True)
    leaders = np.arange(len(distinct))
    for first, second in close_pairs(distinct):
        _unite(leaders, first, second)
    roots = _roots(leaders)[where]
    order = np.argsort(roots, kind="stable")
    bounds = np.flatnonzero(np.diff(roots[order])) + 1
    return [group.tolist() for group in np.split(order, bounds) if len(group) > 1]


def close_pairs(distinct: Hashes) -> Iterator[tuple[Places, ...]]:
    """Places of pairs of hashes (n,), all different, that are close in one of the eight positions; some pairs again."""
    for position in POSITIONS:
        others = turned(distinct, position)
        if len(distinct) <= FEW:
            yield np.nonzero(np.bitwise_count(others[:, None] ^ distinct) <= NEAR_BITS)
            continue
        for key, other_key in zip(_keys(distinct), _keys(others), strict=True):
            order = np.argsort(key.astype(np.uint16), kind="stable")  # by radix
            bounds = np.concatenate([[0], np.bincount(key, minlength=2**KEY_BITS).cumsum()])
            # Upright, a hash is compared with those behind it in the order alone, which gives each pair once.
            rows = order if position == 0 else np.arange(len(distinct))
            at = np.arange(1, len(distinct) + 1) if position == 0 else bounds[other_key]
            ends = bounds[other_key[rows] + 1]
            for _ in range(MOST_ALIKE):
                more = at < ends
                rows, at, ends = rows[more], at[more], ends[more]
                if not len(rows):
                    break
                candidates = order[at]
                near = np.bitwise_count(others[rows] ^ distinct[candidates]) <= NEAR_BITS
                yield rows[near], candidates[near]
                at = at + 1


def _keys(hashes: Hashes) -> Iterator[npt.NDArray[np.int64]]:
    """Every choice of two of the eight bytes, as one number: close hashes agree in at least one."""
    parts = [(hashes >> np.uint64(8 * part) & np.uint64(255)).astype(np.int64) for part in range(PARTS)]
    for one, other in combinations(parts, PARTS - NEAR_BITS):
        yield one << 8 | other


def turned(hashes: Hashes, position: int) -> Hashes:
    """The hashes of the pictures in one of eight positions: bit 1 flips left to right, 2 top to bottom, 4 transposes.

    Flipping negates the coefficients of odd frequencies along that axis; transposing exchanges the axes.
    """
    if position & 1:
        hashes = hashes ^ _ODD_ACROSS
    if position & 2:
        hashes = hashes ^ _ODD_DOWN
    return _transposed(hashes) if position & 4 else hashes


_PLACES = np.arange(HASH_SIDE * HASH_SIDE).reshape(HASH_SIDE, HASH_SIDE)
_ODD_ACROSS = np.uint64(sum(1 << int(bit) for bit in _PLACES[:, 1::2].ravel()))
_ODD_DOWN = np.uint64(sum(1 << int(bit) for bit in _PLACES[1::2].ravel()))


def _transposed(hashes: Hashes) -> Hashes:
    result = np.zeros_like(hashes)
    one = np.uint64(1)
    for bit, place in enumerate(_PLACES.T.ravel().tolist()):
        result |= (hashes >> np.uint64(bit) & one) << np.uint64(place)
    return result


def _unite(leaders: npt.NDArray[np.intp], first: Places, second: Places) -> None:
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        leaders[_leader(leaders, other)] = _leader(leaders, one)


def _leader(leaders: npt.NDArray[np.intp], place: int) -> int:
    while leaders[place] != place:
        leaders[place] = leaders[leaders[place]]
        place = int(leaders[place])
    return place


def _roots(leaders: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    while not np.array_equal(higher := leaders[leaders], leaders):
        leaders = higher
    return leaders


def duplicates(groups: Iterable[Sequence[str]]) -> Duplicates:
    """Groups by name, the largest first, then in alphabetical order."""
    named = sorted((sorted(group) for group in groups), key=lambda group: (-len(group), group))
    return Duplicates(tuple(Named(tuple(group)) for group in named))
