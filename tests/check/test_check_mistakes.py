"""Mistakes that people make, put one at a time into a config that is right: each must be found, at its line.

The table, `mistakes/mistakes.toml`, was written before any of the rules.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from autocal_cli.errors import Finding
from autocal_cli.workflow.check_files import CheckOptions, check_files
from autocal_cli.workflow.find_configs import Candidate

FOLDER = Path(__file__).parent / "mistakes"
MISTAKES: list[dict[str, Any]] = tomllib.loads((FOLDER / "mistakes.toml").read_text(encoding="utf-8"))["mistake"]
SHARE_FOUND = 0.95  # issue 16


class Text(Candidate):
    """A candidate whose bytes are at hand."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(path, named=True)
        object.__setattr__(self, "text", text)

    def read(self) -> bytes:
        return self.text.encode()  # type: ignore[attr-defined,no-any-return]


def _images(folder: Path, side: int, count: int = 3, first: int = 0) -> None:
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        image = Image.effect_noise((side, side), 40 + number).convert("RGB")
        image.save(folder / f"{number:03}.png")
