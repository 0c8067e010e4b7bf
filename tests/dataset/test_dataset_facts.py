"""What is noted of one image: known by arithmetic on drawn ones, and that it tells JPEG grids from pictures."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autocal_cli.dataset.decode import Wanted, read_image
from autocal_cli.dataset.facts import blockiness, deviation, gather_facts, is_grey, perceptual_hash
from autocal_cli.dataset.health import BLOCKY

DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images" / "hr"


def blocks(side: int, step: int, shift: int = 0) -> np.ndarray:
    """Chequered squares of `side` pixels whose two greys are `step` apart, 64 x 64, cut off `shift` pixels in."""
    line = (np.arange(96) // side) % 2
    board = (line[:, None] ^ line[None, :]) * step + 50
    return board[shift : shift + 64, shift : shift + 64].astype(np.uint8)


def natural(seed: int = 0, size: int = 256) -> Image.Image:
    """A picture as nature has them: smooth noise at all scales, summed."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size, size, 3))
    for cells in (5, 11, 23, 47, 91, 131):  # none lines up with a grid of 8
        small = Image.fromarray(rng.integers(0, 256, (cells, cells, 3)).astype(np.uint8))
        total += np.asarray(small.resize((size, size), Image.Resampling.BICUBIC), dtype=float) / cells**0.5
    return Image.fromarray((total / total.max() * 255).astype(np.uint8))


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def luma(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"))


@pytest.mark.parametrize(
    ("image", "ratio"),
    [
        (np.full((64, 64), 77, np.uint8), 1.0),  # (0 + 0.5) / (0 + 0.5)
        (np.tile(np.arange(64, dtype=np.uint8), (64, 1)), 1.0),  # a ramp: (1 + 0.5) / (1 + 0.5) across, flat down
        (blocks(8, 100), (100 + 0.5) / 0.5),
        (blocks(8, 100, shift=3), (100 + 0.5) / 0.5),  # the grid may start anywhere
        (blocks(8, 4), (4 + 0.5) / 0.5),
        (blocks(1, 100), 1.0),  # steps everywhere
        (blocks(2, 100), (100 + 0.5) / (0 + 0.5)),  # drawn patterns that 8 divides look like a grid
    ],
)
def test_blockiness_by_arithmetic(image, ratio):
    assert blockiness(image) == pytest.approx(ratio)


@pytest.mark.parametrize("shape", [(15, 64), (64, 15), (8, 8), (7, 7)])
def test_blockiness_is_unknown_where_no_grid_can_be_seen(shape):
    assert blockiness(np.zeros(shape, np.uint8)) is None


def test_blockiness_finds_a_jpeg_wherever_it_was_cut_and_leaves_pictures_alone():
    for seed in range(4):
        picture = natural(seed)
        poor = as_jpeg(picture, 10)
        assert blockiness(luma(picture)) < 1.1
        assert blockiness(luma(as_jpeg(picture, 95))) < BLOCKY
        assert blockiness(luma(poor)) > BLOCKY
        assert blockiness(luma(poor.crop((3, 5, 250, 243)))) > BLOCKY
        assert blockiness(luma(poor.rotate(90))) == pytest.approx(blockiness(luma(poor)), rel=0.05)


@pytest.mark.parametrize(
    ("colours", "expected"),
    [([10, 20, 30], 0.0), ([0, 255], 0.5), ([100, 110], 5 / 255), ([0, 0, 0, 255], 0.75**0.5 * 0.5)],
)
def test_deviation_by_arithmetic(colours, expected):
    image = np.tile(np.array(colours, np.uint8), (8, 8)) if len(colours) != 3 else np.full((8, 8), 20, np.uint8)
    assert deviation(Image.fromarray(image)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("pixel", "grey"),
    [((7, 7, 7), True), ((7, 7, 8), True), ((7, 7, 9), False), ((9, 7, 8), False), ((7, 5, 7), False)],
)
def test_grey_is_equal_channels_in_every_pixel(pixel, grey):
    pixels = np.full((8, 8, 3), 100, np.uint8)
    pixels[5, 3] = pixel
    assert is_grey(pixels) is grey


@pytest.mark.parametrize("name", ["market", "bricks", "writing"])
def test_the_perceptual_hash_survives_what_copies_go_through(name):
    image = Image.open(DEMO / f"{name}.png").convert("L")
    hashed = perceptual_hash(image)
    assert 0 <= hashed < 2**64
    half = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    for copy in (half, as_jpeg(image, 50).convert("L")):
        assert (perceptual_hash(copy) ^ hashed).bit_count() <= 4


def test_without_the_library_there_is_no_perceptual_hash(monkeypatch):
    monkeypatch.setattr("autocal_cli.dataset.facts._imagehash", lambda: None)
    pixels = np.zeros((16, 16, 3), np.uint8)
    assert gather_facts("a.png", io.BytesIO(b"x"), Image.fromarray(pixels), pixels, 128).perceptual_hash is None


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "gif"])
def test_facts_of_a_file(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    natural().convert("L").save(path)
    facts = read_image(path, Wanted(facts=True)).facts
    assert facts.path == str(path)
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts.grey
    assert facts.deviation > 0.05
    assert facts.blockiness is not None


def test_facts_are_gathered_when_asked_for_alone(tmp_path):
    natural().save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").facts is None
