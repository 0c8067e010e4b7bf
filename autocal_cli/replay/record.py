"""RunLog: what a trainer logged. ReplayedRun: what the scheduler makes of it. Frozen, and free of torch."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from autocal_cli.errors import Finding

if TYPE_CHECKING:  # importing it loads torch
    from autocal_cli.runtime.events import Event

Source = Literal["TensorBoard event files", "text logs"]

SCALE_LABEL = "scale_g"  # the loss scale of the generator's GradScaler
TOTAL_LABEL = "l_g_total"  # traiNNer-redux logs the sum under this label, BasicSR logs none
MULTIPLIER_PREFIX = "dynamic_weight_"  # a fork of traiNNer-redux logs the multipliers of its own scheduler so,
OWN_PREFIX = "loss_multipliers/"  # and `autocal run` those of autocal's


@dataclass(frozen=True, slots=True)
class LoggedPoint:
    """What was logged at one iteration: numbers by label (`l_g_l1`, `scale_g`), losses with their weights in them."""

    iteration: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RunLog:
    """The logged points of one run, iterations rising.

    `files` in the order in which they were written; `truncated` names those that are cut short or damaged;
    `superseded` counts the points left out because the run was taken up again from before them.
    """

    source: Source
    files: tuple[str, ...]
    points: tuple[LoggedPoint, ...]
    truncated: tuple[str, ...] = ()
    superseded: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that occurs, in the order of its first occurrence."""
        return tuple(dict.fromkeys(label for point in self.points for label in point.values))

    @property
    def averaged(self) -> bool:
        """Whether a logged loss is the mean since the point before, as traiNNer-redux has it (since June 2024).

        BasicSR logs the values of the one step at which it writes.
        """
        return TOTAL_LABEL in self.labels

    @property
    def interval(self) -> int:
        """Steps from one point to the next (the median), as `print_freq` had it; of a lone point its iteration."""
        steps = [later.iteration - earlier.iteration for earlier, later in pairwise(self.points)]
        return int(statistics.median_low(steps)) if steps else self.points[0].iteration


@dataclass(frozen=True, slots=True)
class LoggedLoss:
    """A loss of the config and where it stands in the log.

    `label` is the scheduler's; `part` the component's name where the loss is logged by components; `logged` the label
    in the log; `weight` what divides the logged value, above 0.
    """

    label: str
    part: str | None
    logged: str
    type: str
    weight: float

    @property
    def name(self) -> str:
        """As the scheduler names it in events."""
        return self.label if self.part is None else f"{self.label}/{self.part}"


@dataclass(frozen=True, slots=True)
class ReplayedLoss:
    """One loss over the run.

    `raw` are the logged values without their weight, `multipliers` those in force, both at `iterations`. `final` is
    the multiplier after the last point; `lowest` and `highest` are over all steps. `drifts`: whether drift may move its
    multiplier; `signals`: whether its value calls for one (losses like MSE; an L1 has the same gradient throughout).
    """

    name: str
    logged: str
    type: str
    kind: str
    weight: float
    drifts: bool
    signals: bool
    iterations: tuple[int, ...]
    raw: tuple[float, ...]
    multipliers: tuple[float, ...]
    final: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class PhaseSpan:
    """The iterations of a phase that lie within the log, both ends included."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ReplayedRun:
    """What the scheduler would have done. `baseline_iterations` and `momentum` as configured and as replayed.

    `events` are the newest of `events_in_all`.
    """

    log: RunLog
    losses: tuple[ReplayedLoss, ...]
    phases: tuple[PhaseSpan, ...]
    events: tuple[Event, ...]
    events_in_all: int
    total_iter: int | None
    baseline_iterations: tuple[int, int]
    momentum: tuple[float, float]
    limits: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    @property
    def first(self) -> int:
        """The first iteration that a logged point stands for."""
        return max(1, self.log.points[0].iteration - self.log.interval + 1)

    @property
    def last(self) -> int:
        return self.log.points[-1].iteration

    def events_of(self, loss: ReplayedLoss) -> tuple[Event, ...]:
        return tuple(event for event in self.events if event.loss == loss.name)
