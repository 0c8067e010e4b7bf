"""Native sharpness: known by arithmetic on drawn crops, an independent implementation, and what it is there to see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from autocal_cli.dataset.decode import Wanted, read_image
from autocal_cli.dataset.facts import STEPS, native_boxes, native_sharpness, summarise_sharpness
from autocal_cli.dataset.metrics import native_edge_share_of_one
from autocal_cli.dataset.scan import read_measured

DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images" / "hr"
PHOTOGRAPHIC = ("bricks", "dead_leaves", "flowers", "foliage", "market", "stones")  # of those drawn, with fine detail


def grey(levels: np.ndarray) -> np.ndarray:
    return np.repeat(levels.astype(np.uint8)[..., None], 3, axis=2)


def step(side: int, low: int = 0, high: int = 255) -> np.ndarray:
    levels = np.full((side, side), low)
    levels[:, side // 2 :] = high
    return grey(levels)


def checks(side: int, square: int) -> np.ndarray:
    y, x = np.mgrid[0:side, 0:side] // square
    return grey((x + y) % 2 * 255)


def lines(side: int, period: int) -> np.ndarray:
    return grey(np.tile(np.arange(side) % period < period // 2, (side, 1)) * 255)


@pytest.mark.parametrize(
    ("crop", "share"),
    [
        (np.full((64, 64, 3), 77, np.uint8), 0.0),
        (step(64), 1 / 62),  # one of 62 inner columns
        (step(64).swapaxes(0, 1), 1 / 62),
        (step(16), 1 / 14),
        (step(64, 100, 125), 0.0),  # 25 levels are 0.098 of a full step, 26 are 0.102
        (step(64, 100, 126), 1 / 62),
        (checks(64, 1), 0.0),  # Sobel's kernel sees no slope in single pixels
        (lines(66, 8), 16 / 64),  # a step every 4 columns, 16 of them inside
    ],
)
def test_edge_share_by_arithmetic(crop, share):
    assert native_edge_share_of_one(crop) == pytest.approx(share, abs=1e-15)


def scipy_share(crop: np.ndarray) -> float:
    """The same definition by scipy's Sobel, angles, and a look-up of both neighbours."""
    y = crop.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255
    gx, gy = (ndimage.sobel(y, axis=axis)[1:-1, 1:-1] / 4 for axis in (1, 0))
    size = np.pad(np.hypot(gx, gy).round(9), 1)
    sector = np.round(np.degrees(np.arctan2(gy, gx)) / 45).astype(int) % 4
    rows, columns = np.mgrid[1 : size.shape[0] - 1, 1 : size.shape[1] - 1]
    dy, dx = np.array([0, 1, 1, 1])[sector], np.array([1, 1, 0, -1])[sector]
    here, before, after = size[1:-1, 1:-1], size[rows - dy, columns - dx], size[rows + dy, columns + dx]
    return float(((here > 0.1) & (here > before) & (here >= after)).mean())


@pytest.mark.parametrize("path", sorted(DEMO.glob("*.png")), ids=lambda path: path.stem)
def test_scipy_agrees_on_native_crops(path):
    image = Image.open(path).convert("RGB")
    expected = np.mean([scipy_share(np.asarray(image.crop(box))) for box in native_boxes(image.size, 48)])
    assert native_sharpness(image, 48) == pytest.approx(expected, abs=1e-4)


@given(st.integers(7, 5000), st.integers(7, 5000), st.integers(1, 1024))
def test_crops_lie_inside_and_are_few(width, height, side):
    boxes = native_boxes((width, height), side)
    assert 1 <= len(boxes) <= 5
    sizes = {(right - left, bottom - top) for left, top, right, bottom in boxes}
    assert sizes == {(min(max(side, 7), width), min(max(side, 7), height))}
    assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in boxes)
    (size,) = sizes
    assert len(boxes) == 1 or len(boxes) * size[0] * size[1] <= width * height / 16


def test_the_first_crop_is_the_middle():
    assert native_boxes((640, 480), 128)[0] == (256, 176, 384, 304)


def enlarged(image: Image.Image, times: int) -> Image.Image:
    return image.resize((image.width * times, image.height * times), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("name", PHOTOGRAPHIC)
def test_an_enlarged_image_reads_clearly_less_sharp(name):
    image = Image.open(DEMO / f"{name}.png").convert("RGB")
    assert native_sharpness(enlarged(image, 4), 128) < 0.5 * native_sharpness(image, 128)


@pytest.mark.corpus
def test_an_enlarged_photograph_reads_clearly_less_sharp(corpus):
    paths = sorted((corpus / "data" / "kodak").glob("*.png"))
    assert paths
    for path in paths:
        image = Image.open(path).convert("RGB")
        small = image.resize((image.width // 4, image.height // 4), Image.Resampling.BOX)
        assert native_sharpness(enlarged(small, 4), 128) < 0.7 * native_sharpness(image, 128), path.name


@pytest.mark.parametrize(("ending", "options"), [("png", {}), ("jpg", {"quality": 95, "subsampling": 0})])
def test_it_is_taken_at_native_size_where_the_metrics_decode_smaller(tmp_path, ending, options):
    """A JPEG this large is decoded at a fraction of its size for the metrics; fine lines are gone there."""
    path = tmp_path / f"a.{ending}"
    Image.fromarray(lines(2048, 8)).save(path, **options)
    image = read_image(path, Wanted(facts=True, native_crop=130))
    assert image.facts.native_sharpness == pytest.approx(0.25, abs=0.01)
    assert native_edge_share_of_one(image.working) < 0.01


def test_the_crop_counts_upright(tmp_path):
    """Sharp on the left half alone of a wide image; turned upright it is high, and its crops lie elsewhere."""
    pixels = np.full((64, 256, 3), 128, np.uint8)
    pixels[:, :96] = lines(96, 8)[:64]
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_270).save(tmp_path / "upright.png")
    turned, upright = (read_image(tmp_path / f"{name}.png", Wanted(facts=True, native_crop=16)) for name in (
        "turned", "upright"))  # fmt: skip
    assert turned.facts.native_sharpness == upright.facts.native_sharpness > 0


def test_what_a_sample_says_of_the_whole():
    half = summarise_sharpness([0.1, 0.2, 0.3], 4, 64)
    deviation = 1.96 * 0.1 / 3**0.5 * (1 / 3) ** 0.5  # with the finite-population correction (4 - 3) / (4 - 1)
    assert (half.crop, half.mean, half.median) == (64, pytest.approx(0.2), pytest.approx(0.2))
    assert half.ci95 == (pytest.approx(0.2 - deviation), pytest.approx(0.2 + deviation))
    whole = summarise_sharpness([0.1, 0.2, 0.3], 3, 64)
    assert whole.ci95 == (whole.mean, whole.mean)


def test_the_histogram_counts_every_image():
    counts = summarise_sharpness([0.0, 0.024, 0.026, 0.49, 0.5, 0.7], 6, 64).histogram
    assert (len(counts), counts[0], counts[1], counts[-1], sum(counts)) == (STEPS, 2, 1, 3, 6)


@pytest.mark.parametrize("size", [(96, 64), (128, 128), (129, 100), (256, 20), (200, 9), (9, 90)])
@pytest.mark.parametrize("crop", [48, 128, 256])
def test_the_sharpness_that_is_known_changes_no_metric(tmp_path, size, crop):
    Image.open(DEMO / "foliage.png").convert("RGB").resize((300, 260)).crop((0, 0, *size)).save(tmp_path / "a.png")
    alone, beside = (
        read_measured(tmp_path / "a.png", Wanted(facts=facts, native_crop=crop)) for facts in (False, True)
    )
    assert beside.raw == alone.raw
