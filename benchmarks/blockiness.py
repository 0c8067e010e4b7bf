"""What the measure of blockiness catches: `python benchmarks/blockiness.py FOLDER...` of photographs.

Each image is measured as it is and after JPEG compression; a row says how many are called blocky.
"""

from __future__ import annotations

import io
import statistics
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from autocal_cli.dataset.facts import blockiness
from autocal_cli.dataset.health import BLOCKY

QUALITIES = (None, 95, 90, 75, 50, 30, 10)


def main() -> None:
    found = (path for folder in sys.argv[1:] for path in sorted(Path(folder).rglob("*")))
    images = [Image.open(path).convert("RGB") for path in found if path.suffix.lower() in (".png", ".jpg", ".webp")]
    print(f"{len(images)} images; blocky from {BLOCKY}\nquality  median  blocky")
    for quality in QUALITIES:
        values = [value for image in images if (value := blockiness(luma(image, quality))) is not None]
        share = sum(value >= BLOCKY for value in values) / len(values)
        print(f"{quality or 'as it is':>8}  {statistics.median(values):6.3f}  {share:6.1%}")


def luma(image: Image.Image, quality: int | None) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    if quality is None:
        return np.asarray(image.convert("L"))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("L"))


if __name__ == "__main__":
    main()
