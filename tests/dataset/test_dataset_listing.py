"""Listing: what is found, in which order, what is left out and why, and what the identity depends on."""

from __future__ import annotations

import hashlib
import os
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autocal_cli.dataset.files import ListedFile
from autocal_cli.dataset.listing import identity, list_images, read_meta_info
from autocal_cli.errors import AutocalError

posix_only = pytest.mark.skipif(os.name != "posix", reason="links, pipes and permissions as POSIX has them")


def plant(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))
    return folder


def names(*roots: Path) -> list[str]:
    return [file.name for file in list_images(roots).files]


def test_folders_are_walked_in_one_order(tmp_path):
    plant(tmp_path, "b.png", "a/z.JPG", "a/c/d.webp", "B.tiff", "ü.avif", "a.gif")
    assert names(tmp_path) == ["B.tiff", "a.gif", "a/c/d.webp", "a/z.JPG", "b.png", "ü.avif"]


def test_roots_keep_their_order_and_may_be_files(tmp_path):
    plant(tmp_path, "two/a.png", "one/b.png")
    assert names(tmp_path / "two", tmp_path / "one" / "b.png") == ["a.png", "b.png"]


def test_what_is_no_image_is_counted_by_reason(tmp_path):
    plant(tmp_path, "a.png", ".DS_Store", ".git/x.png", "sub/.b.png", "Thumbs.db", "notes.txt", "more.TXT", "README")
    listing = list_images([tmp_path])
    assert [file.name for file in listing.files] == ["a.png"]
    assert listing.skipped == {
        "hidden file": 2,
        "hidden folder": 1,
        "not an image (.db)": 1,
        "not an image (.txt)": 2,
        "not an image (no extension)": 1,
    }


def test_hidden_root_is_walked_when_it_is_asked_for(tmp_path):
    assert names(plant(tmp_path / ".cache", "a.png")) == ["a.png"]


def test_file_reached_twice_counts_once(tmp_path):
    plant(tmp_path, "hr/a.png", "hr/sub/b.png")
    hr = tmp_path / "hr"
    assert names(hr, hr) == ["a.png", "sub/b.png"]
    assert names(hr, hr / "sub") == ["a.png", "sub/b.png"]
    assert names(hr / "sub", hr) == ["b.png", "a.png"]
    assert names(hr / "a.png", hr) == ["a.png", "sub/b.png"]


@posix_only
def test_links_are_followed_once_and_loops_end(tmp_path):
    plant(tmp_path, "elsewhere/far.png", "hr/a.png")
    hr = tmp_path / "hr"
    (hr / "b.png").symlink_to("a.png")
    (hr / "far").symlink_to(tmp_path / "elsewhere")
    (hr / "loop").symlink_to(hr)
    (tmp_path / "elsewhere" / "back").symlink_to(hr)
    assert names(hr) == ["a.png", "far/far.png"]
    assert list_images([hr]).skipped["another name of a file listed already"] == 1


@posix_only
def test_links_that_lead_nowhere_are_failures(tmp_path):
    plant(tmp_path, "a.png")
    (tmp_path / "gone.png").symlink_to("nothing.png")
    (tmp_path / "round.png").symlink_to("round.png")
    (tmp_path / "gone.txt").symlink_to("nothing.txt")
    listing = list_images([tmp_path])
    reasons = {Path(issue.path).name: issue.reason for issue in listing.failures}
    assert set(reasons) == {"gone.png", "round.png"}
    assert all(reason.startswith("broken link") for reason in reasons.values())
    assert listing.skipped == {"broken link": 1}
    assert listing.found == 3
    assert [(one.trait, one.count) for one in listing.sightings] == [("broken-link", 3)]


@posix_only
def test_pipes_are_never_opened(tmp_path):
    plant(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    listing = list_images([tmp_path])
    assert [file.name for file in listing.files] == ["a.png"]
    assert [issue.reason for issue in listing.failures] == ["not a regular file (named pipe)"]
    assert listing.skipped == {"not a regular file": 1}


def test_folder_that_cannot_be_read_is_a_failure(tmp_path, monkeypatch):
    plant(tmp_path, "a.png", "closed/b.png")
    scandir = os.scandir

    def guarded(folder: str):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    listing = list_images([tmp_path])
    assert [file.name for file in listing.files] == ["a.png"]
    assert [issue.reason for issue in listing.failures] == ["folder cannot be read: permission denied"]
    assert listing.found == 2


def test_deep_folders_do_not_exhaust_the_stack(tmp_path):
    folder = tmp_path
    for _ in range(600):
        folder = folder / "d"
    plant(folder, "a.png")
    before = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(500)
        assert len(names(tmp_path)) == 1
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_utf8_are_listed(tmp_path):
    plant(tmp_path, os.fsdecode(b"caf\xe9.png"), os.fsdecode(b"x.\xff"))
    listing = list_images([tmp_path])
    assert [os.fsencode(file.path.name) for file in listing.files] == [b"caf\xe9.png"]
    assert listing.skipped == {r"not an image (.\xff)": 1}
    assert len(listing.identity) == 64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds no image."),
        (["a.txt", "b.txt", ".c.png"], "holds no image (1 hidden file, 2 not an image (.txt))."),
    ],
)
def test_root_without_images_is_an_error(tmp_path, content, message):
    root = plant(tmp_path / "hr", *content)
    root.mkdir(exist_ok=True)
    with pytest.raises(AutocalError) as caught:
        list_images([root])
    assert str(caught.value) == f"{root} {message}"


def test_every_root_has_to_hold_images(tmp_path):
    plant(tmp_path, "full/a.png", "full/a.txt", "empty/b.txt")
    with pytest.raises(AutocalError, match=r"empty holds no image \(1 not an image \(\.txt\)\)"):
        list_images([tmp_path / "full", tmp_path / "empty"])


@posix_only
def test_loop_without_images_is_an_error(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(AutocalError, match="holds no image"):
        list_images([tmp_path])


def test_missing_root_is_an_error(tmp_path):
    with pytest.raises(AutocalError, match="Check the path of the dataset"):
        list_images([tmp_path / "nowhere"])
    with pytest.raises(AutocalError, match="no dataset folder was given"):
        list_images([])


def row(name: str = "a.png", size: int = 3, mtime_ns: int = 7) -> tuple[str, int, int]:
    return name, size, mtime_ns


def test_identity_is_pinned_and_depends_on_name_size_and_time_alone():
    pinned = hashlib.sha256(b"a.png\x003\x007\n").hexdigest()
    assert identity([row()]) == pinned
    assert identity([row(), row("b.png")]) == identity([row("b.png")], [row()])
    others = [[row("b.png")], [row(size=4)], [row(mtime_ns=8)], [row(), row()], []]
    assert len({identity(files) for files in others} | {pinned}) == 6


def test_identity_is_that_of_all_files_sorted(tmp_path):
    plant(tmp_path, "hr/b.png", "hr/a/c.png", "hr/a.png", "hr/a-b/d.png", "lr/a.png", "lr/z.png")
    listing = list_images([tmp_path / "lr", tmp_path / "hr"])
    rows = sorted((file.name, file.size, file.mtime_ns) for file in listing.files)
    assert [name for name, _, _ in rows] == ["a-b/d.png", "a.png", "a.png", "a/c.png", "b.png", "z.png"]
    assert listing.identity == identity(rows)


@given(st.sets(st.lists(st.sampled_from(["a", "a-", "a.", "a0", "b", "é"]), min_size=1, max_size=3).map("/".join)))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_is_that_of_the_paths_below_the_root(tmp_path_factory, paths):
    folder = plant(tmp_path_factory.mktemp("tree"), "first.png", *(f"{path}.png" for path in paths))
    assert names(folder) == sorted({"first.png", *(f"{path}.png" for path in paths)})


def test_record_of_a_file_is_its_own(tmp_path):
    plant(tmp_path, "sub/é.png")
    os.utime(tmp_path / "sub" / "é.png", ns=(5, -7_000_000_000))
    listing = list_images([tmp_path])
    path = tmp_path / "sub" / "é.png"
    assert listing.files[0] == ListedFile(path, "sub/é.png", len("sub/é.png".encode()), path.stat().st_mtime_ns)
    assert listing.files[0].source == path
    assert listing.files[:] == list(listing.files)
    with pytest.raises(IndexError):
        listing.files[1]


@posix_only
def test_hard_links_are_one_file(tmp_path):
    plant(tmp_path, "b.png", "z.png")
    os.link(tmp_path / "z.png", tmp_path / "a.png")
    assert names(tmp_path) == ["a.png", "b.png"]


@posix_only
def test_what_the_trainer_stumbles_over_is_sighted(tmp_path):
    plant(tmp_path, "hr/a.png", "hr/.DS_Store", "hr/sub/.b.png", "hr/.git/c", "hr/notes.txt")
    (tmp_path / "hr" / "sub" / "up").symlink_to(tmp_path / "hr")
    os.mkfifo(tmp_path / "hr" / "pipe.png")
    sightings = {one.trait: (one.count, Path(one.example).name) for one in list_images([tmp_path / "hr"]).sightings}
    assert sightings == {
        "hidden-file": (2, ".DS_Store"),
        "hidden-folder": (1, ".git"),
        "link-loop": (1, "up"),
        "not-an-image": (1, "notes.txt"),
        "special-file": (1, "pipe.png"),
    }


def test_progress_is_told_every_thousand(tmp_path):
    for number in range(2_100):
        (tmp_path / f"{number}.png").touch()
    told: list[int] = []
    assert len(list_images([tmp_path], on_count=told.append).files) == 2_100
    assert told == [1000, 2000]


def test_memory_a_file_stays_small(tmp_path):
    for number in range(3_000):
        (tmp_path / f"{number:06}.png").touch()
    tracemalloc.start()
    try:
        listing = list_images([tmp_path])
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept / len(listing.files) < 100


def test_names_stand_in_for_the_walk(tmp_path):
    plant(tmp_path, "a.png", "sub/b.png", "spare.png", ".DS_Store", "folder.png/c")
    listing = list_images([tmp_path], names=["sub/b.png", "gone.png", "a.png", "a.png", "folder.png"])
    assert [file.name for file in listing.files] == ["a.png", "sub/b.png"]
    assert {Path(issue.path).name: issue.reason for issue in listing.failures} == {
        "gone.png": "named, but cannot be reached: no such file or directory",
        "folder.png": "not a regular file (folder)",
    }
    assert (listing.skipped, listing.sightings) == ({}, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.png (480,480,3)\nsub/b.png (1,1,3) x y\n", ["a.png", "sub/b.png"]),
        ("a.png\r\n\r\n  b.png  \n", ["a.png", "b.png"]),
        ("gt/a.png, lq/a.png\n", ["gt/a.png"]),
        ("a.png (480, 480, 3)\n", ["a.png"]),
    ],
)
def test_meta_info_names_one_image_a_line(tmp_path, text, expected):
    (tmp_path / "meta.txt").write_bytes(text.encode())
    assert list(read_meta_info(tmp_path / "meta.txt").names) == expected


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe"])
def test_meta_info_that_names_nothing_is_an_error(tmp_path, content):
    (tmp_path / "meta.txt").write_bytes(content)
    with pytest.raises(AutocalError, match="The meta_info file"):
        read_meta_info(tmp_path / "meta.txt")
