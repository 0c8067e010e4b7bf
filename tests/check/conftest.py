"""Checks a text as a file would be, without writing one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from autocal_cli.errors import Finding
from autocal_cli.workflow.check import Candidate, CheckOptions, check_files


@dataclass(frozen=True)
class Text(Candidate):
    """A candidate whose bytes are at hand."""

    text: str = ""

    def read(self) -> bytes:
        return self.text.encode()


Checker = Callable[..., tuple[Finding, ...]]


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checker:
    """The findings on a text, as of a file beside the folders `images` and, half as large, `small`."""
    (tmp_path / "images").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "images" / "one.png")
    (tmp_path / "small").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "small" / "one.png")
    monkeypatch.chdir(tmp_path)

    def check(
        text: str, trainer: str | None = None, network: bool = True, name: str = "train.yml"
    ) -> tuple[Finding, ...]:
        run = check_files([Text(Path(name), True, text)], CheckOptions(network=network, trainer=trainer))
        assert run.files[0].error is None
        return run.findings

    return check
