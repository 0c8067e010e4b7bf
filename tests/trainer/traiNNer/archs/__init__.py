"""Imports every architecture, as the real trainer does: one that fails takes all with it."""

from importlib import import_module
from pathlib import Path

for file in Path(__file__).parent.glob("*_arch.py"):
    import_module(f"traiNNer.archs.{file.stem}")
