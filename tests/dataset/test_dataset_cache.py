"""The cache of measured images: what is found again, what is not, and a second process beside the first."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from autocal_cli.dataset.cache import FILE_NAME, ImageCache
from autocal_cli.dataset.files import ListedFile
from autocal_cli.errors import AutocalError

KEY = ListedFile(Path("/photos/ä b.png").absolute(), "ä b.png", 1000, 1_700_000_000_123_456_789)


@pytest.fixture
def cache(tmp_path):
    opened = ImageCache(tmp_path, "1")
    yield opened
    opened.close()


def test_what_was_put_is_found_again_also_by_another_scan(cache, tmp_path):
    cache.put([(KEY, '{"texture": 0.25}')])
    assert cache.get(KEY) == '{"texture": 0.25}'
    assert ImageCache(tmp_path, "1").get(KEY) == '{"texture": 0.25}'


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, size=1001),
        replace(KEY, mtime_ns=KEY.mtime_ns + 1),
        replace(KEY, path=Path("/photos/c.png").absolute()),
    ],
)
def test_an_image_that_changed_is_another_one(cache, other):
    cache.put([(KEY, "old")])
    assert cache.get(other) is None
    cache.put([(other, "new")])
    assert cache.get(other) == "new"


def test_another_version_measures_anew_and_leaves_the_first_alone(cache, tmp_path):
    cache.put([(KEY, "old")])
    later = ImageCache(tmp_path, "2")
    assert later.get(KEY) is None
    later.put([(KEY, "new")])
    assert (cache.get(KEY), later.get(KEY)) == ("old", "new")


def test_a_changed_file_takes_the_place_of_what_it_was(cache):
    cache.put([(KEY, "old")])
    cache.put([(replace(KEY, size=5), "new")])
    assert cache.get(KEY) is None


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are Unicode")
def test_names_that_are_no_utf8(cache):
    key = replace(KEY, path=Path(os.fsdecode(b"/photos/\xff.png")))
    cache.put([(key, "text")])
    assert cache.get(key) == "text"


def test_two_processes_may_write(cache, tmp_path):
    program = (
        "import sys; from pathlib import Path; from autocal_cli.dataset.cache import ImageCache\n"
        "from autocal_cli.dataset.files import ListedFile\n"
        "cache = ImageCache(Path(sys.argv[1]), '1')\n"
        "for n in range(50): cache.put([(ListedFile(Path(f'/p/{n}').absolute(), '', n, n), 'theirs')])"
    )
    other = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)])
    for n in range(50):
        cache.put([(ListedFile(Path(f"/q/{n}").absolute(), "", n, n), "ours")])
    assert other.wait(timeout=60) == 0
    assert all(cache.get(ListedFile(Path(f"/p/{n}").absolute(), "", n, n)) == "theirs" for n in range(50))
    assert all(cache.get(ListedFile(Path(f"/q/{n}").absolute(), "", n, n)) == "ours" for n in range(50))


def test_a_cache_that_is_none_is_said_with_its_cure(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"this is no database at all" * 100)
    with pytest.raises(AutocalError, match="--no-cache"):
        ImageCache(tmp_path, "1")
    with pytest.raises(AutocalError, match="--no-cache"):
        ImageCache(tmp_path / FILE_NAME, "1")
