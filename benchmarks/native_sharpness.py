"""What native sharpness tells of photographs, enlarged and reduced, and what it costs a scan.

    python benchmarks/native_sharpness.py FOLDER [--crop 128] [--images 100] [--runs 3]

Of each image: as it is; enlarged twice and four times by bicubic interpolation; reduced to a quarter and enlarged
again. Prints the quantiles over images, how often the image reads sharper than its enlargement, and how many of the
enlarged lie among the lowest 5% of the originals, which is what a rule for one image could see. Then the CPU time of
`analyze-dataset`'s pass with native sharpness and without, in turns, medians, on the CPU by all workers.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from autocal_cli.dataset import facts
from autocal_cli.dataset.facts import NATIVE_CROP, native_sharpness
from autocal_cli.dataset.health import Ledger
from autocal_cli.dataset.listing import list_images
from autocal_cli.dataset.sampling import sample_order
from autocal_cli.dataset.scan import scan

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--crop", type=int, default=NATIVE_CROP)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    files = list_images([arguments.folder]).files
    paths = [files[i].path for i in sample_order(len(files), 0)[: arguments.images]]
    tell_apart(paths, arguments.crop)
    cost(arguments.folder, arguments.crop, arguments.runs)


def tell_apart(paths: list[Path], crop: int) -> None:
    ways: dict[str, Callable[[Image.Image], Image.Image]] = {
        "as it is": lambda image: image,
        "enlarged x2": lambda image: scaled(image, 2),
        "enlarged x4": lambda image: scaled(image, 4),
        "x1/4, then x4": lambda image: scaled(image.reduce(4), 4),
    }
    images = [Image.open(path).convert("RGB") for path in paths]
    original = np.array([native_sharpness(image, crop) for image in images])
    for name, way in ways.items():
        shares = np.array([native_sharpness(way(image), crop) for image in images])
        spread = " ".join(f"{value:.3f}" for value in np.quantile(shares, QUANTILES))
        lower, among = (shares < original).mean(), (shares < np.quantile(original, 0.05)).mean()
        print(f"{name:14} {spread}  less sharp than it was: {lower:.0%}, below 5% of the originals: {among:.0%}")


def scaled(image: Image.Image, times: int) -> Image.Image:
    return image.resize((image.width * times, image.height * times), Image.Resampling.BICUBIC)


def cost(folder: Path, crop: int, runs: int) -> None:
    measured = facts.native_sharpness
    seconds: dict[str, list[float]] = {"with": [], "without": []}
    for turn in range(runs + 1):
        for name, function in (("with", measured), ("without", lambda _image, _side: 0.0)):
            facts.native_sharpness = function
            started = time.process_time()
            read = scan([folder], device="cpu", tolerance=None, native_crop=crop, on_measured=Ledger().take).read
            if turn:  # the first turn fills the caches
                seconds[name].append((time.process_time() - started) / read * 1000)
    facts.native_sharpness = measured
    both, without = (statistics.median(seconds[name]) for name in ("with", "without"))
    print(f"{both:.2f} ms of CPU an image with native sharpness, {without:.2f} without: {both / without:.3f} times")


if __name__ == "__main__":
    main()
