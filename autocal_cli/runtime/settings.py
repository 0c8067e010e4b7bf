"""SchedulerSettings: a `dynamic_loss_scheduling` block as the numbers that the scheduler runs on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.model import PARAMETERS, Phase
from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.model import RECORD_KEY, LossTerm, SchedulingBlock, TrainingConfig
from autocal_cli.errors import Place
from autocal_cli.network.model import NetworkFingerprint

Mode = Literal["act", "observe"]


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    """Everything that the scheduler needs to know; the names are those of the block.

    `fidelity_budget` is in dB of PSNR. `phases` end at shares of total_iter. `mode` observe: measures, logs and names,
    and moves nothing. Not `enabled`: not even that.
    """

    momentum: float
    adaptation_rate: float
    adaptation_threshold: float
    min_weight: float
    max_weight: float
    baseline_iterations: int
    fidelity_budget: float
    phases: tuple[Phase, ...]
    spike_z: float
    cusum_k: float
    cusum_h: float
    mode: Mode = "act"
    enabled: bool = True

    @classmethod
    def from_block(
        cls,
        block: Mapping[str, Any] | SchedulingBlock,
        total_iter: int | None = None,
        scale: int | None = None,
        adversarial: bool = False,
    ) -> SchedulerSettings:
        """Reads a resolved block; one that says `auto_calibrate: true` is calibrated here, with neutral dataset values.

        What a block lacks is filled in from the presets, with an `adversarial` loss or without. Raises AutocalError for
        a value that its key does not accept, with its place in the file where the block knows that (SchedulingBlock).
        """
        place = Place("dynamic_loss_scheduling")
        given = block if isinstance(block, SchedulingBlock) else SchedulingBlock(block, {}, place)
        own = {key: value for key, value in given.values.items() if key != RECORD_KEY}
        if own.get("auto_calibrate") is True and not isinstance(given.values.get(RECORD_KEY), Mapping):
            message = (
                "the block is not resolved: it is calibrated here from the presets, without a look at network or data; "
                "`autocal calibrate` does it properly."
            )
            warnings.warn(f"autocal: {message}", stacklevel=2)
        config = TrainingConfig(
            path="",
            trainer="",
            total_iter=total_iter,
            scale=scale,
            losses=(LossTerm("gan", "adversarial", 1.0, given.place),) if adversarial else (),
            block=SchedulingBlock(own, given.places, given.place),
            place=given.place,
        )
        found = calibrate(config, NetworkFingerprint(type=None), None, load_presets())
        values: Any = {name: found.parameters[name].value for name in PARAMETERS} | dict(found.stability)
        mode: Any = found.manual.get(("mode",), "act")
        return cls(**values, phases=found.phases, mode=mode, enabled=own.get("enabled") is not False)
