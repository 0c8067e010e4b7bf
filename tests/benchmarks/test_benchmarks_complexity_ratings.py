"""benchmarks/complexity_ratings.py: images and ratings find each other; ranks with ties are those of scipy."""

from __future__ import annotations

from zipfile import ZipFile

import numpy as np
import pytest
from complexity_ratings import OTHERS, PHOTOGRAPHS, spearman, table
from PIL import Image
from scipy import stats

SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}</worksheet>'


def test_the_busier_image_of_the_higher_rating_correlates(tmp_path):
    """Twelve images, so that 10.png sorts before 2.png; the last was never delivered."""
    rng = np.random.default_rng(0)
    (tmp_path / "Ground truth" / "xlsx").mkdir(parents=True)
    for number, (category, name) in enumerate((PHOTOGRAPHS | OTHERS).items()):
        (tmp_path / "Images" / category).mkdir(parents=True)
        for index in range(11):
            noise = rng.integers(0, 20 * (index + 1), (64, 64, 3)).astype(np.uint8)
            Image.fromarray(noise).save(tmp_path / "Images" / category / f"{index}.png")
        ratings = range(11, -1, -1) if number == 0 else range(12)
        cells = "".join(f"<c><v>{value}</v></c>" for value in (0, *ratings))
        with ZipFile(tmp_path / "Ground truth" / "xlsx" / f"global_ranking_{name}.xlsx", "w") as workbook:
            workbook.writestr("xl/worksheets/sheet1.xml", SHEET.format(cells))
    rows = [line.split(" | ") for line in table(tmp_path).splitlines()[2:]]
    together = [float(row[-1].rstrip(" |")) for row in rows]
    assert [row[1] for row in rows] == ["11", "11", "11", "", "11", "11", "11", "11", ""]
    assert together[0] == pytest.approx(-together[1], abs=0.02)
    assert min(together[1:3] + together[4:8]) > 0.95
    assert together[3] == pytest.approx(np.mean(together[:3]), abs=1e-3)


def test_equal_values_share_their_rank():
    one, other = np.array([3.0, 1.0, 1.0, 7.0, 2.0]), np.array([5.0, 5.0, 0.0, 9.0, 5.0])
    assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
