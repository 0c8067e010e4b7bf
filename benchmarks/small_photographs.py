"""Photographs for the small training: random crops to learn from, and whole ones held out to be judged by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor

SCALE = 2
CROP = 48  # side of a crop at high resolution
BATCH = 16
HOLD_OUT = 25  # every 25th photograph, in the order of the names, is held out; of fewer than 300 more of them, so that
JUDGED = 12  # judge, at most every fourth
SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Photographs:
    """`training`: (3, H, W) uint8 each. `held_out`: (1, 3, H, W) float32 in 0..1, H and W multiples of the scale."""

    training: list[Tensor]
    held_out: list[Tensor]


def load_photographs(folder: Path, scale: int = SCALE) -> Photographs:
    """All photographs under a folder that are large enough for a crop. Raises SystemExit where there are too few."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    images = [image for image in map(read, paths) if min(image.shape[1:]) >= CROP]
    if len(images) < 2:
        raise SystemExit(f"{folder}: at least 2 photographs of {CROP} pixels or more are needed. Found {len(images)}.")
    every = min(HOLD_OUT, max(len(images) // JUDGED, 4))
    held_out = [even(image, scale).unsqueeze(0) / 255.0 for image in images[::every]]
    return Photographs([image for index, image in enumerate(images) if index % every], held_out)


def read(path: Path) -> Tensor:
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()


def even(image: Tensor, scale: int = SCALE) -> Tensor:
    """Without the last rows and columns where its size is no multiple of the scale."""
    height, width = (size // scale * scale for size in image.shape[1:])
    return image[:, :height, :width]


def shrink(high: Tensor, scale: int = SCALE) -> Tensor:
    """(B, 3, H, W) -> (B, 3, H / scale, W / scale), by area."""
    return F.avg_pool2d(high, scale)


class Crops:
    """An endless, seeded sequence of batches (batch, 3, crop, crop) float32 in 0..1. `generator` is its whole state."""

    def __init__(self, images: list[Tensor], seed: int, crop: int = CROP, batch: int = BATCH) -> None:
        self.images, self.crop, self.batch = images, crop, batch
        self.generator = torch.Generator().manual_seed(seed)

    def draw(self) -> Tensor:
        return torch.stack([self._crop(self.images[self._below(len(self.images))]) for _ in range(self.batch)])

    def _crop(self, image: Tensor) -> Tensor:
        top, left = (self._below(size - self.crop + 1) for size in image.shape[1:])
        crop = image[:, top : top + self.crop, left : left + self.crop]
        return crop.flip(2) / 255.0 if self._below(2) else crop / 255.0

    def _below(self, limit: int) -> int:
        return int(torch.randint(limit, (), generator=self.generator))
