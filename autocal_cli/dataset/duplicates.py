"""Which images are the same: copies to the byte by content hash, near copies by perceptual hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from typing import TypeVar

from autocal_cli.dataset.report_record import Duplicates, ImageRow, Named

# Bits of 64 in which the hashes of one picture may differ. Measured on 200 photographs of BSDS500 and 8 of Kodak:
# halved, or as JPEG of quality 90, 50 or 20, each stays within 4 bits of itself; different ones are at least 14 apart.
NEAR_BITS = 4
LISTED_GROUPS = 100
LISTED_NAMES = 100  # of a group
HASH_BITS = 64

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def exact_duplicates(rows: Iterable[ImageRow]) -> Duplicates:
    """Images whose files are equal byte for byte."""
    return _duplicates(_grouped((row.facts.sha256, row.facts.path) for row in rows).values())


def near_duplicates(rows: Iterable[ImageRow]) -> Duplicates | None:
    """Images that look alike: linked where hashes differ in at most NEAR_BITS bits, in groups of what hangs together.

    Of copies to the byte only the first counts. None where the images have no perceptual hash.
    """
    distinct = {row.facts.sha256: row.facts for row in sorted(rows, key=lambda row: row.facts.path, reverse=True)}
    if any(facts.perceptual_hash is None for facts in distinct.values()):
        return None
    alike = _grouped((facts.perceptual_hash or 0, facts.path) for facts in distinct.values())
    leaders = {value: value for value in alike}
    for first, second in close_pairs(alike):
        leaders[_leader(leaders, second)] = _leader(leaders, first)
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for value, paths in alike.items():
        groups[_leader(leaders, value)] += paths
    return _duplicates(groups.values())


def close_pairs(hashes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Pairs of distinct hashes at most NEAR_BITS bits apart, some more than once.

    Such a pair agrees wholly in at least one of NEAR_BITS + 1 parts of its bits, so only hashes that share a part are
    compared: far fewer than all pairs.
    """
    known = sorted(set(hashes))
    for low, high in _parts():
        shared = _grouped(((value >> low) & ((1 << (high - low)) - 1), value) for value in known)
        for candidates in shared.values():
            for first, second in combinations(candidates, 2):
                if (first ^ second).bit_count() <= NEAR_BITS:
                    yield first, second


def _parts() -> list[tuple[int, int]]:
    bounds = [i * HASH_BITS // (NEAR_BITS + 1) for i in range(NEAR_BITS + 2)]
    return list(pairwise(bounds))


def _leader(leaders: dict[int, int], value: int) -> int:
    while leaders[value] != value:
        leaders[value] = leaders[leaders[value]]
        value = leaders[value]
    return value


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    groups: defaultdict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _duplicates(groups: Iterable[Sequence[str]]) -> Duplicates:
    """Groups of two or more, the largest first, then by name."""
    several = sorted((sorted(group) for group in groups if len(group) > 1), key=lambda group: (-len(group), group))
    surplus = sum(len(group) - 1 for group in several)
    listed = tuple(Named(len(group), tuple(group[:LISTED_NAMES])) for group in several[:LISTED_GROUPS])
    return Duplicates(len(several), surplus, listed)
