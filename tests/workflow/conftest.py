"""A config's text with its block, in any of the forms in which it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from autocal_cli.calibration.model import Calibration
from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.files import ConfigFile, parse_document
from autocal_cli.config.model import KeyPath, Value
from autocal_cli.config.trainers import FORK, recognise_trainer
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.workflow.calibrate import resolve
from autocal_cli.workflow.config_file import BlockFile, Form

NANO = NetworkFingerprint("paragonsr2_nano", "paragonsr2", "nano", 2, 10_595, 26_822.0, "built-in")


@dataclass(frozen=True)
class Resolved:
    text: str
    calibration: Calibration
    target: BlockFile

    @property
    def block(self) -> dict[str, Value]:
        found = self.target.block
        assert found is not None
        return dict(found.values)


@pytest.fixture(scope="session")
def resolved() -> Callable[..., Resolved]:
    """The text of the file that holds the block, calibrated for nano with images of neutral complexity."""

    def calibrate(
        text: str, form: Form = "block", settings: dict[KeyPath, Value] | None = None, path: str = "train.yml"
    ) -> Resolved:
        document = parse_document(text.encode(), path)
        config = ConfigFile(document, FORK if form == "native" else recognise_trainer(document))
        target = BlockFile(config, config, form)
        after, calibration = resolve(target, config.training, NANO, None, load_presets(), settings or {})
        return Resolved(after.text, calibration, replace(target, file=ConfigFile(after, config.layout)))

    return calibrate


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A person's config of an upstream trainer, without a block."""
    path = tmp_path / "train.yml"
    path.write_text("# mine\nnetwork_g: {type: paragonsr2_nano}\nscale: 2\ntrain:\n  total_iter: 40000\n", "utf-8")
    return path
