"""The metrics of one image in numpy, and in torch: the same bits, whatever the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from autocal_cli.dataset import scan as measuring
from autocal_cli.dataset.metrics import raw_metrics_of_one
from autocal_cli.dataset.metrics_device import raw_metrics
from autocal_cli.dataset.scan import read_measured

DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images" / "hr"


def assert_same_bits(pixels: np.ndarray) -> None:
    batch = torch.from_numpy(pixels[None].copy())
    assert list(raw_metrics_of_one(pixels)) == raw_metrics(batch)[0].tolist()


def checks(height: int, width: int, side: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.repeat(((y // side + x // side) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)


DRAWN = {
    "black": np.zeros((33, 130, 3), np.uint8),
    "white": np.full((256, 256, 3), 255, np.uint8),
    "almost white": np.random.default_rng(1).integers(250, 256, (256, 256, 3)).astype(np.uint8),
    "smallest": checks(7, 7, 2),
    "one octave": checks(13, 200, 1),
    "odd sides": checks(101, 255, 3),
    "single pixels": checks(256, 171, 1),
    "noise": np.random.default_rng(2).integers(0, 256, (171, 256, 3)).astype(np.uint8),
}


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_images(name):
    assert_same_bits(DRAWN[name])


@pytest.mark.parametrize("path", sorted(DEMO.glob("*.png")), ids=lambda path: path.stem)
def test_demo_images(path):
    assert_same_bits(np.asarray(Image.open(path)))


images = st.tuples(st.integers(7, 40), st.integers(7, 40)).flatmap(lambda size: arrays(np.uint8, (*size, 3)))


@settings(max_examples=60, deadline=None)
@given(images)
def test_any_image(pixels):
    assert_same_bits(pixels)


def test_image_under_seven_pixels_is_refused():
    with pytest.raises(ValueError, match=r"Found \(6, 9\)"):
        raw_metrics_of_one(np.zeros((6, 9, 3), np.uint8))


def test_a_fault_in_the_metrics_is_no_fault_of_the_file(monkeypatch):
    def fail(*_: np.ndarray) -> tuple[float, float, float]:
        raise ZeroDivisionError

    monkeypatch.setattr(measuring, "raw_metrics_of_one", fail)
    with pytest.raises(ZeroDivisionError):
        read_measured(DEMO / "foliage.png")
