"""Loads `presets/*.toml` into records. The only file access of this package."""

from __future__ import annotations

import tomllib
from typing import Any

from autocal_cli.calibration.model import PRESET_PARAMETERS, Bound, Phase, Preset, Presets, Rule
from autocal_cli.packaged import preset_text

FAMILIES = ("paragonsr2",)

_RULE_FIELDS = {"code", "signal", "parameter", "form", "direction", "reason", "source"}


def load_presets() -> Presets:
    """All presets, rules, bounds, phases, stability settings and budgets that ship with this version."""
    families = [_load(f"{family}.toml") for family in FAMILIES]
    rules, phases, stability, budgets = (_load(f"{name}.toml") for name in ("rules", "phases", "stability", "budgets"))
    versions = [table["version"] for table in (*families, rules, phases, stability, budgets)]
    return Presets(
        version=".".join(str(version) for version in versions),
        presets=tuple(_preset(family["family"], entry) for family in families for entry in family["preset"]),
        fallback=families[0]["fallback"],
        sources={
            **{key: source for family in families for key, source in family["sources"].items()},
            **{f"phases.{phase['name']}": phase["source"] for phase in phases["phase"]},
            **{f"stability.{key}": source for key, source in stability["source"].items()},
            **{f"budgets.{scale}": source for scale, source in budgets["source"].items()},
        },
        rules=tuple(_rule(entry) for entry in rules["rule"]),
        bounds={
            name: Bound(entry["min"], entry["max"], entry.get("share_of_run"))
            for name, entry in rules["bounds"].items()
        },
        bounds_source=rules["bounds_source"]["text"],
        phases=tuple(Phase(entry["name"], entry["until"], entry["rate"]) for entry in phases["phase"]),
        stability=stability["stability"],
        budgets={
            None: budgets["unknown_scale"],
            **{int(scale.removeprefix("x")): budget for scale, budget in budgets["budget"].items()},
        },
    )


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads(preset_text(name))


def _preset(family: str, entry: dict[str, Any]) -> Preset:
    return Preset(
        family=family,
        variant=entry["variant"],
        use=entry["use"],
        values={name: entry[name] for name in PRESET_PARAMETERS},
        parameters={int(scale.removeprefix("x")): count for scale, count in entry["parameters"].items()},
        macs_per_pixel={int(scale.removeprefix("x")): macs for scale, macs in entry["macs_per_pixel"].items()},
    )


def _rule(entry: dict[str, Any]) -> Rule:
    numbers = {key: float(value) for key, value in entry.items() if key not in _RULE_FIELDS}
    return Rule(**{key: entry[key] for key in _RULE_FIELDS}, numbers=numbers)
