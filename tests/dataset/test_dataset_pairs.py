"""Which LQ image belongs to which GT image."""

from __future__ import annotations

from pathlib import Path

import pytest

from autocal_cli.dataset.files import ListedFile
from autocal_cli.dataset.listing import MetaInfo
from autocal_cli.dataset.pairs import match, partner_stem, sampled, sizes_of


def files(*names: str, database: str | None = None) -> list[ListedFile]:
    return [ListedFile(Path("root") / name, name, 1, 1, database) for name in names]


LISTED = MetaInfo(("sub/a.png", "sub/b.png"), {"sub/b.png": "other/c.png"})


@pytest.mark.parametrize(
    ("name", "template", "listed", "expected"),
    [
        ("a.png", "{}", None, "a"),
        ("a.png", "{}x4", None, "ax4"),
        ("sub/a.b.png", "LR_{}", None, "sub/LR_a.b"),
        ("sub/a.png", "{}x4", LISTED, "ax4"),
        ("sub/b.png", "{}x4", LISTED, "other/c"),
    ],
)
def test_name_of_the_partner(name, template, listed, expected):
    assert partner_stem(files(name)[0], template, listed) == expected


def test_endings_do_not_count_and_the_rest_is_named():
    found = match(files("a.png", "b.tif", "s/c.png"), files("a.jpg", "c.png", "b.png"))
    assert found.pairs.tolist() == [[0, 0], [1, 2]]
    assert found.without_lq == ("s/c.png",)
    assert found.without_gt == ("c.png",)


def test_keys_of_lmdb_have_no_ending():
    found = match(files("a.0", "a.1", database="x.lmdb"), files("a.0", "a.1", database="y.lmdb"))
    assert found.pairs.tolist() == [[0, 0], [1, 1]]


def test_of_files_that_differ_in_their_ending_the_last_is_the_partner():
    found = match(files("a.png", "b.png"), files("a.jpg", "a.png", "c.png"))
    assert (found.pairs.tolist(), found.without_lq, found.without_gt) == ([[0, 1]], ("b.png",), ("c.png",))


def test_an_empty_folder_is_no_partner():
    found = match(files("a.png"), [])
    assert (found.pairs.tolist(), found.without_lq, found.without_gt) == ([], ("a.png",), ())


def test_sample_belongs_to_the_seed():
    assert sampled(50, 3, 50) == range(50)
    assert sampled(50, 3, 5) == sampled(50, 3, 5) != sampled(50, 4, 5)
    assert len(sampled(50, 3, 5)) == 5


def test_size_that_cannot_be_read_has_a_reason():
    (found,) = sizes_of([tuple(files("missing.png"))])
    assert (found.name, found.reason) == (str(Path("root") / "missing.png"), "no such file or directory")
