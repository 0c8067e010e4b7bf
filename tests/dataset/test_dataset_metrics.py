"""The raw metrics: values known by arithmetic, an independent implementation, and independence of the batch."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy import ndimage

from autocal_cli.dataset import metrics_device as metrics
from autocal_cli.dataset.metrics import LAB_BINS
from autocal_cli.dataset.metrics_device import occupied_colours, raw_metrics

DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images" / "hr"


def metrics_of(pixels: np.ndarray) -> np.ndarray:
    """Raw metrics (3,) of one image (H, W, 3)."""
    return raw_metrics(torch.from_numpy(pixels[None].copy())).numpy()[0]


def grey(levels: np.ndarray) -> np.ndarray:
    return np.repeat(levels.astype(np.uint8)[..., None], 3, axis=2)


def vertical_step(low: int, high: int, side: int = 64) -> np.ndarray:
    levels = np.full((side, side), low)
    levels[:, side // 2 :] = high
    return grey(levels)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 13, 77), (1, 254, 3)])
@pytest.mark.parametrize("shape", [(7, 7), (33, 130), (256, 192)])
def test_flat_image_has_nothing_but_its_colour(colour, shape):
    assert metrics_of(np.full((*shape, 3), colour, dtype=np.uint8)).tolist() == [0.0, 0.0, 1.0]


def test_step_counts_one_pixel_a_row_in_both_octaves():
    expected = np.mean([1 / 62, 1 / 30])
    assert metrics_of(vertical_step(0, 255))[1] == pytest.approx(expected, abs=1e-15)
    assert metrics_of(vertical_step(255, 0).swapaxes(0, 1))[1] == pytest.approx(expected, abs=1e-15)


def test_step_textures_the_windows_across_it():
    white_columns = np.clip(np.arange(64 - 6) + 7 - 64 // 2, 0, 7) / 7
    s = np.sqrt(white_columns * (1 - white_columns))
    assert metrics_of(vertical_step(0, 255))[0] == pytest.approx(np.mean(s / (s + 0.05)), abs=1e-10)


@pytest.mark.parametrize(("high", "seen"), [(125, False), (126, True)])
def test_edge_threshold_lies_at_a_tenth_of_a_full_step(high, seen):
    assert bool(metrics_of(vertical_step(100, high))[1]) is seen


def test_one_pixel_checkerboard_has_texture_and_no_edges():
    y, x = np.mgrid[0:64, 0:64]
    texture, edges, colours = metrics_of(grey((x + y) % 2 * 255))
    s = math.sqrt(25 * 24) / 49
    assert texture == pytest.approx(s / (s + 0.05), abs=1e-10)
    assert (edges, colours) == (0.0, 2.0)


@pytest.mark.parametrize(("side", "octaves"), [(12, 1), (13, 1), (14, 2)])
def test_an_octave_with_a_short_side_under_seven_does_not_count(side, octaves):
    expected = np.mean([1 / 62, 1 / 30][:octaves])
    assert metrics_of(vertical_step(0, 255)[:side])[1] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("deviation", [0.02, 0.05, 0.1])
def test_white_noise_of_known_deviation(deviation):
    levels = 127.5 + 255 * deviation * np.random.default_rng(1).standard_normal((256, 256))
    expected = deviation / (deviation + 0.05)
    assert metrics_of(grey(levels.round().clip(0, 255)))[0] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("colours", "bins"),
    [
        ([(level,) * 3 for level in range(256)], 11),  # lightness 0, 10, ..., 100
        ([(120, 120, 120), (123, 122, 121)], 1),
        ([(120, 120, 120), (140, 120, 120)], 2),
        ([(0, 0, 0), (12, 12, 12)], 1),
        ([(0, 0, 0), (60, 0, 0)], 2),
        (np.stack(np.meshgrid(*[range(4, 256, 8)] * 3), axis=-1).reshape(-1, 3), LAB_BINS),  # all that there are
    ],
)
def test_colours_that_look_alike_share_a_bin(colours, bins):
    assert occupied_colours(torch.tensor(np.array(colours, np.uint8)[None, None])).tolist() == [bins]


def test_image_under_seven_pixels_is_refused():
    with pytest.raises(ValueError, match=r"Found \(6, 9\)"):
        metrics_of(np.zeros((6, 9, 3), np.uint8))


def reference_metrics(pixels: np.ndarray) -> list[float]:
    """The same definition written another way: numpy windows, scipy's Sobel, angles, loops over directions."""
    y = pixels.astype(np.int64) @ np.array([299, 587, 114])
    s = np.lib.stride_tricks.sliding_window_view(y / 255_000, (7, 7)).std(axis=(2, 3))
    edges = []
    for octave in range(2):
        white = 255_000 * 4**octave
        gx, gy = (ndimage.sobel(y, axis=axis)[1:-1, 1:-1] for axis in (1, 0))
        edges.append(reference_ridges(gx, gy, white).mean())
        y = y[: y.shape[0] // 2 * 2, : y.shape[1] // 2 * 2]
        y = y.reshape(y.shape[0] // 2, 2, y.shape[1] // 2, 2).sum(axis=(1, 3))
        if min(y.shape) < 7:
            break
    colours = {reference_bin(*colour) for colour in (pixels.reshape(-1, 3) // 8).tolist()}
    return [(s / (s + 0.05)).mean(), np.mean(edges), len(colours)]


@cache
def reference_bin(*colour: int) -> tuple[int, int, int]:
    """L*, a* and b* in steps of 10, by the formulas of CIE 15 with its delta of 6/29."""
    light = []
    for channel in colour:
        level = (8 * channel + 4) / 256
        light.append(level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4)
    red, green, blue = light
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.0890
    fx, fy, fz = (t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29 for t in (x, y, z))
    return round((116 * fy - 16) / 10), round(500 * (fx - fy) / 10), round(200 * (fy - fz) / 10)


def reference_ridges(gx: np.ndarray, gy: np.ndarray, white: int) -> np.ndarray:
    power = np.pad(gx**2 + gy**2, 1)
    sector = np.round(np.degrees(np.arctan2(gy, gx)) / 45).astype(int) % 4
    kept = np.zeros(gx.shape, bool)
    for row, column in np.argwhere(power[1:-1, 1:-1] > (4 * white * 0.10) ** 2):
        dy, dx = ((0, 1), (1, 1), (1, 0), (1, -1))[sector[row, column]]
        centre = power[row + 1, column + 1]
        previous, following = power[row + 1 - dy, column + 1 - dx], power[row + 1 + dy, column + 1 + dx]
        kept[row, column] = centre > previous and centre >= following
    return kept


@pytest.mark.parametrize("shape", [(7, 7), (15, 16), (61, 47), (120, 256)])
@pytest.mark.parametrize("spread", [4, 60, 256])
def test_agrees_with_an_independent_implementation_on_noise(shape, spread):
    pixels = np.random.default_rng(spread).integers(0, spread, (*shape, 3)).astype(np.uint8)
    assert metrics_of(pixels) == pytest.approx(reference_metrics(pixels), abs=1e-6)


@pytest.mark.parametrize("name", ["foliage", "flowers", "writing", "checkers", "stones"])
def test_agrees_with_an_independent_implementation_on_pictures(name):
    pixels = np.asarray(Image.open(DEMO / f"{name}.png"))
    assert metrics_of(pixels) == pytest.approx(reference_metrics(pixels), abs=1e-6)


@pytest.mark.corpus
def test_agrees_with_an_independent_implementation_on_photographs(corpus):
    for path in sorted((corpus / "data" / "kodak").glob("*.png"))[:2]:
        pixels = np.asarray(Image.open(path).resize((256, 171)))
        assert metrics_of(pixels) == pytest.approx(reference_metrics(pixels), abs=1e-6)


def test_result_is_bit_identical_in_every_batch():
    rng = np.random.default_rng(3)
    working = torch.from_numpy(rng.integers(0, 256, (17, 101, 255, 3)).astype(np.uint8))
    whole = raw_metrics(working)
    for size in (1, 2, 5, 16):
        assert torch.equal(torch.cat([raw_metrics(part) for part in working.split(size)]), whole)
    assert torch.equal(raw_metrics(working.flip(0)).flip(0), whole)


def test_single_precision_keeps_to_its_tolerance(monkeypatch):
    pictures = [np.asarray(Image.open(path)) for path in sorted(DEMO.glob("*.png"))]
    double = np.array([metrics_of(pixels) for pixels in pictures])
    monkeypatch.setattr(metrics, "precision", lambda _: torch.float32)
    single = np.array([metrics_of(pixels) for pixels in pictures])
    assert (np.abs(single - double).max(axis=0) <= [1e-3, 1e-6, 0.0]).all()
    assert metrics_of(np.full((256, 256, 3), 255, np.uint8))[0] < 7e-3


def test_result_does_not_depend_on_the_number_of_threads():
    working = torch.from_numpy(np.random.default_rng(4).integers(0, 256, (3, 256, 256, 3)).astype(np.uint8))
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(raw_metrics(working))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*results)


images = st.tuples(st.integers(7, 20), st.integers(7, 20)).flatmap(lambda size: arrays(np.uint8, (*size, 3)))


@settings(max_examples=40, deadline=None)
@given(images)
def test_ranges_and_symmetries(pixels):
    texture, edges, colours = metrics_of(pixels)
    assert 0 <= texture < 1
    assert 0 <= edges <= 1
    assert 1 <= colours <= min(LAB_BINS, pixels.shape[0] * pixels.shape[1])
    turned = metrics_of(pixels.swapaxes(0, 1))
    assert turned[0] == texture
    assert turned[2] == colours
