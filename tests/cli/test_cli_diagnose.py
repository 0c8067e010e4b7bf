"""`autocal diagnose` as a person starts it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

CASES = Path(__file__).resolve().parents[1] / "cases_diagnose"
KEYS = {"format_version", "run", "findings", "health", "checkpoints", "keep"}
FINDING = {"code", "severity", "iteration", "loss", "evidence", "next"}


@pytest.fixture
def old_log(tmp_path):
    """A case's log as it lies in an experiment's folder, long silent."""

    def place(name: str) -> Path:
        folder = tmp_path / "experiments" / name
        folder.mkdir(parents=True)
        for log in (CASES / name).glob("*.log"):
            (folder / log.name).write_bytes(log.read_bytes())
            os.utime(folder / log.name, (1e9, 1e9))
        return folder

    return place


@pytest.mark.parametrize(
    ("name", "code"), [("b_gan_right", 0), ("b_gan_x100", 0), ("b_nan", 1), ("b_psnr", 0), ("b_rate_x30", 0)]
)
def test_the_exit_code_is_that_of_the_gravest_finding(autocal, old_log, name, code):
    result = autocal("diagnose", old_log(name))
    assert result.code == code
    assert 6 <= len([line for line in result.out.decode().splitlines() if not line.startswith(" ")]) <= 10


def test_json_is_what_the_design_says(autocal, old_log):
    data = json.loads(autocal("diagnose", old_log("b_gan_x100"), "--json").out)
    assert set(data) == KEYS
    assert all(set(finding) == FINDING for finding in data["findings"])
    assert (data["health"], data["findings"][0]["code"]) == ("discriminator-blind", "discriminator-blind")
    assert data["run"]["last"] == data["run"]["total_iter"] == 700


def test_two_runs_side_by_side(autocal, old_log, tmp_path):
    a, b = old_log("b_gan_right"), old_log("b_gan_x100")
    out = autocal("diagnose", a, "--compare", b).out.decode()
    assert "healthy" in out
    assert "discriminator-blind" in out
    both = json.loads(autocal("diagnose", a, "--compare", b, "--json").out)
    assert (both["a"]["health"], both["b"]["health"]) == ("healthy", "discriminator-blind")
    page = tmp_path / "both.html"
    autocal("diagnose", a, "--compare", b, "--html", page)
    assert page.read_text(encoding="utf-8").count('class="run"') == 2


def test_a_page_is_written_over_its_own_and_over_nothing_else(autocal, old_log, tmp_path):
    folder, page = old_log("b_psnr"), tmp_path / "x.html"
    assert autocal("diagnose", folder, "--html", page).code == 0
    assert autocal("diagnose", folder, "--html", page).code == 0
    page.write_text("mine", encoding="utf-8")
    assert autocal("diagnose", folder, "--html", page).code == 2
    assert page.read_text(encoding="utf-8") == "mine"


def test_following_ends_with_the_run(autocal, old_log):
    result = autocal("diagnose", old_log("b_psnr"), "--follow")
    assert result.code == 0
    assert len(result.out.decode().splitlines()) <= 11


def test_of_a_run_that_is_followed_each_line_is_shown_once(autocal, old_log, monkeypatch):
    (path,) = old_log("b_psnr").glob("*.log")
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-12]))
    monkeypatch.setattr("time.sleep", lambda _: path.write_bytes(whole))
    shown = autocal("diagnose", path, "--follow").out.decode().splitlines()
    assert len(shown) == len(set(shown)) > 10
    heads = [line.partition(", ")[2] for line in shown if "iteration " in line[:20]]
    assert heads == ["iteration 1,980", "iteration 2,000"]
    assert shown.count("") == 1


def test_what_is_no_run_is_refused_in_one_line(autocal, tmp_path):
    result = autocal("diagnose", tmp_path)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("code", ["non-finite", "discriminator-blind", "slow-loader"])
def test_a_code_is_explained(autocal, code):
    result = autocal("explain", code)
    assert result.code == 0
    assert result.out.decode().startswith(code)
