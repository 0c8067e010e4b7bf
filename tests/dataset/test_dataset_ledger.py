"""What a scan notes beside its fingerprint: the same whatever its workers and batches, and right where it is known."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autocal_cli.dataset.health import BINS, EXAMPLES, EXTREMES, Ledger
from autocal_cli.dataset.model import METRIC_NAMES, OVERALL, DatasetReport
from autocal_cli.dataset.scan import scan


def report_of(folder: Path, crop: int | None = None, **options) -> DatasetReport:
    ledger = Ledger()
    return ledger.report(scan([folder], device="cpu", on_measured=ledger.take, **options), crop)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """150 pictures of two shapes, some grey, some copies, one broken."""
    folder = tmp_path_factory.mktemp("ledger")
    for number in range(150):
        rng = np.random.default_rng(number)
        blocks = rng.integers(0, 30 + number, (10 + number % 2 * 4, 12, 1 if number % 10 == 0 else 3))
        pixels = np.broadcast_to(blocks, (*blocks.shape[:2], 3)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    for number in (7, 8):
        (folder / f"copy{number}.png").write_bytes((folder / f"{number:03}.png").read_bytes())
    (folder / "broken.png").write_bytes(b"\x89PNG")
    return folder


@pytest.fixture(scope="module")
def report(folder) -> DatasetReport:
    return report_of(folder, crop=48, tolerance=None, workers=1)


def test_every_image_read_has_a_row_in_order(report):
    paths = [row.facts.path for row in report.rows]
    assert len(paths) == report.fingerprint.read == report.health.images == 152
    assert paths == sorted(paths)


@pytest.mark.parametrize(("workers", "batch_size"), [(2, 16), (4, 1), (3, 7)])
def test_workers_and_batches_change_nothing(folder, report, workers, batch_size):
    again = report_of(folder, crop=48, tolerance=None, workers=workers, batch_size=batch_size)
    for field in ("health", "curation", "histograms", "extremes", "rows"):
        assert getattr(again, field) == getattr(report, field)


def test_health_is_what_was_planted(report):
    health = report.health
    assert (health.smallest.width, health.smallest.height) == (48, 40)
    assert (health.largest.width, health.largest.height) == (48, 56)
    small = report.curation.by_reason()["small"]["drop"]
    assert small.count == sum(row.height < 48 for row in report.rows) > 0
    grey = report.curation.by_reason()["grey"]["look"]
    assert [Path(path).name for path in grey.paths] == [f"{number:03}.png" for number in range(0, 150, 10)]
    groups = [[Path(path).name for path in group.paths] for group in health.exact_duplicates.groups]
    assert groups == [["007.png", "copy7.png"], ["008.png", "copy8.png"]]
    assert report.curation.reasons[report.fingerprint.failures[0].path][0].code == "unreadable"
    assert report.curation.images == 153


def test_rows_agree_with_the_fingerprint(report):
    for i, name in enumerate(METRIC_NAMES):
        assert np.mean([row.scores[i] for row in report.rows]) == pytest.approx(report.fingerprint.metrics[name].score)
        assert np.mean([row.raw[i] for row in report.rows]) == pytest.approx(report.fingerprint.metrics[name].raw_mean)
    assert np.mean([row.overall for row in report.rows]) == pytest.approx(report.fingerprint.overall_complexity)


def test_extremes_are_the_ends_of_the_sorted_rows(report):
    for i, name in enumerate(METRIC_NAMES):
        up = sorted(report.rows, key=lambda row: (row.raw[i], row.facts.path))
        down = sorted(report.rows, key=lambda row: (-row.raw[i], row.facts.path))
        extremes = report.extremes[name]
        assert [one.path for one in extremes.lowest] == [row.facts.path for row in up[:EXTREMES]]
        assert [one.path for one in extremes.highest] == [row.facts.path for row in down[:EXTREMES]]
    assert Image.open(io.BytesIO(report.extremes[OVERALL].lowest[0].jpeg)).size == (48, 40)


def test_histograms_count_every_image(report):
    assert set(report.histograms) == {*METRIC_NAMES, OVERALL}
    assert all(len(counts) == BINS and sum(counts) == 152 for counts in report.histograms.values())


@pytest.mark.parametrize(("images", "read"), [(1, 1), (63, 63), (64, 64), (100, 100), (152, 152), (9999, 152)])
def test_so_many_images_are_read_and_no_more(folder, images, read):
    for workers in (1, 4):
        report = report_of(folder, tolerance=None, images=images, workers=workers)
        assert report.fingerprint.read == report.health.images == read
        assert report.fingerprint.found == 153
    low, high = report.fingerprint.overall_ci95
    assert (high > low) == (read < 152)


def test_the_first_images_of_a_seed_are_always_the_same(folder):
    few, more = (report_of(folder, tolerance=None, images=count, seed=3) for count in (10, 40))
    assert {row.facts.path for row in few.rows} < {row.facts.path for row in more.rows}


def test_pictures_of_each_reason_are_made_when_asked_for(folder, report):
    assert report.examples == {}
    ledger = Ledger()
    found = ledger.report(scan([folder], device="cpu", tolerance=None, on_measured=ledger.take), 48, pictures=True)
    assert set(found.examples) == set(found.curation.by_reason())
    assert found.examples["unreadable"] == ()
    for code, several in found.examples.items():
        assert len(several) <= EXAMPLES
        for one in several:
            assert code in {reason.code for reason in found.curation.reasons[one.path]}
            assert max(Image.open(io.BytesIO(one.jpeg)).size) <= 260
