"""The watch: names what goes wrong, at which iteration, with which loss. It moves no weight.

Of each loss the logarithm of its value is followed by a winsorised exponential moving average and its variance:

    z = (x - mean) / deviation        a spike: z > spike_z
    c = max(0, c + min(z, 3) - k)     divergence: c > cusum_h        (one-sided CUSUM, Page 1954)
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from autocal_cli.runtime.settings import SchedulerSettings

log = logging.getLogger("autocal")

EVENTS_KEPT = 256  # the newest
MEMORY = 0.01  # of the averages, a step
WARM = 100  # values before a loss is judged
WINSOR = 3.0  # deviations: what one value may add to the averages
NAMED_SINGLY = 10  # steps that are not finite, in a row; then each tenth
GIVEN = ("settings", "length")  # what is no state
LASTING, LONG = 20, 0.02  # steps after which a change of health counts; part of the run for one that dominates


@dataclass(frozen=True, slots=True)
class Event:
    """What was seen: at which iteration, of which loss (`*`: of none alone), its cause, and what was done."""

    iteration: int
    loss: str
    cause: str
    done: str

    def __str__(self) -> str:
        loss = "" if self.loss == "*" else f"{self.loss}: "
        return f"iteration {self.iteration}: {loss}{self.cause}; {self.done}"


@dataclass(slots=True)
class Track:
    """The averages of one loss."""

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0
    cusum: float = 0.0
    quiet_until: int = 0

    def add(self, value: float, settings: SchedulerSettings) -> str | None:
        """Takes a finite value; gives what it shows, or None."""
        self.count += 1
        share = max(1.0 / self.count, MEMORY)
        step = math.log(max(abs(value), 1e-12)) - self.mean
        deviation = math.sqrt(self.variance)
        z = 0.0
        if self.count > WARM and deviation > 0.0:
            z = step / deviation
            step = max(-WINSOR, min(z, WINSOR)) * deviation
            self.cusum = max(0.0, self.cusum + min(z, WINSOR) - settings.cusum_k)
        self.variance = (1.0 - share) * (self.variance + share * step * step)
        self.mean += share * step
        if self.count < self.quiet_until:
            return None
        if self.cusum > settings.cusum_h:
            self.cusum, self.quiet_until = 0.0, self.count + WARM
            return "divergence"
        if z > settings.spike_z:
            self.quiet_until = self.count + 10
            return "spike"
        return None


@dataclass(slots=True)
class Watch:
    """All tracks, the events, and what has been said."""

    settings: SchedulerSettings
    length: int
    tracks: dict[str, Track] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    total_events: int = 0
    broken: int = 0  # steps that were not finite, in a row
    said: list[str] = field(default_factory=list)
    health: str = "unknown"
    scale: float | None = None
    candidate: str = "unknown"  # a health that has not lasted yet
    candidate_since: int = 0
    candidate_steps: int = 0

    def say(self, iteration: int, loss: str, cause: str, done: str, *, once: str = "") -> None:
        """Records an event and logs it; one that has a name for it, only `once`."""
        if once in self.said:
            return
        self.said += [once] if once else []
        event = Event(iteration, loss, cause, done)
        self.events = [*self.events, event][-EVENTS_KEPT:]
        self.total_events += 1
        log.warning("autocal: %s", event)

    def not_finite(self, iteration: int, losses: list[str], done: str) -> None:
        """A step whose losses are not finite: named at once, and never silently for long."""
        self.broken += 1
        if self.broken <= NAMED_SINGLY or self.broken % NAMED_SINGLY == 0:
            again = f" ({self.broken} steps in a row)" if self.broken > 1 else ""
            self.say(iteration, ", ".join(losses) or "*", f"not finite{again}", done)

    def take(self, iteration: int, values: Mapping[str, float], learning: frozenset[str]) -> None:
        """The values of one finite step; `learning`: adversarial losses, whose rise while the discriminator learns is
        no divergence."""
        self.broken = 0
        for name, value in values.items():
            if name not in self.tracks:
                self.tracks[name] = Track()
            found = self.tracks[name].add(value, self.settings)
            if found and not (found == "divergence" and name in learning):
                self.say(iteration, name, f"{found} (value {value:.4g})", "nothing was changed")

    def take_scale(self, iteration: int, scale: float) -> None:
        """The loss scale of a GradScaler."""
        if self.scale is not None and scale < self.scale:
            self.say(iteration, "*", f"loss scale fell from {self.scale:g} to {scale:g}", "nothing was changed")
        self.scale = scale

    def judge(self, iteration: int, health: str) -> None:
        """The discriminator's health as of now. A change that lasts is an event, with the step at which it began."""
        if health != self.candidate:
            self.candidate, self.candidate_since, self.candidate_steps = health, iteration, 0
        self.candidate_steps += 1
        lasting = max(LASTING, LONG * self.length if health == "dominates" else 0.0)
        if health == self.health or self.candidate_steps < lasting:
            return
        before, self.health = self.health, health
        if health != "healthy" or before not in ("unknown", "healthy"):
            self.say(self.candidate_since, "*", f"discriminator {health}", f"was {before}")

    def state_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name not in GIVEN}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises KeyError or TypeError for a state that is not whole."""
        for name in (each.name for each in fields(self) if each.name not in GIVEN):
            setattr(self, name, state[name])
        self.tracks = {name: Track(**track) for name, track in state["tracks"].items()}
        self.events = [Event(**event) for event in state["events"]]
        self.said = list(state["said"])
