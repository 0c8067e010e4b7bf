"""Logs of real trainings, most of which were made to go wrong on purpose; see tests/cases_diagnose/README.md.

Each case holds the trainer's own log, `case.toml` (what was done to the run, what must be said of it, and why that is
right), and `verdict.txt`, the ten lines and the findings. `python tests/diagnose/test_diagnose_cases.py` renews those.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from autocal_cli.diagnose.model import Diagnosis, Track
from autocal_cli.diagnose.verdict import diagnose
from autocal_cli.report.diagnose import verdict_texts
from autocal_cli.workflow.diagnose import diagnose_run, read_run

FOLDER = Path(__file__).resolve().parents[1] / "cases_diagnose"
CASES = sorted(path.parent for path in FOLDER.glob("*/case.toml"))
LATER = 4_000_000_000.0  # a time at which no run of these is still going


def case_of(folder: Path) -> dict:
    return tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))


def verdict(found: Diagnosis) -> str:
    findings = [
        f"{one.severity:<8} {one.code:<24} {one.iteration} {one.loss}\n         {one.evidence}\n         {one.next}\n"
        for one in found.findings
    ]
    return "\n".join(verdict_texts(found).values()) + "\n\n" + "".join(findings)


def test_there_are_as_many_as_were_asked_for():
    assert len(CASES) >= 12


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_the_verdict_is_the_one_that_is_right(folder):
    expected, found = case_of(folder), diagnose_run(folder, LATER)
    wrong = {one.code: one.iteration for one in found.findings if one.severity != "info"}
    assert found.health == expected["health"]
    assert set(wrong) == set(expected["wrong"])
    for code, (low, high) in expected["wrong"].items():
        assert low <= (wrong[code] or 0) <= high, code
    if "keep" in expected:
        assert (found.keep.checkpoint.iteration if found.keep else 0) == expected["keep"]


@pytest.mark.parametrize(
    "folder", [case for case in CASES if not case_of(case)["wrong"]], ids=lambda folder: folder.name
)
def test_a_healthy_run_gives_no_alarm_at_any_time_of_it(folder):
    """As `--follow` sees it, from the fifth line on: the log cut off at every third line, still going."""
    log = read_run(folder, 0.0)
    for end in range(log.first + 5 * log.interval, log.last + 1, 3 * log.interval):
        part = replace(
            log,
            tracks={label: _until(track, end) for label, track in log.tracks.items()},
            validations=tuple(one for one in log.validations if one.iteration <= end),
            sessions=tuple(replace(one, ending="unsaid") for one in log.sessions),
            rows=sum(at <= end for at in next(iter(log.tracks.values())).iterations),
        )
        assert [one.code for one in diagnose(part).findings if one.severity != "info"] == [], end


def _until(track: Track, end: int) -> Track:
    count = sum(at <= end for at in track.iterations)
    return Track(track.label, track.iterations[:count], track.values[:count])


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_the_ten_lines_are_the_golden_ones(folder):
    assert verdict(diagnose_run(folder, LATER)) == (folder / "verdict.txt").read_text(encoding="utf-8")


if __name__ == "__main__":
    for case in CASES:
        (case / "verdict.txt").write_text(verdict(diagnose_run(case, LATER)), encoding="utf-8", newline="\n")
