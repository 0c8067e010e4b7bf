"""What is to be said about the block itself: that one is added, is switched off, or does nothing in this trainer."""

from __future__ import annotations

from autocal_cli.calibration.record import Presets
from autocal_cli.check.block import rejected
from autocal_cli.check.record import Checked
from autocal_cli.check.values import unsupported_values
from autocal_cli.config.reading import lookup
from autocal_cli.config.record import BLOCK_KEY, TrainingConfig
from autocal_cli.config.trainers import FORK, FORK_MARKS, TrainerLayout
from autocal_cli.errors import Finding
from autocal_cli.network.record import NetworkFingerprint
from autocal_cli.workflow.holder import Holder
from autocal_cli.workflow.resolve import Target


def about_block(config: TrainingConfig, layout: TrainerLayout, holder: Holder, target: Target) -> tuple[Finding, ...]:
    """The findings of a config whose block `holder` holds."""
    in_sidecar = bool(holder.config_text)
    found = [_added(config, in_sidecar), _disabled(config)]
    if not in_sidecar:
        found.append(_reception(config, layout) or _fork(config, layout, holder, target))
    return tuple(finding for finding in found if finding)


def about_values(
    config: TrainingConfig, holder: Holder, network: NetworkFingerprint, presets: Presets
) -> tuple[Finding, ...]:
    """Hand-written values, not seen by a calibration yet, that the network's preset does not support."""
    seen = Checked(holder.document, holder.layout, config, (), presets, network)
    return tuple(unsupported_values(seen))


def _added(config: TrainingConfig, in_sidecar: bool) -> Finding | None:
    if in_sidecar or config.block is not None:
        return None
    message = f"There was no `{BLOCK_KEY}` block; one is added."
    return Finding("block-added", "info", message, None, config.place)


def _disabled(config: TrainingConfig) -> Finding | None:
    if config.block is None or config.block.values.get("enabled") is not False:
        return None
    message = "The block says `enabled: false`: it is calibrated, but stays switched off."
    return Finding("block-disabled", "info", message, "Write `enabled: true`.", config.block.place_of(("enabled",)))


def _reception(config: TrainingConfig, layout: TrainerLayout) -> Finding | None:
    """What the unmodified trainer makes of a config with the block in it, where that is not what the block says."""
    place = config.block.place if config.block else config.place
    if layout.on_block == "rejects":
        return rejected(layout, place)
    if layout.on_block == "ignores":
        message = f"{layout.trainer} by itself takes no notice of the block."
        fix = (
            "Attach the scheduler to its losses in a few lines of code (docs/runtime.md)."
            if layout.language == "toml"
            else "Start it with `autocal run`, which carries it out."
        )
        return Finding("block-ignored", "info", message, fix, place)
    return None


def _fork(config: TrainingConfig, layout: TrainerLayout, holder: Holder, target: Target) -> Finding | None:
    """The fork swallows what its scheduler raises. Said where the config uses options that only the fork has."""
    if layout is not FORK or target == "native" or not any(lookup(holder.document, path) for path in FORK_MARKS):
        return None
    message = "The fork's own scheduler takes the flat keys alone: with this block it would train unscheduled."
    fix = "Start it with `autocal run`, or swap the import (docs/runtime.md), or calibrate with --target native."
    return Finding("block-not-native", "info", message, fix, config.block.place if config.block else config.place)
