"""Processes that read images: the answers of threads, and an end whatever happens."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autocal_cli.dataset import scan as measure
from autocal_cli.dataset import workers
from autocal_cli.dataset.health import Ledger
from autocal_cli.dataset.pairs import Paired
from autocal_cli.dataset.workers import in_processes, look_ahead
from autocal_cli.errors import AutocalError

needs_process_groups = pytest.mark.skipif(sys.platform == "win32", reason="no process groups")


@pytest.fixture
def folder(tmp_path):
    noise = np.random.default_rng(0)
    for name in ("hr", "lr"):
        (tmp_path / name).mkdir()
    for number in range(60):
        pixels = noise.integers(0, 2 + 4 * number, (24, 32, 3)).astype(np.uint8)
        image = Image.fromarray(pixels).resize((64 + number, 48))
        image.save(tmp_path / "hr" / f"{number:03}.{('png', 'jpg', 'webp')[number % 3]}")
        image.reduce(2).save(tmp_path / "lr" / f"{number:03}.png")
    Image.new("RGB", (400, 300), "red").save(tmp_path / "hr" / "large.png")
    (tmp_path / "hr" / "broken.png").write_bytes(b"\x89PNG")
    (tmp_path / "hr" / "damaged.jpg").write_bytes((tmp_path / "hr" / "001.jpg").read_bytes()[:400])
    return tmp_path / "hr"


@pytest.fixture
def started(monkeypatch):
    """The processes that are started, for any number of images."""
    processes, start = [], workers._start
    monkeypatch.setattr(measure, "MANY_IMAGES", 1)
    monkeypatch.setattr(workers, "_start", lambda: processes.append(process := start()) or process)
    return processes


def report_of(folder, count, **options):
    ledger = Ledger()
    fingerprint = measure.scan([folder], device="cpu", workers=count, on_measured=ledger.take, **options)
    report = ledger.report(fingerprint)
    return measure.replace(report, fingerprint=measure.replace(fingerprint, seconds=0.0))


@pytest.mark.parametrize(
    "options",
    [
        {"tolerance": None},
        {"tolerance": None, "images": 20},
        {"tolerance": None, "crops": measure.TrainingCrops(100, 32)},
        {"tolerance": None, "max_pixels": 4000},
    ],
    ids=["all", "some", "crops", "refused"],
)
def test_they_answer_as_threads_do(folder, started, monkeypatch, options):
    monkeypatch.setattr(measure, "LARGE_PIXELS", 10_000)  # of which one is left to this process
    alone = report_of(folder, 1, **options)
    assert started == []
    assert report_of(folder, 2, **options) == alone
    assert 1 <= len(started) <= 2
    assert all(process.returncode is not None for process in started)


def test_they_answer_as_threads_do_on_pairs(folder, started):
    (folder.parent / "lr" / "004.png").write_bytes(b"x")
    paired = Paired((folder.parent / "lr",), scale=2)
    assert report_of(folder, 2, tolerance=None, paired=paired) == report_of(folder, 1, tolerance=None, paired=paired)
    assert started


def test_what_the_cache_knows_starts_none(folder, started, tmp_path):
    first = report_of(folder, 2, tolerance=None, cache_folder=tmp_path / "cache")
    for name in ("broken.png", "damaged.jpg"):
        (folder / name).unlink()
    before = len(started)
    assert len(report_of(folder, 2, tolerance=None, cache_folder=tmp_path / "cache").rows) == len(first.rows)
    assert len(started) == before > 0


def test_few_images_a_gentle_scan_and_one_worker_start_none(folder, started, monkeypatch):
    report_of(folder, 2, tolerance=None, gentle=True)
    report_of(folder, 1, tolerance=None)
    monkeypatch.setattr(measure, "MANY_IMAGES", 1000)
    report_of(folder, 2, tolerance=None)
    assert started == []


def test_results_come_in_order():
    with in_processes(math.factorial) as factorial, look_ahead(factorial, range(50), 3) as results:
        assert list(results) == [math.factorial(number) for number in range(50)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_exception_ends_them_at_once(error, started):
    def consume() -> None:
        with in_processes(time.sleep) as sleep, look_ahead(sleep, [0, 600, 600, 600], 2) as results:
            next(results)
            raise error

    with pytest.raises(error):
        consume()
    assert all(process.returncode is not None for process in started)


@pytest.mark.parametrize("function", [os._exit, math.sqrt], ids=["it dies", "it fails"])
def test_one_that_ends_is_told(function):
    with in_processes(function) as call, pytest.raises(AutocalError, match=r"exit code [13]"):
        call(3 if function is os._exit else -1)


def test_what_is_printed_while_python_starts_is_no_answer(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("print('hello', end='')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with in_processes(math.sqrt) as call:
        assert call(4) == 2


def test_one_that_cannot_be_started_is_told(monkeypatch):
    monkeypatch.setattr(sys, "executable", str(Path(__file__).with_name("none")))
    with in_processes(math.sqrt) as call, pytest.raises(AutocalError, match=r"cannot be started .*none"):
        call(4)


@needs_process_groups
def test_ctrl_c_is_not_for_them():
    with in_processes(os.getpgid) as group:
        assert group(0) != os.getpgid(0)


@needs_process_groups
def test_they_end_with_a_process_that_is_killed():
    script = (
        "import os, time\n"
        "from autocal_cli.dataset.workers import in_processes\n"
        "with in_processes(os.getpgid) as group:\n"
        "    print(group(0), flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
    for _ in range(600):
        if is_gone(child):
            return
        time.sleep(0.05)
    pytest.fail("it lives on")


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False
