"""Every benchmark finds what it takes from the package: one that nobody ran must not rot."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_it_can_be_imported(path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    try:
        runpy.run_path(str(path))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("autocal_cli"):
            raise
        pytest.skip(f"needs {error.name}")
