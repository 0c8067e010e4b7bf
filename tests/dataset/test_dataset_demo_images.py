"""The demo images: small, varied, and reproduced to the last pixel by their script."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SAMPLES = Path(__file__).parents[2] / "sample_configs"
COMMITTED = SAMPLES / "demo_images"


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    runpy.run_path(str(SAMPLES / "make_demo_images.py"))["main"](folder)
    return folder


def pictures(folder: Path) -> dict[str, np.ndarray]:
    return {path.relative_to(folder).as_posix(): np.asarray(Image.open(path)) for path in sorted(folder.rglob("*.png"))}


def test_script_reproduces_the_committed_pixels(redrawn):
    expected, found = pictures(COMMITTED), pictures(redrawn)
    assert list(found) == list(expected)
    for name, pixels in expected.items():
        assert np.array_equal(found[name], pixels), name


def test_halves_belong_to_wholes():
    whole = {path.name: Image.open(path).size for path in (COMMITTED / "hr").iterdir()}
    half = {path.name: Image.open(path).size for path in (COMMITTED / "lr_x2").iterdir()}
    assert len(whole) == 12
    assert {name: (2 * width, 2 * height) for name, (width, height) in half.items()} == whole


def test_all_together_are_small():
    assert sum(path.stat().st_size for path in COMMITTED.rglob("*.png")) < 1_000_000
