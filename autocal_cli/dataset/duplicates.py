"""Which images are the same: copies to the byte by content hash, and what looks alike by perceptual hash.

Near copies are searched by an index (Norouzi, Punjani and Fleet 2012, "Fast search in Hamming space with multi-index
hashing"): no image is compared with all others.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from autocal_cli.dataset.facts import HASH_SIDE
from autocal_cli.dataset.model import ImageRow

FLAT_DEVIATION = 0.02  # of luma: under it an image shows next to nothing, and its perceptual hash says nothing either
# Bits of 64 in which the hashes of one picture may differ. Of 258 photographs (BSDS500 and Kodak) those halved, or as
# JPEG of quality 10 to 90, stay within 4 bits of themselves, 99% of those cropped to 98% and 78% of those cropped to
# 95% within 6; different ones are at least 15 apart.
NEAR_BITS = 6
PARTS = 8  # bytes of a hash, of which PARTS - NEAR_BITS are equal at least where NEAR_BITS bits differ at most
KEY_BITS = 16  # of two bytes
FEW = 1_000  # hashes that are all compared, which takes no longer than an index
MOST_ALIKE = 1_000  # candidates of a hash with the same parts: what a folder of frames of one video may hold
POSITIONS = (0, 1, 2, 3, 4, 5, 7)  # as `turned` numbers them; 6 turns the other way than 5, which finds the same pairs

Groups = list[list[int]]  # places of images that are the same, several in each
Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int32]


def same_images(rows: Iterable[ImageRow]) -> dict[str, Groups]:
    """The places of images that are the same, by the reason that all but the best of each group have.

    Of copies to the byte the first alone is among those that look alike, and none that is flat.
    """
    digests, hashes, shows = bytearray(), array("Q"), bytearray()
    for row in rows:
        digests += bytes.fromhex(row.facts.sha256)
        hashes.append(row.facts.perceptual_hash)
        shows.append(row.facts.deviation >= FLAT_DEVIATION)
    copies = _groups_of(np.frombuffer(digests, dtype="S32"))
    for _, *others in copies:
        for place in others:
            shows[place] = False
    shown = np.flatnonzero(np.frombuffer(shows, dtype=np.bool_))
    near = near_groups(np.frombuffer(hashes, dtype=np.uint64)[shown])
    return {"duplicate": copies, "near-duplicate": [shown[group].tolist() for group in near]}


def _groups_of(labels: npt.NDArray[Any]) -> Groups:
    """The places of equal labels, where there are several, in ascending order."""
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(labels) else order
    sizes = np.diff(starts, append=len(labels))
    several = sizes > 1
    spans = zip(starts[several].tolist(), sizes[several].tolist(), strict=True)
    return [order[start : start + size].tolist() for start, size in spans]


def near_groups(hashes: Hashes) -> Groups:
    """The places of images that look alike, flipped and turned ones too: linked where hashes, in one of the eight
    positions of the picture, differ in at most NEAR_BITS bits; in groups of what hangs together.
    """
    distinct, where = np.unique(hashes, return_inverse=True)
    leaders = array("i", range(len(distinct)))
    seen = np.frombuffer(leaders, dtype=np.int32)

    def leader(place: int) -> int:
        while leaders[place] != place:
            leaders[place] = leaders[leaders[place]]
            place = leaders[place]
        return place

    for first, second in close_pairs(distinct):
        apart = seen[first] != seen[second]
        for one, other in zip(first[apart].tolist(), second[apart].tolist(), strict=True):
            leaders[leader(other)] = leader(one)
    roots = seen
    while (roots != (higher := roots[roots])).any():
        roots = higher
    return _groups_of(roots[where])


def likenesses(hashes: Hashes) -> list[int]:
    """For each image of a group, best first, the place of the better one that it looks like; its own where it stays.

    A group may be a chain, as the frames of a slow pan, whose ends look nothing alike: so the best stays with nothing
    that looks like it, then the best of what is left, and so on.
    """
    positions = np.stack([turned(hashes, position) for position in range(8)])
    kept = np.arange(len(hashes))
    rest = kept.copy()
    while len(rest):
        best = rest[0]
        near = (np.bitwise_count(positions[:, best, None] ^ hashes[rest]) <= NEAR_BITS).any(axis=0)
        kept[rest[near]] = best
        rest = rest[~near]
    return kept.tolist()


def close_pairs(distinct: Hashes) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """Places of pairs of hashes (n,), all different, that are close in one of the eight positions; some pairs again."""
    for position in POSITIONS:
        others = turned(distinct, position)
        if len(distinct) <= FEW:
            first, second = np.nonzero(np.bitwise_count(others[:, None] ^ distinct) <= NEAR_BITS)
            yield first, second
            continue
        for key, other_key in zip(_keys(distinct), _keys(others), strict=True):
            order: Places = np.argsort(key, kind="stable").astype(np.int32)  # by radix
            bounds = np.append(0, np.bincount(key, minlength=2**KEY_BITS).cumsum()).astype(np.int32)
            # Upright, a hash is compared with those behind it in the order alone, which gives each pair once.
            rows = order if position == 0 else np.arange(len(distinct), dtype=np.int32)
            at = np.arange(1, len(distinct) + 1, dtype=np.int32) if position == 0 else bounds[other_key]
            ends = bounds[1:][other_key[rows]]
            for _ in range(MOST_ALIKE):
                more = at < ends
                rows, at, ends = rows[more], at[more], ends[more]
                if not len(rows):
                    break
                candidates = order[at]
                near = np.bitwise_count(others[rows] ^ distinct[candidates]) <= NEAR_BITS
                yield rows[near], candidates[near]
                at = at + 1


def _keys(hashes: Hashes) -> Iterator[npt.NDArray[np.uint16]]:
    """Every choice of two of the eight bytes, as one number: close hashes agree in at least one."""
    parts = [(hashes >> np.uint64(8 * part) & np.uint64(255)).astype(np.uint16) for part in range(PARTS)]
    for one, other in combinations(parts, PARTS - NEAR_BITS):
        yield one << np.uint16(8) | other


def turned(hashes: Hashes, position: int) -> Hashes:
    """The hashes of the pictures in one of eight positions: bit 1 flips left to right, 2 top to bottom, 4 transposes.

    Flipping negates the coefficients of odd frequencies along that axis; transposing exchanges the axes.
    """
    places = np.arange(HASH_SIDE * HASH_SIDE, dtype=np.uint64).reshape(HASH_SIDE, HASH_SIDE)
    one = np.uint64(1)
    if position & 1:
        hashes = hashes ^ (one << places[:, 1::2]).sum()
    if position & 2:
        hashes = hashes ^ (one << places[1::2]).sum()
    if not position & 4:
        return hashes
    result = np.zeros_like(hashes)
    for bit, place in zip(places.ravel(), places.T.ravel(), strict=True):
        result |= (hashes >> bit & one) << place
    return result
