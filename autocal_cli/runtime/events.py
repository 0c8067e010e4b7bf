"""Events: every correction that the scheduler makes, with its cause."""

from __future__ import annotations

from dataclasses import dataclass

CAUSES = ("spike", "divergence", "not finite", "loss-scale back-offs")
EVENTS_KEPT = 256  # the newest; older ones are forgotten
ALL_LOSSES = -1  # the index in a log of what concerns no single loss


@dataclass(frozen=True, slots=True)
class Event:
    """A correction: at which iteration, for which loss (`*`: all), why, and its multiplier before and after."""

    iteration: int
    loss: str
    cause: str
    before: float
    after: float

    def __str__(self) -> str:
        return (
            f"iteration {self.iteration}: {self.loss}: {self.cause}, multiplier {self.before:.4g} -> {self.after:.4g}"
        )
