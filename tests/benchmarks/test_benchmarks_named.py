"""The docs promise a command for every number: the scripts that they name are there, with the options named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "RESULTS.md"]
DOCS += sorted((ROOT / "docs").glob("*.md")) + sorted((ROOT / "presets").rglob("*.toml"))
NAMED = re.compile(r"benchmarks/(\w+\.py)([^`\n]*)")


def commands() -> list[tuple[str, str, str]]:
    """(document, script, the rest of the line) of everything that is named."""
    return [(path.name, *found) for path in DOCS for found in NAMED.findall(path.read_text("utf-8"))]


def test_every_script_that_is_named_is_there():
    assert len(commands()) > 20
    assert {name for _, name, _ in commands() if not (ROOT / "benchmarks" / name).exists()} == set()


@pytest.mark.parametrize("script", ["controller.py", "on_gpu.py"])
def test_the_options_that_are_named_are_there(script):
    options = {option for _, name, rest in commands() if name == script for option in re.findall(r"--[a-z-]+", rest)}
    source = (ROOT / "benchmarks" / script).read_text("utf-8")
    assert {option for option in options if f'"{option}"' not in source} == set()
