"""Makes demo_images/: twelve small pictures of our own, high resolution and reduced by two, always the same.

    python sample_configs/make_demo_images.py [FOLDER]

Drawn with whole numbers and plain arithmetic only, so that every machine draws the same pixels.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Canvas = npt.NDArray[np.float64]
Random = np.random.RandomState  # its stream is frozen for ever, unlike that of numpy.random.Generator

SEED = 20
FOLDER = Path(__file__).resolve().parent / "demo_images"


def sky(_: Random) -> Canvas:
    """A smooth gradient with a pale sun."""
    y, x = grid(192, 256)
    sun = 1.0 / (1.0 + ((x - 190) ** 2 + (y - 60) ** 2) / 900.0)
    low = y / 192.0
    return blend([70, 120, 200], [235, 215, 190], low) + sun[..., None] * np.array([90.0, 70.0, 10.0])


def clouds(random: Random) -> Canvas:
    """Soft noise, blue to white."""
    return tinted(random, blend([60, 110, 190], [250, 250, 252], fractal(random, 192, 256, octaves=5)), 60.0)


def foliage(random: Random) -> Canvas:
    """Noise on every scale, in greens."""
    light = fractal(random, 192, 256, octaves=7)
    grain = 60.0 * (random.random_sample((192, 256, 1)) - 0.5)
    return tinted(random, blend([10, 30, 8], [180, 205, 70], stretch(light)) + grain, 150.0)


def bricks(random: Random) -> Canvas:
    """A wall: mortar lines and rows that are shifted by half a brick."""
    canvas = np.full((192, 256, 3), 190.0)
    for row in range(12):
        for column in range(-1, 9):
            left = column * 32 + (row % 2) * 16
            tone = np.array([150.0, 70.0, 55.0]) + whole(random, -25, 26)
            canvas[row * 16 + 1 : row * 16 + 15, max(0, left + 1) : max(0, left + 31)] = tone
    return tinted(random, canvas, 80.0)


def checkers(_: Random) -> Canvas:
    """Black and white squares of 12 pixels."""
    y, x = grid(192, 192)
    return np.where(((y // 12 + x // 12) % 2 == 0)[..., None], 245.0, 15.0) * np.ones(3)


def flowers(random: Random) -> Canvas:
    """Blobs of many colours on a meadow."""
    canvas = blend([30, 70, 20], [90, 140, 60], fractal(random, 256, 256, octaves=5))
    y, x = grid(256, 256)
    for _ in range(60):
        centre_y, centre_x = whole(random, 0, 256, 2)
        size = int(whole(random, 6, 20))
        squared = ((y - centre_y) ** 2 + (x - centre_x) ** 2) / float(size * size)
        petal = np.clip(1.5 - 1.5 * squared, 0.0, 1.0)[..., None]
        canvas = canvas * (1 - petal) + petal * whole(random, 60, 256, 3)
    return canvas


def dead_leaves(random: Random) -> Canvas:
    """Discs that hide each other, small ones more than large ones: the statistics of natural scenes."""
    canvas = np.full((192, 256, 3), 128.0)
    y, x = grid(192, 256)
    for _ in range(400):
        radius = int(4.0 / (0.06 + random.random_sample()))
        disc = (y - whole(random, 0, 192)) ** 2 + (x - whole(random, 0, 256)) ** 2 <= radius * radius
        canvas[disc] = whole(random, 20, 236, 3)
    return canvas


def writing(random: Random) -> Canvas:
    """Rows of short dark strokes on paper."""
    page = Image.new("L", (256, 384), 244)
    pen = ImageDraw.Draw(page)
    for line in range(20, 360, 18):
        x = 20
        while x < 225:
            for _ in range(whole(random, 2, 5)):
                x1, y1, x2, y2 = whole(random, 0, 9, 4)
                pen.line([x + int(x1), line + int(y1), x + int(x2), line + int(y2)], fill=30)
            x += 20 if whole(random, 0, 4) == 0 else 11
    return np.repeat(np.asarray(page, dtype=np.float64)[..., None], 3, axis=2)


def waves(random: Random) -> Canvas:
    """Parabolic ripples, finer towards the horizon."""
    y, x = grid(192, 384)
    phase = (4000.0 / (y + 20.0) + x / 40.0 + 3.0 * fractal(random, 192, 384, octaves=3)) % 2.0
    height = 1.0 - (phase - 1.0) ** 2
    return tinted(random, blend([15, 60, 90], [170, 220, 230], height), 100.0)


def stones(random: Random) -> Canvas:
    """Grey cells around random points, dark where they meet."""
    y, x = grid(192, 256)
    points = whole(random, 0, 256, (70, 2))
    distances = np.sort([np.sqrt((y - p) ** 2 + (x - q) ** 2) for p, q in points], axis=0)
    gap = np.clip((distances[1] - distances[0]) / 8.0, 0.0, 1.0)
    return tinted(random, blend([25, 25, 28], [170, 165, 155], gap), 60.0)


def fog(_: Random) -> Canvas:
    """Two pale hills: hardly anything to see."""
    y, x = grid(256, 192)
    hill = np.clip((y - 150 - (x - 60) ** 2 / 220.0) / 40.0, 0.0, 1.0)
    far = np.clip((y - 120 - (x - 150) ** 2 / 300.0) / 60.0, 0.0, 1.0)
    return blend([215, 218, 222], [175, 182, 186], 0.5 * hill + 0.5 * far)


def market(random: Random) -> Canvas:
    """Awnings, boxes and fruit: stripes, edges and every colour at once."""
    canvas = np.zeros((256, 256, 3))
    for top in range(0, 256, 32):
        for left in range(0, 256, 32):
            base, other = whole(random, 20, 256, 3), whole(random, 20, 256, 3)
            y, x = grid(32, 32)
            stripe = (x if whole(random, 0, 2) else y) // whole(random, 2, 6) % 2 == 0
            fruit = (y % 8 - 4) ** 2 + (x % 8 - 4) ** 2 < 12
            shape = fruit if whole(random, 0, 2) else stripe
            canvas[top : top + 32, left : left + 32] = np.where(shape[..., None], base, other)
    return canvas + 24.0 * (random.random_sample((256, 256, 3)) - 0.5)


Picture = Callable[[Random], Canvas]
PICTURES: list[Picture] = [
    sky,
    clouds,
    foliage,
    bricks,
    checkers,
    flowers,
    dead_leaves,
    writing,
    waves,
    stones,
    fog,
    market,
]


def whole(random: Random, low: int, high: int, count: int | tuple[int, ...] = ()) -> npt.NDArray[np.int64]:
    """Whole numbers low..high-1. (`randint` draws other numbers where a C long has 32 bits.)"""
    return (low + random.random_sample(count) * (high - low)).astype(np.int64)


def grid(height: int, width: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    y, x = np.mgrid[0:height, 0:width]
    return y, x


def blend(dark: list[int], light: list[int], share: Canvas) -> Canvas:
    """Colours (H, W, 3) from `dark` at share 0 to `light` at share 1."""
    return np.array(dark, dtype=float) * (1.0 - share[..., None]) + np.array(light, dtype=float) * share[..., None]


def fractal(random: Random, height: int, width: int, *, octaves: int) -> Canvas:
    """Noise in 0..1: bilinear lattices, each twice as fine and half as strong as the one before."""
    total = np.zeros((height, width))
    for octave in range(octaves):
        cell = max(1, 64 >> octave)
        lattice = random.random_sample((height // cell + 2, width // cell + 2))
        y, x = grid(height, width)
        row, column, down, right = y // cell, x // cell, y % cell / cell, x % cell / cell
        above = lattice[row, column] * (1 - right) + lattice[row, column + 1] * right
        below = lattice[row + 1, column] * (1 - right) + lattice[row + 1, column + 1] * right
        total += (above * (1 - down) + below * down) * 0.5 ** (octave + 1)
    return total


def tinted(random: Random, canvas: Canvas, strength: float) -> Canvas:
    """The canvas (H, W, 3) with each channel shifted by soft noise of its own, so that colours drift."""
    height, width = canvas.shape[:2]
    shifts = [fractal(random, height, width, octaves=3) - 0.5 for _ in range(3)]
    return canvas + strength * np.stack(shifts, axis=2)


def stretch(values: Canvas) -> Canvas:
    return (values - values.min()) / (values.max() - values.min())


def main(folder: Path) -> None:
    (folder / "hr").mkdir(parents=True, exist_ok=True)
    (folder / "lr_x2").mkdir(exist_ok=True)
    for number, picture in enumerate(PICTURES):
        pixels = picture(Random(SEED + number)).clip(0, 255).round().astype(np.uint8)
        image = Image.fromarray(pixels)
        half = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
        image.save(folder / "hr" / f"{picture.__name__}.png", optimize=True)
        half.save(folder / "lr_x2" / f"{picture.__name__}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
