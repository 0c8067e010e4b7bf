"""Decoding made faster: libvips shows what Pillow shows, and a JPEG decoded small shows nearly the same."""

from __future__ import annotations

import io
import random
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngInfo

from autocal_cli.dataset import decode
from autocal_cli.dataset.decode import Wanted, WorkingImage, read_image
from autocal_cli.dataset.metrics import raw_metrics_of_one
from autocal_cli.dataset.model import FileIssue
from autocal_cli.dataset.sampling import load_reference, scored

DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images" / "hr"
PHOTO = Image.open(DEMO / "foliage.png").convert("RGB").resize((300, 200))


@pytest.fixture(autouse=True)
def _fresh_choice(monkeypatch):
    monkeypatch.setattr(decode, "FAST_PIXELS", 0)
    decode.libvips.cache_clear()
    yield
    decode.libvips.cache_clear()


@pytest.fixture
def _libvips():
    if decode.libvips() is None:
        pytest.skip("libvips is not installed")


def scores(image: WorkingImage) -> np.ndarray:
    return scored(np.array([raw_metrics_of_one(image.thumbnail)]), load_reference())[0]


def both_ways(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[WorkingImage | FileIssue, ...]:
    """What libvips and Pillow together show of a file, and what Pillow alone."""
    together = read_image(path, Wanted(facts=True))
    with monkeypatch.context() as patch:
        patch.setattr(decode, "fast_rgb", lambda *_: None)
        return together, read_image(path, Wanted(facts=True))


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return exif


def titled() -> PngInfo:
    text = PngInfo()
    text.add_text("Title", "foliage")
    return text


def keyed() -> Image.Image:
    pixels = np.asarray(PHOTO).copy()
    pixels[:50] = (1, 2, 3)
    return Image.fromarray(pixels)


def deep_colour(path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 65536, (40, 60, 3)).astype(np.uint16))


def with_chunk(name: bytes, content: bytes, at: int = 33) -> bytes:
    """PHOTO as a PNG with one more chunk, behind its header or `at` another place."""
    file = io.BytesIO()
    PHOTO.save(file, "PNG")
    chunk = len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4)
    return file.getvalue()[:at] + chunk + file.getvalue()[at:]


def interlaced() -> bytes:
    """A PNG of 8 x 8 pixels in the seven passes of Adam7."""
    header = (8).to_bytes(4) + (8).to_bytes(4) + bytes([8, 2, 0, 0, 1])
    rows = [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)]  # width and height of each pass over 8 x 8
    pixels = b"".join(b"\0" + bytes(range(3 * wide)) for wide, high in rows for _ in range(high))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4) for name, content in chunks
    )


# name -> (how it is written, whether libvips decodes it)
FILES: dict[str, tuple[Callable[[Path], object], bool]] = {
    "plain.png": (PHOTO.save, True),
    "profile.png": (lambda path: PHOTO.save(path, icc_profile=b"x" * 200), True),
    "resolution.png": (lambda path: PHOTO.save(path, dpi=(300, 300)), True),
    "narrow.png": (PHOTO.resize((1000, 32)).save, True),
    "gamma.png": (lambda path: path.write_bytes(with_chunk(b"gAMA", (100_000).to_bytes(4))), True),
    "photo.jpg": (PHOTO.save, False),
    "photo.webp": (PHOTO.save, False),
    "text.png": (lambda path: PHOTO.save(path, pnginfo=titled()), False),
    "turned.png": (lambda path: PHOTO.save(path, exif=turned()), False),
    "alpha.png": (lambda path: Image.merge("RGBA", [*PHOTO.split(), PHOTO.getchannel(0)]).save(path), False),
    "keyed.png": (lambda path: keyed().save(path, transparency=(1, 2, 3)), False),
    "grey.png": (PHOTO.convert("L").save, False),
    "palette.png": (PHOTO.convert("P").save, False),
    "deep.png": (lambda path: PHOTO.convert("I;16").save(path), False),
    "deep_colour.png": (deep_colour, False),
    "moving.png": (lambda path: PHOTO.save(path, save_all=True, append_images=[PHOTO.rotate(180)]), False),
    "dated_behind.png": (lambda path: path.write_bytes(with_chunk(b"tEXt", b"date\0today", -12)), False),
    "interlaced.png": (lambda path: path.write_bytes(interlaced()), False),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.usefixtures("_libvips")
def test_it_shows_what_pillow_shows(tmp_path, monkeypatch, name):
    write, expected = FILES[name]
    write(tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert (decode.fast_rgb(image, (tmp_path / name).read_bytes()) is not None) is expected
    together, alone = both_ways(tmp_path / name, monkeypatch)
    assert np.array_equal(together.working, alone.working)
    assert replace(together, working=0, thumbnail=0) == replace(alone, working=0, thumbnail=0)


@pytest.mark.usefixtures("_libvips")
def test_it_shows_the_same_in_many_threads(tmp_path):
    PHOTO.save(tmp_path / "a.png")
    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(read_image, [tmp_path / "a.png"] * 64)
    assert all(np.array_equal(first.working, other.working) for other in others)


@pytest.mark.usefixtures("_libvips")
def test_pillow_does_not_decode_it_again(tmp_path, monkeypatch):
    PHOTO.save(tmp_path / "a.png")
    monkeypatch.setattr(ImageFile, "load", lambda image: pytest.fail(f"{image.filename} is decoded"))
    assert isinstance(read_image(tmp_path / "a.png"), WorkingImage)


@pytest.mark.parametrize(("bound", "beyond"), [("TWICE_PIXELS", -1), ("FAST_PIXELS", 1)])
@pytest.mark.usefixtures("_libvips")
def test_large_images_are_not_held_twice_and_small_ones_left_to_pillow(tmp_path, monkeypatch, bound, beyond):
    PHOTO.save(tmp_path / "a.png")
    monkeypatch.setattr(decode, bound, PHOTO.width * PHOTO.height + beyond)
    with Image.open(tmp_path / "a.png") as image:
        assert decode.fast_rgb(image, (tmp_path / "a.png").read_bytes()) is None


@pytest.mark.usefixtures("_libvips")
def test_of_a_damaged_file_it_shows_no_more_than_pillow(tmp_path, monkeypatch, capfd):
    PHOTO.resize((90, 60)).save(tmp_path / "whole", "PNG")
    whole, chance = (tmp_path / "whole").read_bytes(), random.Random(1)
    for _ in range(25):
        spoilt = bytearray(whole)
        spoilt[chance.randrange(12, len(whole))] ^= 1 << chance.randrange(8)
        for content in (spoilt, whole[: chance.randrange(12, len(whole))]):
            (tmp_path / "damaged").write_bytes(content)
            together, alone = both_ways(tmp_path / "damaged", monkeypatch)
            assert type(together) is type(alone)
            if isinstance(alone, FileIssue):
                assert together == alone
            else:
                assert np.array_equal(together.working, alone.working)
    assert capfd.readouterr() == ("", "")  # nor does it complain on the terminal


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_without_it_pillow_decodes(tmp_path, monkeypatch, ending):
    PHOTO.save(tmp_path / f"a.{ending}")
    expected = read_image(tmp_path / f"a.{ending}")
    monkeypatch.setitem(sys.modules, "pyvips", None)
    decode.libvips.cache_clear()
    assert decode.libvips() is None
    found = read_image(tmp_path / f"a.{ending}")
    assert isinstance(found, WorkingImage)
    assert np.array_equal(found.working, expected.working)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_long_files_are_read_bit_by_bit_alike(tmp_path, monkeypatch, ending):
    PHOTO.save(tmp_path / f"a.{ending}")
    expected = read_image(tmp_path / f"a.{ending}")
    monkeypatch.setattr(decode, "MOST_BYTES", 10)
    monkeypatch.setattr(decode, "fast_rgb", None)
    assert np.array_equal(read_image(tmp_path / f"a.{ending}").working, expected.working)


def mosaic(columns: int, rows: int) -> Image.Image:
    """The demo images side by side: as many kinds of detail as they have, at every pixel's own sharpness."""
    sheet = Image.new("RGB", (256 * columns, 256 * rows))
    tiles = [Image.open(path).convert("RGB").resize((256, 256)) for path in sorted(DEMO.glob("*.png"))]
    for i in range(columns * rows):
        sheet.paste(tiles[i % len(tiles)], (256 * (i % columns), 256 * (i // columns)))
    return sheet


@pytest.mark.parametrize(
    ("native", "decoded"),
    [
        ((1023, 700), (1023, 700)),
        ((1024, 700), (512, 350)),
        ((700, 1025), (350, 513)),
        ((2048, 1501), (512, 376)),
    ],
)
def test_large_jpegs_are_decoded_small(tmp_path, monkeypatch, native, decoded):
    seen: list[tuple[int, int]] = []
    to_rgb = decode.to_rgb
    monkeypatch.setattr(decode, "to_rgb", lambda image: (seen.append(image.size), to_rgb(image))[1])
    Image.new("RGB", native, "teal").save(tmp_path / "a.jpg", exif=turned())
    image = read_image(tmp_path / "a.jpg")
    assert seen == [decoded]
    assert (image.width, image.height) == native[::-1]
    assert image.working.shape[:2] == decode._reduced(native, 256)


@pytest.mark.parametrize(("columns", "rows"), [(4, 3), (6, 4), (8, 6)])
def test_a_jpeg_decoded_small_keeps_its_scores(tmp_path, monkeypatch, columns, rows):
    mosaic(columns, rows).save(tmp_path / "a.jpg", quality=95)
    small = read_image(tmp_path / "a.jpg")
    monkeypatch.setattr(decode, "_draft", lambda _: None)
    whole = read_image(tmp_path / "a.jpg")
    assert not np.array_equal(small.working, whole.working)
    assert np.abs(scores(small) - scores(whole)).max() <= 0.04
