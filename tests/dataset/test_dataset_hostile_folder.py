"""A folder of every odd file known: the scan ends, reads what can be read, and names the rest with its reason."""

from __future__ import annotations

import os
import socket
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, features

from autocal_cli.dataset.model import DatasetFingerprint
from autocal_cli.dataset.scan import scan

COLOURS = np.random.default_rng(11).integers(0, 256, (40, 60, 3)).astype(np.uint8)
GREY = COLOURS[..., 0]
POSIX = os.name == "posix"


def png_of(width: int, height: int, depth: int, colour: int, pixels: bytes) -> bytes:
    """A PNG with whatever header and pixel stream."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
        (b"IDAT", pixels),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def cut(path: Path) -> None:
    Image.fromarray(COLOURS).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def bomb(path: Path) -> None:
    """20,000 x 20,000 black pixels in some fifty kilobytes; every one of them is there."""
    path.write_bytes(png_of(20_000, 20_000, 1, 0, zlib.compress(bytes(20_000 * 2_501), 9)))


def animated(path: Path) -> None:
    Image.fromarray(COLOURS).save(path, save_all=True, append_images=[Image.new("RGB", (60, 40), "red")])


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(COLOURS).save(path, exif=exif)


def with_alpha(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([pixels, GREY]))


def listening(path: Path) -> None:
    """A socket; its path has to be short, so it is made from within its folder."""
    before = Path.cwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)
    os.chdir(before)


Maker = Callable[[Path], object]

READ: dict[str, Maker] = {
    "plain.png": lambda path: Image.fromarray(COLOURS).save(path),
    "16-bit.png": lambda path: Image.fromarray(GREY.astype(np.uint16) * 257).save(path),
    "palette.png": lambda path: Image.fromarray(COLOURS).quantize(16).save(path),
    "palette_clear.png": lambda path: Image.fromarray(COLOURS).quantize(16).save(path, transparency=0),
    "grey.jpg": lambda path: Image.fromarray(GREY).save(path),
    "la.png": lambda path: with_alpha(GREY).save(path),
    "rgba.webp": lambda path: with_alpha(COLOURS).save(path, lossless=True),
    "cmyk.jpg": lambda path: Image.fromarray(COLOURS).convert("CMYK").save(path),
    "moving.gif": animated,
    "moving.webp": animated,
    "moving.png": animated,
    "turned.jpg": turned,
    "float.tif": lambda path: Image.fromarray(GREY.astype(np.float32) / 255).save(path),
    "a.bmp": lambda path: Image.fromarray(COLOURS).save(path),
    "png_within.jpg": lambda path: Image.fromarray(COLOURS).save(path, format="PNG"),
    "画像.png": lambda path: Image.fromarray(GREY).save(path),
    **({"a.avif": lambda path: Image.fromarray(COLOURS).save(path)} if features.check("avif") else {}),
    **({os.fsdecode(b"caf\xe9.png"): lambda path: Image.fromarray(GREY).save(path)} if sys.platform == "linux" else {}),
}
FAILED: dict[str, tuple[Maker, str]] = {
    "cut.png": (cut, "truncated"),
    "cut.jpg": (cut, "truncated"),
    "empty.png": (lambda path: path.write_bytes(b""), "empty file (0 bytes)"),
    "page.png": (lambda path: path.write_text("<html>", encoding="utf-8"), "cannot be identified as an image"),
    "byte.png": (lambda path: path.write_bytes(b"x"), "cannot be identified as an image"),
    "movie.jpg": (lambda path: path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(99)), "cannot be identified as an image"),
    "lie.png": (lambda path: path.write_bytes(png_of(60_000, 60_000, 8, 2, b"x")), "too large: 60000 x 60000"),
    "small_lie.png": (
        lambda path: path.write_bytes(png_of(17_000, 17_000, 8, 2, b"x")),
        "cannot hold the 17000 x 17000",
    ),
    "bomb.png": (bomb, "too large: 20000 x 20000 is over the limit"),
    "tiny.png": (lambda path: Image.new("RGB", (3, 3)).save(path), "too small: 3 x 3"),
    "hdr.tif": (lambda path: Image.fromarray(GREY.astype(np.float32)).save(path), "grey values outside 0..1"),
}
if POSIX:
    FAILED |= {
        "gone.png": (lambda path: path.symlink_to("nowhere.png"), "broken link"),
        "round.png": (lambda path: path.symlink_to("round.png"), "broken link"),
        "pipe.png": (lambda path: os.mkfifo(path), "not a regular file (named pipe)"),
        "socket.png": (listening, "not a regular file (socket)"),
    }
if POSIX and os.geteuid() != 0:  # root reads all
    FAILED |= {
        "closed.png": (lambda path: (READ["plain.png"](path), path.chmod(0)), "permission denied"),
        "closed": (lambda path: (path.mkdir(), path.chmod(0)), "folder cannot be read: permission denied"),
    }
SKIPPED: dict[str, tuple[Maker, str]] = {
    ".DS_Store": (lambda path: path.write_bytes(b"\0\0\0\1Bud1"), "hidden file"),
    "._plain.png": (lambda path: path.write_bytes(b"\0\5\x16\7"), "hidden file"),
    ".git": (lambda path: path.mkdir(), "hidden folder"),
    "Thumbs.db": (lambda path: path.write_bytes(b"x"), "not an image (.db)"),
    "README": (lambda path: path.write_bytes(b"x"), "not an image (no extension)"),
}
if POSIX:
    SKIPPED |= {
        "loop": (lambda path: path.symlink_to(path.parent), "link to a folder above"),
        "dangling": (lambda path: path.symlink_to("nowhere"), "broken link"),
        "pipe": (lambda path: os.mkfifo(path), "not a regular file"),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("hostile") / "hr"
    folder.mkdir()
    makers = {**READ, **{name: maker for name, (maker, _) in (FAILED | SKIPPED).items()}}
    for name, make in makers.items():
        make(folder / name)
    yield folder
    if (folder / "closed").exists():
        (folder / "closed").chmod(0o700)


@pytest.fixture(scope="module")
def dataset(folder: Path) -> DatasetFingerprint:
    return scan([folder], device="cpu", tolerance=None, workers=2)


def test_what_can_be_read_is_read(dataset):
    assert dataset.read == len(READ)
    assert dataset.found == len(READ) + len(FAILED)


def test_what_cannot_is_named_with_the_reason(dataset):
    reasons = {Path(issue.path).name: issue.reason for issue in dataset.failures}
    assert set(reasons) == set(FAILED)
    wrong = {name: reasons[name] for name, (_, expected) in FAILED.items() if expected not in reasons[name]}
    assert wrong == {}


def test_what_is_left_out_is_counted(dataset):
    expected: dict[str, int] = {}
    for _, reason in SKIPPED.values():
        expected[reason] = expected.get(reason, 0) + 1
    assert dataset.skipped == expected


def test_what_the_trainer_takes_otherwise_is_sighted(dataset):
    sighted = {sighting.trait: sighting.count for sighting in dataset.sightings}
    on_posix = {"link-loop": 1, "broken-link": 3, "special-file": 3} if POSIX else {}
    assert sighted == {
        "hidden-file": 2,
        "hidden-folder": 1,
        "not-an-image": 2,
        "floating-point": 1,
        "transparent": 3,
        "turned": 1,
        "rare-format": 1,
        **on_posix,
    }
