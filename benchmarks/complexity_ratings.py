"""How the complexity of a scan agrees with people's: Spearman's correlation with their ratings, within each category.

    python benchmarks/complexity_ratings.py FOLDER

FOLDER is a checkout of the SAVOIAS dataset (Saraee, Jalal and Betke 2018, arXiv 1810.01771): 1,420 images of seven
categories, rated by 37,000 comparisons of pairs. Pairs were compared within a category, so ratings are too.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import numpy as np

from autocal_cli.dataset.decode import WorkingImage
from autocal_cli.dataset.listing import list_images
from autocal_cli.dataset.sampling import Values, load_reference, scored, with_overall
from autocal_cli.dataset.scan import read_measured
from autocal_cli.dataset.workers import default_workers, look_ahead

PHOTOGRAPHS = {"Interior Design": "interior_design", "Objects": "objects", "Scenes": "scenes"}
OTHERS = {"Advertisement": "ad", "Art": "art", "Suprematism": "sup", "Visualizations": "vis"}
CELL = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}c"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    print(table(parser.parse_args().folder))


def table(savoias: Path) -> str:
    """The correlations of each category, and their means over the photographs and over all."""
    rows, found = [], []
    for category, name in (PHOTOGRAPHS | OTHERS).items():
        scores, ratings = rated(
            savoias / "Images" / category, savoias / f"Ground truth/xlsx/global_ranking_{name}.xlsx"
        )
        found.append([spearman(column, ratings) for column in scores.T])
        rows.append((category, str(len(ratings)), found[-1]))
    rows.insert(len(PHOTOGRAPHS), ("**mean of the photographs**", "", np.mean(found[: len(PHOTOGRAPHS)], axis=0)))
    rows.append(("**mean of all**", "", np.mean(found, axis=0)))
    lines = ["| category | images | texture | edges | colour | together |", "|---|---|---|---|---|---|"]
    for name, count, values in rows:
        lines.append(f"| {name} | {count} | {' | '.join(f'{value:.3f}' for value in values)} |")
    return "\n".join(lines)


def rated(folder: Path, sheet: Path) -> tuple[Values, Values]:
    """Scores (n, 4), the overall complexity last, and ratings (n,): of a folder's readable images named 0, 1, ..."""
    ratings = ratings_in(sheet)
    files = [file for file in list_images([folder]).files if Path(file.path).stem.isdigit()]
    with look_ahead(read_measured, [file.path for file in files], default_workers()) as images:
        pairs = [
            (image.raw, ratings[int(Path(file.path).stem)])
            for file, image in zip(files, images, strict=True)
            if isinstance(image, WorkingImage)
        ]
    raw, of_people = zip(*pairs, strict=True)
    return with_overall(scored(np.array(raw), load_reference())), np.array(of_people)


def ratings_in(sheet: Path) -> list[float]:
    """The numbers of a workbook's one column, below its heading."""
    with ZipFile(sheet) as workbook:
        cells = ElementTree.fromstring(workbook.read("xl/worksheets/sheet1.xml")).iter(CELL)
    return [float(cell[0].text or "") for cell in list(cells)[1:]]


def spearman(one: Values, other: Values) -> float:
    """The correlation of ranks; equal values share the mean of theirs."""
    ranks = []
    for values in (one, other):
        _, place, count = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(count) - (count - 1) / 2)[place])
    return float(np.corrcoef(*ranks)[0, 1])


if __name__ == "__main__":
    main()
