"""Loads `presets/*.toml` into records. The only file access of this package."""

from __future__ import annotations

import tomllib
from typing import Any

from autocal_cli.calibration.model import PRESET_PARAMETERS, Bound, Phase, Preset, Presets, Rule
from autocal_cli.packaged import preset_text

FAMILIES = ("paragonsr2",)

_RULE_FIELDS = {"code", "signal", "parameter", "form", "direction", "reason", "source", "reader"}


def load_presets() -> Presets:
    """All presets, rules, bounds, phases, stability settings and budgets that ship with this version."""
    *families, rules, phases, stability, budgets = tables = [
        tomllib.loads(preset_text(f"{name}.toml")) for name in (*FAMILIES, "rules", "phases", "stability", "budgets")
    ]
    sources = {key: source for family in families for key, source in family["sources"].items()}
    sources |= {f"phases.{phase['name']}": phase["source"] for phase in phases["phase"]}
    for name, table in (("stability", stability), ("budgets", budgets)):
        sources |= {f"{name}.{key}": source for key, source in table["source"].items()}
    return Presets(
        version=".".join(str(table["version"]) for table in tables),
        presets=tuple(_preset(family["family"], entry) for family in families for entry in family["preset"]),
        fallback=families[0]["fallback"],
        sources=sources,
        rules=tuple(_rule(entry) for entry in rules["rule"]),
        bounds={name: Bound(row["min"], row["max"], row.get("share_of_run")) for name, row in rules["bounds"].items()},
        bounds_source=rules["bounds_source"]["text"],
        phases=tuple(Phase(entry["name"], entry["until"], entry["rate"]) for entry in phases["phase"]),
        stability=stability["stability"],
        budgets={None: budgets["unknown_scale"], **_by_scale(budgets["budget"])},
    )


def _preset(family: str, entry: dict[str, Any]) -> Preset:
    sizes = (_by_scale(entry[name]) for name in ("parameters", "macs_per_pixel"))
    return Preset(family, entry["variant"], entry["use"], {name: entry[name] for name in PRESET_PARAMETERS}, *sizes)


def _by_scale(entry: dict[str, Any]) -> dict[Any, Any]:
    return {int(scale.removeprefix("x")): value for scale, value in entry.items()}


def _rule(entry: dict[str, Any]) -> Rule:
    numbers = {key: float(value) for key, value in entry.items() if key not in _RULE_FIELDS}
    return Rule(**{key: entry[key] for key in _RULE_FIELDS & entry.keys()}, numbers=numbers)
