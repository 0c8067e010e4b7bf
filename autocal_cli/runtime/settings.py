"""SchedulerSettings: a `dynamic_loss_scheduling` block as the numbers that the scheduler runs on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autocal_cli.calibration.block import RECORD_KEY, RUNTIME_KEYS, by_loss, read_shares
from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.model import PARAMETERS, Phase
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.resolved import resolved_values
from autocal_cli.config.model import SchedulingBlock, TrainingConfig
from autocal_cli.errors import Place
from autocal_cli.network.model import NetworkFingerprint


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """Everything that the scheduler needs to know; the names are those of the block.

    `ceilings` by kind of loss (1: none) and `gradient_shares` by label are shares of the pull, 0..1; `kinds` overrides
    the kind of a loss by its label. `phases` end at shares of total_iter. Not `enabled`: every multiplier stays 1.
    """

    momentum: float
    adaptation_rate: float
    adaptation_threshold: float
    min_weight: float
    max_weight: float
    baseline_iterations: int
    phases: tuple[Phase, ...]
    spike_z: float
    cusum_k: float
    cusum_h: float
    freeze_steps: int
    recovery_steps: int
    ceilings: Mapping[str, float] = field(default_factory=dict)
    gradient_shares: Mapping[str, float] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = True

    @classmethod
    def from_block(cls, block: Mapping[str, Any], total_iter: int | None = None) -> SchedulerSettings:
        """Reads a resolved block; one that says `auto_calibrate: true` is calibrated here, with neutral dataset values.

        What a block lacks is filled in from the presets. Raises AutocalError for a value that its key does not accept.
        """
        return cls.from_scheduling_block(SchedulingBlock(block, {}, Place("dynamic_loss_scheduling")), total_iter)

    @classmethod
    def from_scheduling_block(cls, given: SchedulingBlock, total_iter: int | None = None) -> SchedulerSettings:
        """As `from_block`, of a block that knows its places in a file, which errors then tell."""
        block = given.values
        if block.get("auto_calibrate") is True and not isinstance(block.get(RECORD_KEY), Mapping):
            message = (
                "the block is not resolved: it is calibrated here from the presets, without a look at network or data; "
                "`autocal calibrate` does it properly."
            )
            warnings.warn(f"autocal: {message}", stacklevel=2)
        values: Any = _complete(given, total_iter)
        return cls(
            **{name: values[name] for name in PARAMETERS},
            phases=tuple(Phase(name, **numbers) for name, numbers in values["phases"].items()),
            **values["stability"],
            ceilings={**default_ceilings(), **read_shares(given, "ceilings")},
            gradient_shares=read_shares(given, "gradient_shares"),
            kinds={label: str(kind) for label, kind in by_loss(given, "kinds").items()},
            enabled=block.get("enabled") is not False,
        )


def run_length(block: Mapping[str, Any]) -> int | None:
    """The length of the run in steps as the block's `training_config.total_iterations` has it."""
    run = block.get("training_config")
    length = run.get("total_iterations") if isinstance(run, Mapping) else None
    return length if isinstance(length, int) and not isinstance(length, bool) and length > 0 else None


def default_ceilings() -> dict[str, float]:
    """The ceilings of presets/shares.toml, by kind of loss."""
    return dict(load_presets().ceilings)


def _complete(given: SchedulingBlock, total_iter: int | None) -> dict[str, Any]:
    """The block with every known key: its own values, and around them what calibration gives without measurements."""
    own = {key: value for key, value in given.values.items() if key not in (RECORD_KEY, *RUNTIME_KEYS)}
    block = SchedulingBlock(own, given.places, given.place)
    config = TrainingConfig(path="", trainer="", total_iter=total_iter, block=block, place=given.place)
    architecture = own.get("architecture_type")
    network = NetworkFingerprint(type=architecture if isinstance(architecture, str) else None)
    return dict(resolved_values(calibrate(config, network, None, load_presets())))
