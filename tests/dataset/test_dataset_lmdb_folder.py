"""LMDB folders as BasicSR's scripts make them: read alike, and what is said of those that are not whole."""

from __future__ import annotations

import builtins
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autocal_cli.dataset.decode import read_size
from autocal_cli.dataset.files import LmdbImage, lmdb_keys
from autocal_cli.dataset.listing import list_images
from autocal_cli.dataset.scan import scan
from autocal_cli.errors import AutocalError

lmdb = pytest.importorskip("lmdb")


def picture(number: int, size: tuple[int, int] = (48, 32)) -> Image.Image:
    rng = np.random.default_rng(number)
    return Image.fromarray(rng.integers(0, 256, (*size[::-1], 3)).astype(np.uint8))


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def make(folder: Path, images: dict[str, bytes]) -> Path:
    """An LMDB folder: `data.mdb` with the encoded images, `meta_info.txt` with a line each."""
    with lmdb.open(str(folder), map_size=1 << 24) as environment, environment.begin(write=True) as transaction:
        for key, content in images.items():
            transaction.put(key.encode("ascii"), content)
    lines = "".join(f"{key}.png (32,48,3) 1\n" for key in images)
    (folder / "meta_info.txt").write_text(lines, encoding="utf-8")
    (folder / "lock.mdb").unlink()
    return folder


@pytest.fixture
def folder(tmp_path):
    return make(tmp_path / "hr.lmdb", {f"{number:03}": encoded(picture(number)) for number in (2, 0, 1)})


def test_images_are_measured_as_if_they_were_files(folder, tmp_path):
    (tmp_path / "hr").mkdir()
    for number in range(3):
        picture(number).save(tmp_path / "hr" / f"{number:03}.png")
    within, beside = scan([folder], device="cpu"), scan([tmp_path / "hr"], device="cpu")
    assert (within.found, within.read, within.failures) == (3, 3, ())
    assert within.metrics == beside.metrics
    assert [sighting.trait for sighting in within.sightings] == ["lmdb"]
    assert sorted(file.name for file in folder.iterdir()) == ["data.mdb", "meta_info.txt"]


def test_keys_are_listed_in_order_and_known_by_their_database(folder, tmp_path):
    other = make(tmp_path / "more.lmdb", {"000": encoded(picture(9))})
    files = list_images([folder, other, folder]).files
    assert [(file.path.parent.name, file.name) for file in files] == [
        ("hr.lmdb", "000"), ("hr.lmdb", "001"), ("hr.lmdb", "002"), ("more.lmdb", "000"),
    ]  # fmt: skip
    assert read_size(files[3].source) == (48, 32)


def test_key_ends_at_the_first_dot(tmp_path):
    folder = make(tmp_path / "x.lmdb", {"a": b"x"})
    (folder / "meta_info.txt").write_text("a.b.png (1,1,3) 1\n\n000/b.png (2,2,3) 1\n", encoding="utf-8")
    assert list(lmdb_keys(folder)) == ["a", "000/b"]


def test_key_that_is_missing_or_broken_is_a_failure(folder):
    make(folder, {"000": encoded(picture(0)), "bad": b"no image", "empty": b""})
    with (folder / "meta_info.txt").open("a", encoding="utf-8") as lines:
        lines.write("gone.png (1,1,3) 1\n")
    failures = {Path(issue.path).name: issue.reason for issue in scan([folder], device="cpu").failures}
    assert failures == {
        "bad": "cannot be identified as an image",
        "empty": "empty entry (0 bytes)",
        "gone": "named in meta_info.txt, but data.mdb holds no such key",
    }


@pytest.mark.parametrize("missing", ["data.mdb", "meta_info.txt"])
def test_folder_that_is_not_whole_is_an_error(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(AutocalError, match=rf"named as an LMDB folder but holds no {missing}"):
        list_images([folder])


def test_broken_database_is_an_error_with_its_reason(folder):
    (folder / "data.mdb").write_bytes(b"nonsense" * 2000)
    with pytest.raises(AutocalError, match=r"none of the 3 image files can be read .*data\.mdb cannot be opened"):
        scan([folder], device="cpu")


def test_empty_list_holds_no_image(folder):
    (folder / "meta_info.txt").write_text("", encoding="utf-8")
    with pytest.raises(AutocalError, match=r"hr\.lmdb holds no image"):
        list_images([folder])


def test_without_the_package_the_cure_is_said(folder, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "lmdb":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(AutocalError) as caught:
        list_images([folder])
    assert str(caught.value).endswith("is not installed. pip install 'autocal-cli[lmdb]'")


def test_entry_can_be_named():
    assert LmdbImage("hr.lmdb", "000/a").__fspath__() == str(Path("hr.lmdb") / "000/a")
