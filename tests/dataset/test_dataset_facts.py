"""What is noted of one image beside its metrics, known by arithmetic on drawn ones."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autocal_cli.dataset.decode import Wanted, read_image
from autocal_cli.dataset.duplicates import turned
from autocal_cli.dataset.facts import is_grey, perceptual_hash, spread_of
from autocal_cli.dataset.model import Traces

DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images" / "hr"


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


@pytest.mark.parametrize(
    ("colours", "expected"),
    [([10, 20, 30], 0.0), ([0, 255], 0.5), ([100, 110], 5 / 255), ([0, 0, 0, 255], 0.75**0.5 * 0.5)],
)
def test_deviation_by_arithmetic(colours, expected):
    image = np.tile(np.array(colours, np.uint8), (8, 8)) if len(colours) != 3 else np.full((8, 8), 20, np.uint8)
    assert spread_of(Image.fromarray(image))[0] == pytest.approx(expected)


@pytest.mark.parametrize(("levels", "bits"), [([7], 0.0), ([0, 255], 1.0), (range(256), 8.0), ([0, 0, 0, 255], 0.8113)])
def test_entropy_by_arithmetic(levels, bits):
    image = Image.fromarray(np.tile(np.array(levels, np.uint8), (8, 1)))
    assert spread_of(image)[1] == pytest.approx(bits, abs=1e-4)


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


MOVES = {
    1: Image.Transpose.FLIP_LEFT_RIGHT,
    2: Image.Transpose.FLIP_TOP_BOTTOM,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.TRANSPOSE,
    7: Image.Transpose.TRANSVERSE,
}


@pytest.mark.parametrize("position", MOVES)
def test_the_hash_of_a_flipped_or_turned_picture_follows_from_its_own(position):
    image = Image.open(DEMO / "market.png").convert("L")
    expected = turned(np.array([perceptual_hash(image)], np.uint64), position)
    moved = perceptual_hash(image.transpose(MOVES[position]))
    assert int(expected[0] ^ np.uint64(moved)).bit_count() <= 1  # where a coefficient is next to nothing


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif", "gif"])
def test_facts_of_a_file(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    natural().convert("L").save(path)
    facts = read_image(path, Wanted(facts=True)).facts
    assert facts.path == str(path)
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts.grey
    assert facts.deviation > 0.05
    assert not facts.alpha
    assert facts.traces != Traces()


def test_facts_are_gathered_when_asked_for_alone(tmp_path):
    natural().save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").facts is None
