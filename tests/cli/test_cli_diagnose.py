"""`autocal diagnose` as a person starts it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

CASES = Path(__file__).resolve().parents[1] / "cases_diagnose"
KEYS = {"format_version", "run", "findings", "health", "checkpoints", "keep"}
FINDING = {"code", "severity", "iteration", "loss", "evidence", "next", "source"}


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
    assert all(set(finding) == FINDING and finding["source"] for finding in data["findings"])
    assert (data["health"], data["findings"][0]["code"]) == ("discriminator-blind", "discriminator-blind")
    assert data["run"]["last"] == data["run"]["total_iter"] == 700


def test_two_runs_side_by_side(autocal, old_log, tmp_path):
    a, b = old_log("b_gan_right"), old_log("b_gan_x100")
    out = autocal("diagnose", a, "--compare", b).out.decode()
    assert out.splitlines()[0].split() == ["b_gan_right", "b_gan_x100"]
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


def test_of_a_run_that_is_followed_only_what_is_new_is_shown(autocal, old_log, monkeypatch):
    """What only has other numbers is not, unless by a validation; at the end stands the whole verdict."""
    (path,) = old_log("b_rate_x30").glob("*.log")
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    looks = [f"iter:{last:8,d}".encode() for last in (620, 640, 740)]
    ends = [next(i for i, line in enumerate(lines) if look in line) + 1 for look in looks]
    parts = [*(b"".join(lines[:end]) for end in ends), whole]

    def write(_seconds: float = 0.0) -> None:
        path.write_bytes(parts.pop(0))
        os.utime(path, (1e9, 1e9))

    write()
    monkeypatch.setattr("time.time", lambda: 1e9 + 5.0)
    monkeypatch.setattr("time.sleep", write)
    shown = autocal("diagnose", path, "--follow").out.decode().split("\n\n")
    heads = [look.partition("iteration ")[2].partition("\n")[0] for look in shown]
    assert heads == ["620", "740", "1,000"]
    topics = [[line.partition(":")[0][2:] for line in look.splitlines()[1:]] for look in shown]
    assert topics[0] == ["run", "fidelity", "losses", "rate", "time", "progress", "checkpoint", "next"]
    assert topics[1] == ["fidelity", "rate", "progress"]
    assert {"run", "time"} <= set(topics[2])


def test_what_is_no_run_is_refused_in_one_line(autocal, tmp_path):
    result = autocal("diagnose", tmp_path)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("code", ["non-finite", "discriminator-blind", "slow-loader"])
def test_a_code_is_explained(autocal, code):
    result = autocal("explain", code)
    assert result.code == 0
    assert result.out.decode().startswith(code)
