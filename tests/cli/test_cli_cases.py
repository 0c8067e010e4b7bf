"""Golden files: tests/cases/<name>/train.yml with the resolved config and the explanation that must come of it.

After a wanted change: AUTOCAL_REGENERATE=1 pytest tests/cli/test_cli_cases.py, then read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

CASES = Path(__file__).parent.parent / "cases"
NAMES = sorted(path.name for path in CASES.iterdir())


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = CASES / request.param
    monkeypatch.chdir(folder)  # so that messages name files without a folder
    return folder


def compare(path: Path, found: bytes) -> None:
    if os.environ.get("AUTOCAL_REGENERATE"):
        path.write_bytes(found)
    assert found.decode("utf-8") == path.read_bytes().decode("utf-8")


# How a case is written where its trainer's own form is not the one to show, and what rests on nothing.
OPTIONS = {
    "adversarial": ["--write", "block"],
    "automatic": ["--write", "block"],
    "between_presets": ["--write", "block"],
    "unknown_network": ["--force"],
}


def test_what_is_written_is_as_it_was_approved(autocal, case):
    ran = autocal("calibrate", "train.yml", "--no-dataset", *OPTIONS.get(case.name, []))
    assert ran.code == 0
    compare(case / "resolved.yml", ran.out)


def test_the_explanation_is_as_it_was_approved(autocal, case):
    ran = autocal("explain", "train.yml", "--no-dataset")
    assert ran.code == 0
    compare(case / "explain.txt", ran.out + b"--- findings\n" + ran.err.encode())


def block(name: str) -> dict:
    return yaml.safe_load((CASES / name / "resolved.yml").read_text("utf-8"))["train"]["dynamic_loss_scheduling"]


def test_nano_has_the_guides_row():
    """Where nothing is unusual: its 16 images a step, its 40,000 iterations, images not measured."""
    guide = {
        "momentum": 0.85, "adaptation_rate": 0.015, "adaptation_threshold": 0.04,
        "min_weight": 1e-06, "max_weight": 5.0, "baseline_iterations": 50, "fidelity_budget": 1.0,
    }  # fmt: skip
    assert {name: block("automatic")[name] for name in guide} == guide


def test_what_is_written_by_hand_stays():
    names = ("momentum", "adaptation_rate", "max_weight", "baseline_iterations")
    assert [block("by_hand")[name] for name in names] == [0.95, 0.005, 100.0, 200]
    assert (block("override")["momentum"], block("override")["custom_param"]) == (0.8, 123)


def test_manual_mode_is_left_alone_byte_for_byte():
    folder = CASES / "manual_mode"
    assert (folder / "resolved.yml").read_bytes() == (folder / "train.yml").read_bytes()


def test_arguments_that_the_network_lacks_are_reported():
    told = (CASES / "esrgan_arguments" / "explain.txt").read_text("utf-8")
    assert "train.yml:4:3: warning network-argument-unknown" in told
    assert "Did you mean 'num_blocks'?" in told
    assert "train.yml:5:3: warning network-argument-unknown" in told
