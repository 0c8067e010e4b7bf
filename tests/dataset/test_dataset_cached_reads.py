"""Scans through the cache: the same answer without decoding, never a stale one, and a scan that goes on."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autocal_cli.dataset import scan as measure
from autocal_cli.dataset.cache import from_text, to_text
from autocal_cli.dataset.decode import Wanted, read_image
from autocal_cli.dataset.health import Ledger
from autocal_cli.dataset.pairs import Paired
from autocal_cli.dataset.scan import read_measured, scan


@pytest.fixture
def folder(tmp_path):
    folder, noise = tmp_path / "hr", np.random.default_rng(0)
    folder.mkdir()
    for number in range(80):
        pixels = noise.integers(0, 2 + 3 * number, (24, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG")
    return folder


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded."""
    names = []

    def read(source, *options):
        names.append(source.name)
        return read_image(source, *options)

    monkeypatch.setattr(measure, "read_image", read)
    return names


def survey(folder, cache, **options):
    ledger = Ledger()
    fingerprint = scan([folder], tolerance=None, on_measured=ledger.take, cache_folder=cache, device="cpu", **options)
    report = ledger.report(fingerprint)
    return replace(report, fingerprint=replace(fingerprint, seconds=0.0))


def test_a_second_scan_decodes_nothing_and_tells_the_same(folder, tmp_path, decoded):
    anew = survey(folder, None)
    assert len(decoded) == 81
    first = survey(folder, tmp_path / "cache")
    decoded.clear()
    second = survey(folder, tmp_path / "cache")
    assert decoded == ["broken.png"]  # what failed is tried again
    assert anew == first == second


def test_one_file_that_changed_changes_the_answer(folder, tmp_path, decoded):
    before = survey(folder, tmp_path / "cache")
    decoded.clear()
    Image.fromarray(np.full((24, 32, 3), 255, np.uint8)).save(folder / "079.png")
    after = survey(folder, tmp_path / "cache")
    assert sorted(decoded) == ["079.png", "broken.png"]
    assert after.fingerprint.metrics != before.fingerprint.metrics
    assert after == survey(folder, None)


def test_a_file_of_the_same_size_with_another_time_is_read_again(folder, tmp_path, decoded):
    survey(folder, tmp_path / "cache")
    decoded.clear()
    status = (folder / "000.png").stat()
    os.utime(folder / "000.png", ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
    survey(folder, tmp_path / "cache")
    assert sorted(decoded) == ["000.png", "broken.png"]


def test_an_interrupted_scan_goes_on_where_it_was(folder, tmp_path, decoded):
    def interrupt(progress):
        if progress.done >= 70:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey(folder, tmp_path / "cache", on_progress=interrupt, workers=1)
    done = len(decoded)
    decoded.clear()
    whole = survey(folder, tmp_path / "cache", workers=1)
    assert done >= 64
    assert len(decoded) <= 81 - 64
    assert whole == survey(folder, None)


def test_an_image_over_the_limit_of_pixels_is_refused_although_it_is_known(folder, tmp_path):
    assert survey(folder, tmp_path / "cache").fingerprint.read == 80
    Image.fromarray(np.zeros((60, 60, 3), np.uint8)).save(folder / "large.png")
    assert survey(folder, tmp_path / "cache").fingerprint.read == 81
    refused = survey(folder, tmp_path / "cache", max_pixels=1000)
    assert [Path(issue.path).name for issue in refused.fingerprint.failures] == ["broken.png", "large.png"]


def test_with_and_without_facts_are_kept_apart(folder, tmp_path, decoded):
    scan([folder], tolerance=None, cache_folder=tmp_path / "cache", device="cpu")
    decoded.clear()
    report = survey(folder, tmp_path / "cache")
    assert len(decoded) == 81
    assert len(report.rows) == 80


def test_another_crop_is_measured_anew_and_both_are_kept(folder, tmp_path, decoded):
    small, large = survey(folder, tmp_path / "cache", native_crop=8), survey(folder, tmp_path / "cache", native_crop=16)
    assert len(decoded) == 2 * 81
    decoded.clear()
    assert survey(folder, tmp_path / "cache", native_crop=8) == small
    assert survey(folder, tmp_path / "cache", native_crop=16) == large
    assert set(decoded) == {"broken.png"}
    assert small.sharpness.mean != large.sharpness.mean


def test_what_is_kept_comes_back_to_the_bit(folder):
    image = read_measured(folder / "050.png", Wanted(facts=True))
    again = from_text(to_text(image))
    assert (again.raw, again.facts, again.width, again.path) == (image.raw, image.facts, image.width, image.path)
    assert json.loads(to_text(again)) == json.loads(to_text(image))


def test_a_pair_is_known_while_both_of_its_images_are_the_same(folder, tmp_path, decoded):
    lq, cache = tmp_path / "lq", tmp_path / "cache"
    lq.mkdir()
    for number in range(80):
        Image.open(folder / f"{number:03}.png").resize((16, 12)).save(lq / f"{number:03}.png")
    first = survey(folder, cache, paired=Paired((lq,)))
    assert first.rows[79].facts.pair.fits
    decoded.clear()
    assert survey(folder, cache, paired=Paired((lq,))) == first
    assert decoded == ["broken.png"]
    Image.new("RGB", (16, 11)).save(lq / "079.png")
    assert not survey(folder, cache, paired=Paired((lq,))).rows[79].facts.pair.fits
    assert survey(folder, cache).rows[79].facts.pair is None


def test_what_is_damaged_in_the_cache_is_read_anew(folder, tmp_path, decoded):
    first = survey(folder, tmp_path / "cache")
    with sqlite3.connect(tmp_path / "cache" / "images.sqlite") as database:
        database.execute("update images set facts = substr(facts, 1, 20)")
    decoded.clear()
    assert survey(folder, tmp_path / "cache") == first
    assert len(decoded) == 81


def test_why_an_lq_image_was_not_read_is_asked_again(folder, tmp_path):
    """A limit, rights or memory may be others next time, and change nothing by which the image is known."""
    lq, cache = tmp_path / "lq", tmp_path / "cache"
    lq.mkdir()
    Image.open(folder / "079.png").resize((48, 36)).save(lq / "079.png")
    refused = survey(folder, cache, paired=Paired((lq,)), max_pixels=1000).rows[79].facts.pair
    assert refused.problem
    assert not survey(folder, cache, paired=Paired((lq,))).rows[79].facts.pair.problem
