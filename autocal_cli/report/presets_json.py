"""The tool's own numbers as plain data for `--json`."""

from __future__ import annotations

from collections.abc import Iterable

from autocal_cli.calibration.record import Preset, Presets
from autocal_cli.config.record import Value
from autocal_cli.report.as_json import FORMAT_VERSION


def presets_json(presets: Presets, chosen: Iterable[Preset], parts: Iterable[str]) -> dict[str, Value]:
    """The chosen presets, and of the other numbers the `parts` that are asked for; every one with its source."""
    told: dict[str, Value] = {
        "presets": [_preset(preset, presets) for preset in chosen],
        "fallback": {"variant": presets.fallback, "source": presets.sources["fallback"]},
        "rules": [
            {
                "code": rule.code,
                "signal": rule.signal,
                "parameter": rule.parameter,
                "form": rule.form,
                "direction": rule.direction,
                "numbers": dict(rule.numbers),
                "reason": rule.reason,
                "source": rule.source,
            }
            for rule in presets.rules
        ],
        "bounds": {
            **{
                name: {"min": bound.low, "max": bound.high, "share_of_run": bound.share_of_run}
                for name, bound in presets.bounds.items()
            },
            "source": presets.bounds_source,
        },
        "phases": [
            {
                "name": phase.name,
                "until": phase.until,
                "rate": phase.rate,
                "range": phase.range,
                "source": presets.sources[f"phases.{phase.name}"],
            }
            for phase in presets.phases
        ],
        "ceilings": {
            kind: {"value": value, "source": presets.sources[f"ceilings.{kind}"]}
            for kind, value in presets.ceilings.items()
        },
        "stability": {
            name: {"value": value, "source": presets.sources[f"stability.{name}"]}
            for name, value in presets.stability.items()
        },
    }
    return {"format_version": FORMAT_VERSION, "version": presets.version, **{part: told[part] for part in parts}}


def _preset(preset: Preset, presets: Presets) -> dict[str, Value]:
    return {
        "family": preset.family,
        "variant": preset.variant,
        "use": preset.use,
        "parameters": {f"x{scale}": count for scale, count in preset.parameters.items()},
        "macs_per_pixel": {f"x{scale}": macs for scale, macs in preset.macs_per_pixel.items()},
        "values": {name: {"value": value, "source": presets.sources[name]} for name, value in preset.values.items()},
    }
