"""Blocks in the files of a test: the fork's keys, what a file holds, and changes of it."""

from __future__ import annotations

from pathlib import Path

import yaml

from autocal_cli.calibration.block import MARK

NATIVE = {
    "enabled", "momentum", "adaptation_rate", "adaptation_threshold", "min_weight", "max_weight", "baseline_iterations",
}  # fmt: skip
KEY = "dynamic_loss_scheduling"
BLOCK = f"  {KEY}:\n    enabled: true\n    auto_calibrate: true\n"


def block_of(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf-8"))["train"][KEY]


def rewrite(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_bytes().decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_bytes(text.encode())


def wrote(block):
    return {word[:MARK] for word in block["calibration"]["wrote"].split()}
