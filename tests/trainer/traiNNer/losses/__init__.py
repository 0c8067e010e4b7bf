"""Imports every loss, as the real trainer does."""

from importlib import import_module
from pathlib import Path

for file in Path(__file__).parent.glob("*_loss.py"):
    import_module(f"traiNNer.losses.{file.stem}")
