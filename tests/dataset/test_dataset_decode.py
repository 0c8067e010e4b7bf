"""Decoding: what odd files show, and the reason given for each that shows nothing."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile

from autocal_cli.dataset import decode
from autocal_cli.dataset.decode import Wanted, WorkingImage, read_image
from autocal_cli.dataset.files import printable
from autocal_cli.dataset.model import FileIssue

RNG = np.random.default_rng(5)
COLOURS = RNG.integers(0, 256, (20, 30, 3)).astype(np.uint8)
GREYS = COLOURS[..., 0]


def shown(path: Path) -> np.ndarray:
    """The working pixels of a file that can be read."""
    image = read_image(path)
    assert isinstance(image, WorkingImage), image
    return image.working.astype(int)


def reason(path: Path, **limits: int) -> str:
    issue = read_image(path, Wanted(**limits))
    assert isinstance(issue, FileIssue)
    assert issue.path == str(path)
    assert "\n" not in issue.reason
    return issue.reason


def three(levels: np.ndarray) -> np.ndarray:
    return np.repeat(levels[..., None], 3, axis=2)


# What a viewer shows as COLOURS, stored in each EXIF orientation.
STORED = {
    1: COLOURS,
    2: COLOURS[:, ::-1],
    3: COLOURS[::-1, ::-1],
    4: COLOURS[::-1],
    5: COLOURS.swapaxes(0, 1),
    6: np.rot90(COLOURS, 1),
    7: COLOURS[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90(COLOURS, -1),
}


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_set_upright(tmp_path, orientation, ending):
    path = tmp_path / f"turned.{ending}"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(np.ascontiguousarray(STORED[orientation])).save(path, exif=exif, **options)
    image = read_image(path)
    assert (image.width, image.height) == (30, 20)
    assert np.array_equal(image.working, COLOURS)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_leaves_the_image_as_it_lies(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert np.array_equal(shown(tmp_path / "a.png"), COLOURS)


def test_alpha_lies_on_white(tmp_path):
    alpha = RNG.integers(0, 256, GREYS.shape).astype(np.uint8)
    expected = (COLOURS * (alpha / 255.0)[..., None] + 255 * (1 - alpha / 255.0)[..., None]).round()
    Image.fromarray(np.dstack([COLOURS, alpha])).save(tmp_path / "rgba.png")
    assert np.abs(shown(tmp_path / "rgba.png") - expected).max() <= 1
    expected = three((GREYS * (alpha / 255.0) + 255 * (1 - alpha / 255.0)).round())
    Image.fromarray(np.dstack([GREYS, alpha])).save(tmp_path / "la.png")
    assert np.abs(shown(tmp_path / "la.png") - expected).max() <= 1


@pytest.mark.parametrize(("least", "transparent"), [(255, False), (254, True)])
@pytest.mark.parametrize("pixels", [COLOURS, GREYS])
def test_an_alpha_channel_that_is_opaque_throughout_is_not_transparent(tmp_path, pixels, least, transparent):
    alpha = np.full(GREYS.shape, 255, np.uint8)
    alpha[3, 4] = least
    Image.fromarray(np.dstack([pixels, alpha])).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", Wanted(facts=True))
    assert (image.facts.alpha, "transparent" in image.traits) == (transparent, transparent)


@pytest.mark.parametrize(
    ("ending", "options", "lossy"),
    [
        ("png", {}, False),
        ("tif", {}, False),
        ("jpg", {"quality": 100}, True),
        ("webp", {"lossless": True}, False),
        ("webp", {"quality": 99}, True),
        ("webp", {"lossless": True, "exif": b"Exif\0\0MM\0*"}, False),  # in a container
        ("webp", {"lossless": True, "icc_profile": bytes(9000)}, False),  # which stands before the pixels
    ],
)
def test_what_lossy_compression_leaves_of_a_pixel_is_known(tmp_path, ending, options, lossy):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(COLOURS).save(path, **options)
    pixels = COLOURS.shape[0] * COLOURS.shape[1]
    assert read_image(path, Wanted(facts=True)).facts.loss == (pixels / path.stat().st_size if lossy else 0)


def palette_image() -> Image.Image:
    image = Image.fromarray((GREYS % 3).astype(np.uint8), "P")
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    return image


@pytest.mark.parametrize("ending", ["png", "gif"])
def test_palette_transparency_lies_on_white(tmp_path, ending):
    path = tmp_path / f"palette.{ending}"
    palette_image().save(path, transparency=1)
    expected = np.array([[200, 0, 0], [255, 255, 255], [0, 0, 200]])[GREYS % 3]
    assert np.array_equal(shown(path), expected)


def test_single_transparent_colour_lies_on_white(tmp_path):
    pixels = COLOURS.copy()
    pixels[:5] = (1, 2, 3)
    Image.fromarray(pixels).save(tmp_path / "key.png", transparency=(1, 2, 3))
    assert (shown(tmp_path / "key.png")[:5] == 255).all()


def test_opaque_modes(tmp_path):
    palette_image().save(tmp_path / "p.png")
    Image.fromarray(GREYS).save(tmp_path / "l.png")
    Image.fromarray(GREYS > 127).save(tmp_path / "one.png")
    Image.fromarray(COLOURS).convert("CMYK").save(tmp_path / "cmyk.tif")
    assert np.array_equal(shown(tmp_path / "p.png"), np.eye(3, dtype=int)[GREYS % 3] * 200)
    assert np.array_equal(shown(tmp_path / "l.png"), three(GREYS))
    assert np.array_equal(shown(tmp_path / "one.png"), three((GREYS > 127) * 255))
    assert np.array_equal(shown(tmp_path / "cmyk.tif"), COLOURS)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, ending):
    levels = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    Image.fromarray(levels).save(tmp_path / f"deep.{ending}")
    assert np.array_equal(shown(tmp_path / f"deep.{ending}"), three(levels >> 8))


def test_floating_point_grey_is_scaled_from_0_to_1(tmp_path):
    levels = np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)
    Image.fromarray(levels).save(tmp_path / "float.tif")
    assert np.array_equal(shown(tmp_path / "float.tif"), three(np.floor(levels * 255.0 + 0.5)))
    Image.fromarray(levels * 300).save(tmp_path / "hdr.tif")
    assert reason(tmp_path / "hdr.tif") == "grey values outside 0..1: the range of white is not known"
    Image.fromarray((levels * 70_000).astype(np.int32)).save(tmp_path / "deep.tif")
    assert reason(tmp_path / "deep.tif") == "grey values outside 0..65535: the range of white is not known"


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif"])
def test_animation_shows_its_first_frame(tmp_path, ending):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(tmp_path / f"moving.{ending}", save_all=True, append_images=frames[1:], **options)
    assert (shown(tmp_path / f"moving.{ending}") == [255, 0, 0]).all()


def test_content_counts_whatever_the_name_says(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "a.jpg", format="PNG")
    assert np.array_equal(shown(tmp_path / "a.jpg"), COLOURS)


@pytest.mark.parametrize(
    ("native", "working", "thumbnail"),
    [
        ((256, 256), (256, 256), (128, 128)),
        ((90, 60), (90, 60), (90, 60)),
        ((512, 300), (256, 150), (128, 75)),
        ((300, 1000), (77, 256), (39, 128)),
        ((257, 7), (256, 7), (256, 7)),  # too thin to be measured at 128
        ((14, 256), (14, 256), (7, 128)),
    ],
)
def test_long_side_is_reduced_never_enlarged(tmp_path, native, working, thumbnail):
    Image.new("RGB", native, "teal").save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert (image.width, image.height) == native
    assert image.working.shape == (working[1], working[0], 3)
    assert image.thumbnail.shape == (thumbnail[1], thumbnail[0], 3)
    assert image.working.dtype == image.thumbnail.dtype == np.uint8


def test_reduction_averages_areas(tmp_path):
    pixels = RNG.integers(0, 256, (300, 512, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = pixels.reshape(150, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(shown(tmp_path / "a.png") - expected).max() <= 1


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG file: its size, and then that pixels follow."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + header + struct.pack(">I", zlib.crc32(header)) + b"\0\0\0\x09IDAT"


def halved(image: Image.Image, path: Path, **options: object) -> None:
    image.save(path, **options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


NOISE = Image.fromarray(RNG.integers(0, 256, (64, 64, 3)).astype(np.uint8))
BAD_FILES = {
    "empty.png": (lambda path: path.write_bytes(b""), "empty file"),
    "text.png": (lambda path: path.write_text("not a picture\n", encoding="utf-8"), "cannot be identified as an image"),
    "cut.png": (lambda path: halved(NOISE, path), "truncated"),
    "cut.jpg": (lambda path: halved(NOISE, path), "truncated"),
    "cut.webp": (lambda path: halved(NOISE, path, lossless=True), ""),
    "cut.tif": (lambda path: halved(NOISE, path, compression="tiff_lzw"), ""),
    "header.png": (
        lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40),
        "PNG header that Pillow cannot read",
    ),
    "bomb.png": (lambda path: path.write_bytes(png_header(60_000, 60_000)), "too large: 60000 x 60000"),
    "tiny.png": (lambda path: Image.new("RGB", (100, 6)).save(path), "too small: 100 x 6"),
    "thin.png": (lambda path: Image.new("RGB", (3000, 20)).save(path), "too small: 3000 x 20"),
    "missing.png": (lambda _: None, "no such file"),
    "folder.png": (lambda path: path.mkdir(), "not a regular file (folder)"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_becomes_a_reason(tmp_path, name, capfd):
    make, expected = BAD_FILES[name]
    make(tmp_path / name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = reason(tmp_path / name)
    assert expected in found
    assert found
    assert str(tmp_path) not in found
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (PermissionError(13, "Permission denied"), True),
        (OSError(5, "Input/output error"), True),
        (MemoryError(), True),
        (FileNotFoundError(2, "No such file or directory"), False),
        (OSError("image file is truncated"), False),  # Pillow's own, without a number
        (ValueError("damaged"), False),
    ],
)
def test_what_may_be_gone_next_time_is_told_from_what_is_wrong_with_the_file(monkeypatch, error, passing):
    def broken(_):
        raise error

    monkeypatch.setattr(decode, "open_image", broken)
    assert read_image(Path("a.png")).passing is passing


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert reason(tmp_path / "pipe.png") == "not a regular file (named pipe)"


def test_own_pixel_limit_stands_in_for_pillows(tmp_path, monkeypatch):
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow would refuse from 200 pixels on
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(shown(tmp_path / "a.png"), COLOURS)
    assert (
        reason(tmp_path / "a.png", max_pixels=599)
        == "too large: 30 x 20 is over the limit of 599 pixels (--max-pixels)"
    )
    assert isinstance(read_image(tmp_path / "a.png", Wanted(max_pixels=600)), WorkingImage)
    assert Image.MAX_IMAGE_PIXELS == 100
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), "not enough memory to decode it"),
        (ValueError("two\n  lines"), "two lines"),
        (RecursionError(), "RecursionError"),
        (OSError("cut short (0 bytes not processed)"), "cut short"),
        (PermissionError(13, "Permission denied"), "permission denied"),
    ],
)
def test_any_exception_becomes_one_line(tmp_path, monkeypatch, error, expected):
    def fail(_: Image.Image) -> Image.Image:
        raise error

    monkeypatch.setattr(decode, "to_rgb", fail)
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    assert reason(tmp_path / "a.png") == expected


def test_large_images_decode_one_at_a_time_alike(tmp_path, monkeypatch):
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    monkeypatch.setattr(decode, "LARGE_PIXELS", 10)
    assert np.array_equal(shown(tmp_path / "a.png"), COLOURS)
    assert not decode._one_large_at_a_time.locked()


def test_names_that_are_no_text_can_be_printed():
    assert printable(Path("ünï/画.png")) == str(Path("ünï/画.png"))
    if os.name == "posix":
        assert printable(Path(os.fsdecode(b"a\xff.png"))) == r"a\xff.png"


@pytest.mark.corpus
def test_real_photographs_in_all_orientations_look_alike(corpus):
    folder = corpus / "data" / "odd" / "exif_orientation"
    upright = [shown(folder / f"Landscape_{orientation}.jpg") for orientation in range(9)]
    assert {pixels.shape for pixels in upright} == {(171, 256, 3)}
    for pixels in upright:  # the orientation's number is painted on each
        assert np.abs(pixels - upright[0]).mean() < 8


@pytest.mark.corpus
def test_real_avif_files(corpus):
    folder = corpus / "data" / "odd" / "avif"
    assert shown(folder / "kimono.avif").shape == shown(folder / "kimono.rotate90.avif").shape == (256, 181, 3)
    deep, usual = shown(folder / "fox.profile0.10bpc.yuv420.avif"), shown(folder / "fox.profile0.8bpc.yuv420.avif")
    assert np.abs(deep - usual).mean() < 4
