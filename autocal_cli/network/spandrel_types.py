"""What spandrel can construct by name: presets/spandrel.toml, as records."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from autocal_cli.network.spandrel_arguments import TrainerNames, Unshuffled
from autocal_cli.packaged import preset_text


@dataclass(frozen=True, slots=True)
class SpandrelType:
    """A class of `spandrel.architectures.<package>`; `scale_argument` is None where the network doesn't enlarge."""

    package: str
    class_name: str
    scale_argument: str | None
    arguments: Mapping[str, Any]
    names: TrainerNames


@cache
def spandrel_types() -> Mapping[str, SpandrelType]:
    """By type in lower case."""
    table = tomllib.loads(preset_text("spandrel.toml"))
    names = {of: _names(entry) for of, entry in table["names"].items()}
    return {name: _type(entry, names.get(entry["class"], TrainerNames())) for name, entry in table["types"].items()}


@cache
def types_elsewhere() -> frozenset[str]:
    """Types, in lower case, that a trainer has and this table has not: not to be taken for misspelt ones."""
    return frozenset(tomllib.loads(preset_text("spandrel.toml"))["elsewhere"])


def _type(entry: Mapping[str, Any], names: TrainerNames) -> SpandrelType:
    package, class_name = entry["class"].split(".")
    return SpandrelType(package, class_name, entry.get("scale"), entry.get("with", {}), names)


def _names(entry: Mapping[str, Any]) -> TrainerNames:
    unshuffled = entry.get("unshuffled")
    return TrainerNames(**{**entry, "unshuffled": Unshuffled(**unshuffled) if unshuffled else None})


def spandrel_installed() -> bool:
    return importlib.util.find_spec("spandrel") is not None
