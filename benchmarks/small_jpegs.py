"""What it does to the scores that large JPEGs are decoded at a fraction of their size: beside decoding them whole.

    python benchmarks/small_jpegs.py FOLDER

Looks at the JPEGs with a long side of 1024 or more; others are decoded whole anyway. Prints, for each metric, the
difference of the means and the mean and greatest difference of an image's score.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from autocal_cli.dataset import decode
from autocal_cli.dataset.decode import DRAFT_SIZE, WorkingImage
from autocal_cli.dataset.listing import list_images
from autocal_cli.dataset.model import METRIC_NAMES
from autocal_cli.dataset.sampling import Values, load_reference, scored
from autocal_cli.dataset.scan import read_measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    paths = [file.path for file in list_images([parser.parse_args().folder]).files]
    large = [path for path in paths if is_large_jpeg(path)]
    if not large:
        raise SystemExit("no JPEG here has a long side of 1024 or more")
    small = scores(large)
    decode._draft = lambda _: None
    off = small - scores(large)
    print(f"{len(large)} JPEGs: score decoded small - score decoded whole")
    for i, name in enumerate(METRIC_NAMES):
        size = np.abs(off[:, i])
        print(
            f"{name:18} means {off[:, i].mean():+.4f}, an image {size.mean():.4f} on average, {size.max():.4f} at most"
        )


def is_large_jpeg(path: Path) -> bool:
    with Image.open(path) as image:
        return image.format == "JPEG" and max(image.size) >= 2 * DRAFT_SIZE


def scores(paths: list[Path]) -> Values:
    """Scores (N, 3) of readable files."""
    images = [image for path in paths if isinstance(image := read_measured(path), WorkingImage)]
    return scored(np.array([image.raw for image in images]), load_reference())


if __name__ == "__main__":
    main()
