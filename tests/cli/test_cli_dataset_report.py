"""`autocal analyze-dataset`: its files, its options, and a golden copy of what it prints of the demo images."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import pytest

CASE = Path(__file__).parent.parent / "cases_dataset"
DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images"


def test_the_table_of_the_demo_images_is_as_it_was_approved(autocal, monkeypatch):
    """After a wanted change: AUTOCAL_REGENERATE=1, then read the difference."""
    monkeypatch.chdir(DEMO)
    text = re.sub(
        r"^[\d.]+ s on \w+(:\d+)?",
        "SECONDS on DEVICE",
        autocal("analyze-dataset", "hr", "--crop", "224").out.decode(),
        flags=re.M,
    )
    golden = CASE / "demo_images.txt"
    if os.environ.get("AUTOCAL_REGENERATE"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text("utf-8")


def test_page_and_table_are_written_and_replaced(autocal, images, tmp_path):
    (images / "broken.png").write_bytes(b"")
    page, table = tmp_path / "report.html", tmp_path / "report.csv"
    for _ in range(2):  # over one's own files without a word
        ran = autocal("analyze-dataset", images, "--quiet", "--html", page, "--csv", table)
        assert (ran.code, ran.err) == (0, "")
    assert page.read_bytes().startswith(b"<!DOCTYPE html>")
    assert b"broken.png" in page.read_bytes()
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(Path(row["path"]).name, row["status"], row["grey"]) for row in rows] == [
        ("broken.png", "failed", ""), ("flat.png", "read", "false"), ("noise.png", "read", "false"),
        ("ramp.png", "read", "true"),
    ]  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {"hr", "report.html", "report.csv"}


@pytest.mark.parametrize("option", ["--html", "--csv"])
@pytest.mark.parametrize("content", [b"mine", b"", b"<!DOCTYPE html><p>mine", b"path,mine\n"])
def test_a_file_of_somebody_else_is_not_replaced_without_force(autocal, images, tmp_path, option, content):
    out = tmp_path / "out"
    out.write_bytes(content)
    ran = autocal("analyze-dataset", images, option, out)
    assert (ran.code, ran.out) == (2, b"")
    assert "autocal did not write it" in ran.err
    assert out.read_bytes() == content
    assert autocal("analyze-dataset", images, option, out, "--force").code == 0
    assert out.read_bytes() != content


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--html", "x", "--csv", "x"], "--html and --csv name the same file"),
        (["--html", "."], "is a folder"),
        (["--csv", "nowhere/x.csv"], "does not exist"),
        (["--all", "--images", "5"], "--all and --images cannot be used together"),
        (["--images", "0"], "--images"),
        (["--crop", "0"], "--crop"),
    ],
)
def test_wrong_use_is_said_before_anything_is_read(autocal, images, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    ran = autocal("analyze-dataset", images, *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert sorted(tmp_path.rglob("*")) == before


def test_so_many_images_are_read_and_it_is_said(autocal, images):
    ran = autocal("analyze-dataset", images, "--images", "2")
    assert "2 of 3 images read, 0 failed" in ran.out.decode()
    told = json.loads(autocal("analyze-dataset", images, "--images", "2", "--json").out)
    assert told["images"]["read"] == told["health"]["images"] == 2
    low, high = told["overall_ci95"]
    assert low < high


def test_the_crop_is_measured_against_every_image(autocal, images):
    for crop, count in ((96, 0), (97, 3)):
        told = json.loads(autocal("analyze-dataset", images, "--crop", crop, "--json").out)
        assert (told["health"]["crop"], told["health"]["below_crop"]["count"]) == (crop, count)
    assert json.loads(autocal("analyze-dataset", images, "--json").out)["health"]["below_crop"] is None


def test_json_and_table_do_not_depend_on_workers(autocal, images, tmp_path):
    (images / "copy.png").write_bytes((images / "ramp.png").read_bytes())
    seen = set()
    for workers in (1, 2, 4):
        table = tmp_path / f"{workers}.csv"
        told = json.loads(autocal("analyze-dataset", images, "--workers", workers, "--csv", table, "--json").out)
        del told["seconds"]
        seen.add((json.dumps(told), table.read_bytes()))
    assert len(seen) == 1
    assert told["health"]["exact_duplicates"]["groups"] == 1


def test_a_resolved_config_holds_none_of_it(autocal, config):
    resolved = autocal("calibrate", config).out.decode()
    assert "metric_version" in resolved
    for word in ("sha256:", "health", "blockiness", "duplicates", "histogram", "extremes"):
        assert word not in resolved.replace("text_sha256:", "")


def test_a_cache_that_cannot_be_used_is_said_and_done_without(autocal, images, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("AUTOCAL_CACHE", str(tmp_path / "file"))
    ran = autocal("analyze-dataset", images, "--json")
    assert ran.code == 0
    assert "warning cache-unusable: The cache" in ran.err
    assert "--no-cache" in ran.err
    assert "cache-unusable" not in autocal("analyze-dataset", images, "--no-cache").err


def test_no_cache_keeps_nothing(autocal, images, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOCAL_CACHE", str(tmp_path / "cache"))
    autocal("analyze-dataset", images, "--no-cache")
    assert not (tmp_path / "cache").exists()
    autocal("analyze-dataset", images)
    assert (tmp_path / "cache" / "images.sqlite").exists()
