"""Finds the data files of `presets/`: inside the package in a wheel, beside it in an editable install."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from autocal_cli.errors import AutocalError


def preset_text(name: str) -> str:
    """The text of `presets/<name>`, for example `"rules.toml"`. Raises AutocalError when there is no such file."""
    for folder in _preset_folders():
        entry = folder.joinpath(*name.split("/"))
        if entry.is_file():
            return entry.read_text(encoding="utf-8")
    raise AutocalError(f"autocal's own data file presets/{name} is missing.", fix="Reinstall autocal-cli.")


def _preset_folders() -> list[Traversable]:
    package = files("autocal_cli")
    checkout = Path(str(package)).resolve().parent / "presets"
    return [package / "presets", checkout]
