"""How the variety of a set falls with the share of it that says the same again, and what a choice makes of such a set.

    python benchmarks/variety.py FOLDER... [--tiles 2000] [--choose 200] [--seed 0]

FOLDERs hold photographs. Sets of tiles of 128 x 128: from as many photographs as there are, but for a share that comes
from five alone, the greenest of those with many edges, which stand for foliage. Prints the variety of each set; then of
those chosen, the share from the five, the kinds and the mean complexity: by kind (`--choose`), by complexity alone, and
at random.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from autocal_cli.dataset.decode import reduced
from autocal_cli.dataset.facts import mean_colour
from autocal_cli.dataset.metrics import raw_metrics_of_one
from autocal_cli.dataset.model import ImageFacts, ImageRow, Traces
from autocal_cli.dataset.plan import chosen, kind_of, variety_of
from autocal_cli.dataset.sampling import load_reference, scored, with_overall

TILE = 128
FOLIAGE = 5
SHARES = (0.0, 0.25, 0.5, 0.75, 0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--tiles", type=int, default=2000)
    parser.add_argument("--choose", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    paths = sorted(
        path for folder in arguments.folders for path in folder.rglob("*") if path.suffix in (".png", ".jpg")
    )
    photos = [Image.open(path).convert("RGB") for path in paths]
    foliage = sorted(range(len(photos)), key=lambda i: greenness(photos[i]))[-FOLIAGE:]
    others = [photo for i, photo in enumerate(photos) if i not in foliage]
    varied = [row_of(tile(others[i % len(others)], rng), f"other{i}") for i in range(arguments.tiles)]
    alike = [row_of(tile(photos[foliage[i % FOLIAGE]], rng), f"same{i}") for i in range(arguments.tiles)]
    columns = ("from five", "kinds", "as varied as", "ten fullest", "chosen", "from the five", "kinds", "complexity")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for share in SHARES:
        count = round(share * arguments.tiles)
        rows = [*alike[:count], *varied[count:]]
        rng.shuffle(rows)
        show(share, rows, arguments.choose)


def show(share: float, rows: Sequence[ImageRow], count: int) -> None:
    kinds, complexity = np.array([kind_of(row) for row in rows]), np.array([row.overall for row in rows])
    variety, by_complexity = variety_of(kinds), np.argsort(-complexity)
    told = f"{share:.0%} | {variety.kinds} | {variety.effective:.0f} | {variety.fullest:.0%}"
    ways = {"by kind": chosen(kinds, by_complexity, count), "by complexity": by_complexity[:count]}
    ways["at random"] = np.arange(count)
    for name, places in ways.items():
        same = np.mean([rows[place].facts.path.startswith("same") for place in places])
        found = variety_of(kinds[places])
        print(f"| {told} | {name} | {same:.0%} | {found.kinds} | {complexity[places].mean():.2f} |")
        told = "| | |"


def greenness(photo: Image.Image) -> float:
    """How green a photograph with more edges than most is, in levels."""
    row = row_of(photo, "")
    red, green, blue = row.facts.mean
    return green - max(red, blue) if row.scores[1] > 0.6 else -255.0


def tile(photo: Image.Image, rng: random.Random) -> Image.Image:
    left, top = rng.randrange(photo.width - TILE + 1), rng.randrange(photo.height - TILE + 1)
    return photo.crop((left, top, left + TILE, top + TILE))


def row_of(image: Image.Image, name: str) -> ImageRow:
    """What a scan knows of an image, as far as kinds go."""
    working, thumbnail = reduced(image)
    raw = raw_metrics_of_one(thumbnail)
    *scores, overall = with_overall(scored(np.array([raw]), load_reference()))[0].tolist()
    facts = ImageFacts(name, "", False, False, 0.2, 7.0, 0, 0.1, Traces(), mean_colour(working))
    return ImageRow(facts, *image.size, raw, tuple(scores), overall)


if __name__ == "__main__":
    main()
