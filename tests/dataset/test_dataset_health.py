"""Health: sizes, and which images are the same; and rows, which come out of their table as they went in."""

from __future__ import annotations

import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.dataset import health as ledger
from autocal_cli.dataset.duplicates import FLAT_DEVIATION, same_images
from autocal_cli.dataset.health import IN_MEMORY, RowTable, assess, duplicates
from autocal_cli.dataset.model import Health, ImageFacts, ImageRow, Named, Traces
from autocal_cli.errors import AutocalError

UNLIKE = 0x9E37_79B9_7F4A_7C15  # multiplied by, small numbers become hashes far apart


def row(path: str, size=(100, 80), sha: str = "", phash: int | None = None, deviation: float = 0.2) -> ImageRow:
    hashed = (sum(ord(char) * 31**i for i, char in enumerate(path)) * UNLIKE if phash is None else phash) % 2**64
    digest = (sha or path).encode().hex().ljust(64, "0")
    facts = ImageFacts(path, digest, False, False, deviation, 7.0, hashed, 0.1, Traces())
    return ImageRow(facts, *size, (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), 0.5)


def table(*several: ImageRow) -> RowTable:
    found = RowTable()
    for one in several:
        found.add(one)
    found.sort()
    return found


def assessed(found: RowTable, crop: int | None = None) -> Health:
    return assess(found, same_images(found), crop)


def named(found) -> list[str]:
    return ["".join(group.paths) for group in found.groups]


def test_sizes_by_number_of_pixels():
    found = table(row("a"), row("b", (64, 64)), row("c", (1000, 80)), row("d", (64, 500)), row("e", (90, 90)))
    health = assessed(found, 64)
    assert [image.path for image in (health.smallest, health.median, health.largest)] == ["b", "e", "c"]
    assert (health.images, health.crop) == (5, 64)


@pytest.mark.parametrize(
    ("several", "exact", "near"),
    [
        ([row("a")], [], []),
        ([row("a"), row("b")], [], []),
        ([row("b", sha="x", phash=1), row("a", sha="x", phash=1)], ["ab"], []),
        ([row("a", phash=5), row("b", phash=5)], [], ["ab"]),
        # a copy to the byte is told once, and its picture goes on in the near ones
        ([row("a", sha="x", phash=5), row("b", sha="x", phash=5), row("c", phash=4)], ["ab"], ["ac"]),
        ([row("a", phash=5, deviation=0.0), row("b", phash=5, deviation=FLAT_DEVIATION / 2)], [], []),
    ],
)
def test_duplicates(several, exact, near):
    for in_turn in (several, several[::-1]):
        health = assessed(table(*in_turn))
        assert (named(health.exact_duplicates), named(health.near_duplicates)) == (exact, near)


def test_the_largest_groups_come_first():
    found = duplicates(table(*map(row, "abcdefg")), [[5, 6], [0, 1], [2, 3, 4]])
    assert found.groups == (Named(("c", "d", "e")), Named(("a", "b")), Named(("f", "g")))
    assert found.surplus == 4


numbers = st.floats(0, 1e6)
traces = st.builds(Traces, numbers, st.none() | numbers, numbers, numbers, numbers, numbers, numbers, st.booleans())
facts = st.builds(
    ImageFacts,
    path=st.text(st.characters(codec="utf-8"), min_size=1),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    grey=st.booleans(),
    alpha=st.booleans(),
    deviation=numbers,
    entropy=numbers,
    perceptual_hash=st.integers(0, 2**64 - 1),
    native_sharpness=numbers,
    traces=traces,
)
three = st.tuples(numbers, numbers, numbers)
any_row = st.builds(ImageRow, facts, st.integers(1, 99_999), st.integers(1, 99_999), three, three, numbers)


@pytest.mark.parametrize("in_memory", [IN_MEMORY, 300])
@given(several=st.lists(any_row, max_size=5), late=any_row)
def test_rows_come_out_as_they_went_in_in_order_of_their_paths(in_memory, several, late):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "IN_MEMORY", in_memory)  # beyond it they go to the disk
        patch.setattr(ledger, "SORTED_AT_ONCE", 2)
        found = table(*several)
    assert list(found) == sorted(several, key=lambda one: one.facts.path.encode())
    assert found[:2] == list(found)[:2]
    found.add(late)  # after some were read
    assert list(found) == [*several, late]


def test_of_a_row_next_to_nothing_stays_in_memory(monkeypatch):
    monkeypatch.setattr(ledger, "IN_MEMORY", 1_000)
    monkeypatch.setattr(ledger, "SORTED_AT_ONCE", 500)
    several = [row(f"{number:090}") for number in range(5_000)]
    table(*several)  # Python keeps some of the tuples that it frees
    tracemalloc.start()
    try:
        found = table(*several)
        stays, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == len(several)
    assert stays < 40 * len(several)
    assert most < 100 * len(several)  # their paths alone have 90 characters


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size can be set there")
@pytest.mark.parametrize("room", [20_000, -1], ids=["for some", "for all but the last"])
def test_a_full_disk_is_told_once_with_a_cure(monkeypatch, room):
    import resource

    several = [row(str(number)) for number in range(100, 200)]
    needed = table(*several)._ends[-1]
    monkeypatch.setattr(ledger, "IN_MEMORY", 1_000)
    rows = RowTable()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room % needed, limits[1]))
    try:
        with pytest.raises(AutocalError, match="temporary") as caught:
            list(map(rows.add, several))
        rows._packed.close()  # as when it is gone: nothing is left to be written
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "TMPDIR" in str(caught.value.fix)
