"""The scan as a whole: the same answer however it is run, every file accounted for, no more read than needed."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autocal_cli.dataset.model import METRIC_VERSION, DatasetFingerprint
from autocal_cli.dataset.scan import ScanProgress, scan
from autocal_cli.errors import AutocalError

DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images" / "hr"
SHAPES = [(40, 60), (60, 40), (64, 64)]


def without_seconds(fingerprint: DatasetFingerprint) -> DatasetFingerprint:
    return replace(fingerprint, seconds=0.0)


def plant(folder: Path, count: int) -> Path:
    """So many small pictures of three shapes, each a few random blocks of its own contrast."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        height, width = SHAPES[number % 3]
        blocks = rng.integers(0, 40 + 200 * (number % 2), (height // 4, width // 4, 3))
        Image.fromarray(blocks.repeat(4, 0).repeat(4, 1).astype(np.uint8)).save(folder / f"{number:04}.png")
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    folder = plant(tmp_path_factory.mktemp("many") / "hr", 400)
    (folder / "0003.png").write_bytes(b"")
    (folder / "0200.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    (folder / ".hidden").write_text("x", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def everything(many) -> DatasetFingerprint:
    return scan([many], device="cpu", tolerance=None, workers=1)


@pytest.mark.parametrize(("workers", "batch_size"), [(2, 16), (4, 1), (4, 5), (1, 64)])
@pytest.mark.parametrize("tolerance", [None, 0.03])
def test_workers_and_batches_change_nothing(many, everything, workers, batch_size, tolerance):
    expected = everything if tolerance is None else scan([many], device="cpu", tolerance=tolerance, workers=1)
    again = scan([many], device="cpu", tolerance=tolerance, workers=workers, batch_size=batch_size)
    assert without_seconds(again) == without_seconds(expected)


def test_every_file_is_accounted_for(many, everything):
    assert (everything.found, everything.read) == (400, 398)
    assert everything.skipped == {"hidden file": 1, "not an image (.txt)": 1}
    assert [(Path(issue.path).name, issue.reason) for issue in everything.failures] == [
        ("0003.png", "empty file (0 bytes)"),
        ("0200.png", "cannot be identified as an image"),
    ]
    assert everything.roots == (str(many),)
    assert everything.metric_version == METRIC_VERSION
    assert everything.device == "cpu"
    assert everything.seconds > 0
    assert all(metric.ci95 == (metric.score, metric.score) for metric in everything.metrics.values())


def test_a_sample_reads_less_and_its_intervals_hold_the_truth(many, everything):
    for seed in range(3):
        sample = scan([many], device="cpu", seed=seed, tolerance=0.04)
        assert 128 <= sample.read < 400
        assert sample.found == 400
        for name, metric in sample.metrics.items():
            low, high = metric.ci95
            assert low - 0.02 <= everything.metrics[name].score <= high + 0.02
            assert 0 < high - low <= 0.08
        assert sample.identity == everything.identity


def test_alike_images_need_few(tmp_path):
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (32, 32, 3)).astype(np.uint8)).save(tmp_path / "0.bmp")
    content = (tmp_path / "0.bmp").read_bytes()
    for number in range(1, 1000):
        (tmp_path / f"{number}.bmp").write_bytes(content)
    fingerprint = scan([tmp_path], device="cpu")
    assert (fingerprint.found, fingerprint.read) == (1000, 128)


def test_progress_tells_of_each_file(many):
    seen: list[ScanProgress] = []
    scan([many], device="cpu", tolerance=None, on_progress=seen.append)
    assert [progress.done for progress in seen] == list(range(1, 401))
    last = seen[-1]
    assert (last.done, last.failed, last.found, last.half_width) == (400, 2, 400, 0.0)
    assert seen[0].half_width is None
    assert 0 < seen[200].half_width < 0.1
    assert {progress.expected for progress in seen} == {400}


def test_progress_tells_how_many_a_sample_will_be(tmp_path):
    for number in range(900):
        Image.new("RGB", (16, 16), (number % 256,) * 3).save(tmp_path / f"{number}.bmp")
    seen: list[ScanProgress] = []
    scan([tmp_path], device="cpu", on_progress=seen.append)
    assert seen[0].expected > 400  # what scores spread evenly would need
    assert [one.expected for one in seen[128:]] == [128] * len(seen[128:])
    assert (seen[-1].done, seen[-1].found) == (128, 900)


def test_progress_tells_of_the_listing_first(tmp_path):
    plant(tmp_path, 1)
    for number in range(1_200):
        (tmp_path / f"x{number}.png").touch()
    seen: list[ScanProgress] = []
    scan([tmp_path], device="cpu", tolerance=None, on_progress=seen.append)
    assert [(progress.listing, progress.found) for progress in seen[:2]] == [(True, 1000), (False, 1201)]


def test_interrupt_stops_the_scan(many):
    def interrupt(progress: ScanProgress) -> None:
        if progress.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan([many], device="cpu", on_progress=interrupt)


def test_pixel_limit_is_passed_on(tmp_path):
    plant(tmp_path / "hr", 3)
    fingerprint = scan([tmp_path / "hr"], device="cpu", max_pixels=40 * 60)
    assert (fingerprint.read, len(fingerprint.failures)) == (2, 1)


def test_complaints_about_metadata_are_kept_quiet(tmp_path):
    plant(tmp_path, 1)
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert scan([tmp_path], device="cpu").read == 2
    assert seen == []


def test_nothing_readable_is_an_error_that_names_reasons(tmp_path):
    for name in "abcd":
        (tmp_path / f"{name}.png").write_bytes(b"")
    with pytest.raises(AutocalError) as caught:
        scan([tmp_path], device="cpu")
    message = str(caught.value)
    assert message.startswith("none of the 4 image files can be read (")
    assert message.count("empty file (0 bytes)") == 3
    assert "\n" not in message


def test_folder_with_broken_links_only_is_an_error(tmp_path):
    try:
        (tmp_path / "a.png").symlink_to("nowhere.png")
    except OSError:
        pytest.skip("no links here")
    with pytest.raises(AutocalError, match="broken link"):
        scan([tmp_path], device="cpu")


def test_the_dataset_is_left_as_it_was(many):
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(many.rglob("*"))}
    scan([many], device="cpu", tolerance=None)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(many.rglob("*"))} == before


def test_record_can_be_written_as_utf8(tmp_path):
    plant(tmp_path, 1)
    try:
        (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"")
    except (OSError, UnicodeError):
        pytest.skip("this system refuses such names")
    issue = scan([tmp_path], device="cpu").failures[0]
    assert issue.path.encode("utf-8").endswith(rb"\xff.png")


def test_demo_images_are_pinned():
    fingerprint = scan([DEMO], device="cpu")
    assert (fingerprint.found, fingerprint.read) == (12, 12)
    raw = [metric.raw_mean for metric in fingerprint.metrics.values()]
    assert raw == pytest.approx([0.47116, 0.15537, 136.42], rel=1e-3)


@pytest.mark.corpus
def test_kodak_photographs_are_ordinary(corpus):
    fingerprint = scan([corpus / "data" / "kodak"], device="cpu")
    assert fingerprint.read == 8
    assert 0.35 < fingerprint.overall_complexity < 0.65
