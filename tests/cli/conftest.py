"""Runs commands as a user would, in process: exit code, standard output and standard error."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from blocks import BLOCK, rewrite
from PIL import Image

from autocal_cli.cli import main


@dataclass(frozen=True)
class Ran:
    code: int
    out: bytes
    err: str


@pytest.fixture
def autocal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    def run(*arguments: str | Path) -> Ran:
        out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setattr(sys, "argv", ["autocal", *map(str, arguments)])
            with pytest.raises(SystemExit) as stopped:
                main()
        out.flush()
        assert isinstance(out.buffer, io.BytesIO)
        code = stopped.value.code
        return Ran(code if isinstance(code, int) else 0, out.buffer.getvalue(), err.getvalue())

    return run


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three images of noise, a gradient and a flat one, and a text file."""
    folder = tmp_path / "hr"
    folder.mkdir()
    rng = np.random.default_rng(7)
    Image.fromarray(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)).save(folder / "noise.png")
    ramp = np.tile(np.linspace(0, 255, 128, dtype=np.uint8)[None, :, None], (96, 1, 3))
    Image.fromarray(ramp).save(folder / "ramp.png")
    Image.new("RGB", (128, 96), (90, 120, 30)).save(folder / "flat.png")
    (folder / "notes.txt").write_text("not an image", encoding="utf-8")
    return folder


CONFIG = """\
# a comment above
scale: 2   # and beside
network_g:
  type: paragonsr2_nano
datasets:
  train: {dataroot_gt: hr, batch_size_per_gpu: 16}
train:
  total_iter: 40000
  optim_g: {lr: !!float 2e-4}
  losses:
    - {type: l1loss, loss_weight: 1.0}
  dynamic_loss_scheduling:
    enabled: true
    auto_calibrate: true
# the end
"""


@pytest.fixture
def config_alone(tmp_path: Path) -> Path:
    """A config whose images are missing."""
    path = tmp_path / "train.yml"
    path.write_bytes(CONFIG.encode())
    return path


@pytest.fixture
def config(config_alone: Path, images: Path) -> Path:
    """A config with its images beside it."""
    assert images.is_dir()
    return config_alone


@pytest.fixture
def vanilla(config):
    """A config of traiNNer-redux itself: without a block."""
    rewrite(config, (BLOCK, ""))
    return config
