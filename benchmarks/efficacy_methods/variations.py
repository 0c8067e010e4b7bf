"""The scheduler with one of its numbers changed: what its defaults are compared with, by family.

A number of the block is set by hand. A number that no block holds (when gradients are probed, how fast the guard moves,
the sign of the drift) stands as a constant in the runtime and is replaced there for the length of a step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

from torch import Tensor

from autocal_cli.runtime import host_engine, schedule, track
from autocal_cli.runtime import scheduler as scheduler_module
from autocal_cli.runtime.arithmetic import Arithmetic, Number
from efficacy_methods.autocal import scheduler
from efficacy_methods.task import Method, Objective, Raw, Task

GUIDE = "guide's block"  # what the document that autocal started from warns of
GUIDE_BLOCK = {"momentum": 0.95, "adaptation_rate": 0.005, "max_weight": 100.0, "baseline_iterations": 200}
AT_ONCE = 1e6  # a slew that no guard needs
NO_DEAD_BAND = {"adaptation_threshold": 0.0}
FLAT_PHASES = {"early": {"until": 0.1, "rate": 1.0, "range": 1.0}, "late": {"until": 1.0, "rate": 1.0, "range": 1.0}}
STILL_LATE = {"late": {"until": 1.0, "rate": 0.0, "range": 1.0}}


def by_block(values: Mapping[str, Any]) -> Method:
    """The block with some values set by hand."""
    return lambda task: scheduler(task, dict(values)).total


def by_rate(factor: float, values: Mapping[str, Any] = MappingProxyType({})) -> Method:
    """The calibrated adaptation_rate times a factor, other values set by hand."""

    def method(task: Task) -> Objective:
        calibrated = scheduler(task, {}).settings.adaptation_rate
        return scheduler(task, {**values, "adaptation_rate": calibrated * factor}).total

    return method


def replaced(module: Any, name: str, value: Any, method: Method) -> Method:
    """A method during whose steps a constant or function of the runtime is another."""

    def varied(task: Task) -> Objective:
        objective = method(task)

        def step(raw: Raw, iteration: int, output: Tensor) -> Tensor:
            with patch.object(module, name, value):
                return objective(raw, iteration, output)

        return step

    return varied


def drifting(exponent: float, method: Method) -> Method:
    """r^exponent in place of r: above 1 the drift overdoes the balance of the start, below 0 it turns against it."""

    def signal(t: track.Track, by_value: Number, a: Arithmetic) -> tuple[Number, Number]:
        found, there = track.drift_signal(t, by_value, a)
        return exponent * found, there

    return replaced(host_engine, "drift_signal", signal, method)


def probed(middle: int, late: int) -> Method:
    """Probes every `middle` steps from step 100 to 1,000 and every `late` ones after; before as ever."""
    rhythm = ((10, 1), (100, 5), (1000, middle), (math.inf, late))
    return replaced(schedule, "PROBES_ADVERSARIAL", rhythm, by_block({}))


def slewed(slew: float) -> Method:
    return replaced(scheduler_module, "GUARD_SLEW", slew, by_block({}))


def valued(exponent: float) -> Method:
    """Without the network's output: r = exponent (b - s) for every loss, by its value alone, and no guard."""

    def blind(task: Task) -> Objective:
        objective = FREE(task)
        return lambda raw, iteration, output: objective(raw, iteration, output.detach())

    def signal(t: track.Track, by_kind: Number, a: Arithmetic) -> tuple[Number, Number]:  # noqa: ARG001
        return track.drift_signal(t, exponent, a)

    return replaced(host_engine, "drift_signal", signal, blind)


FREE = by_rate(10.0, NO_DEAD_BAND)  # the drift with all that holds it back taken away but its room and the phases

# Every family has "autocal" beside it, which is the default of all of them, and "static".
FAMILIES: Mapping[str, Mapping[str, Method]] = MappingProxyType(
    {
        "ceilings": {
            f"ceiling {ceiling:g}": by_block({"ceilings": {"adversarial": ceiling}})
            for ceiling in (0.75, 0.5, 0.35, 0.2, 0.05)
        },
        "probes": {
            "probe 5, 5": probed(5, 5),
            "probe 10, 10": probed(10, 10),
            "probe 25, 25": probed(25, 25),
            "probe 25, 100": probed(25, 100),
            "probe 100, 100": probed(100, 100),
        },
        "slew": {"slew 0.01": slewed(0.01), "slew 0.2": slewed(0.2), "at once": slewed(AT_ONCE)},
        "drift": {
            "no drift": by_block({"max_weight": 1.0}),
            "no dead band": by_block(NO_DEAD_BAND),
            "free": FREE,
            "free, exponent 0.5": drifting(0.5, FREE),
            "free, exponent 2": drifting(2.0, FREE),
            "free, exponent -1": drifting(-1.0, FREE),
        },
        "values": {f"by value, exponent {exponent:g}": valued(exponent) for exponent in (1.0, 0.5, -0.5)},
        "rates": {f"rate x{factor:g}": by_rate(factor) for factor in (0.1, 10.0, 40.0)},
        "guide": {GUIDE: by_block(GUIDE_BLOCK)},
        "phases": {
            "free, flat phases": by_rate(10.0, {**NO_DEAD_BAND, "phases": FLAT_PHASES}),
            "free, still late": by_rate(10.0, {**NO_DEAD_BAND, "phases": STILL_LATE}),
        },
    }
)
VARIATIONS: Mapping[str, Method] = MappingProxyType(
    {name: method for family in FAMILIES.values() for name, method in family.items()}
)
