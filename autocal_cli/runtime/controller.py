"""The law: how the multiplier of the adversarial losses follows what they cost and what they still say.

Two signals a step, host floats, either of which may be missing: the fidelity F in dB and the discriminator's
separation S (see signals.py). No gradient, no tensor. `Controller.advance` is one step of the law.

    cost      C = F* - F        F: average of the fidelity, F*: what it was before the adversarial losses took from it
    lower     C above the budget and not already falling, or the discriminator is awake and S below BLIND
    raise     C below a sixth of the budget and S above CLEAR, once the early phase is over
    return    one that was lowered comes back towards 1 while C is below 0.7 of the budget, not rising, S above AWAKE
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from autocal_cli.calibration.model import Phase
from autocal_cli.runtime.settings import SchedulerSettings

BLIND = 0.3  # separation below which the discriminator no longer tells real from generated
AWAKE = 0.35  # separation above which it has begun to tell
CLEAR = 0.5  # separation above which a larger weight would still be understood
CHEAP = 1.0 / 6.0  # of the budget: below it the adversarial losses cost nothing
CALM = 0.7  # of the budget: below it a lowered multiplier comes back
RETURN_SPEED = 0.25  # of adaptation_rate
HARDEST = 10.0  # times adaptation_rate, far outside
COLLAPSE = 3.0  # dB: Blau and Michaeli 2018, perfect perceptual quality costs at most 3 dB of PSNR
UNKNOWN_LENGTH = 100_000  # steps; where total_iter is not known
TENFOLD_DOWN, TENFOLD_UP = 0.01, 0.1  # of the run: the least time for a tenfold change
DOWN_STEPS = 30.0  # and the least steps for a tenfold fall, in which a discriminator begins to answer
WAKE_STEPS, WAKE_SHARE = 200, 0.01  # steps, and of the run: after that a discriminator counts as awake
FIRST = 5  # steps of the first reference
SLOWER = 4.0  # times the memory: of the average that tells a rise from a fall
NOISE = 0.1  # of the budget: the standard error of the cost is kept below
SEPARATION_NOISE = 0.07  # the standard error of the separation is kept below
STEADY = 0.001  # of the run: the separation is averaged over at least that, since a healthy one dips for tens of steps
LONGEST, LONGEST_STEPS = 0.01, 50.0  # of the run, and steps: no average remembers longer for the sake of noise
GIVEN = ("settings", "total_iter")  # what is no state


@dataclass(slots=True)
class Average:
    """An exponential moving average that is the plain mean until it has met `memory` values."""

    value: float = 0.0
    count: int = 0

    def add(self, x: float, memory: float) -> None:
        """value += (x - value) / min(count, memory)"""
        self.count += 1
        self.value += (x - self.value) / max(min(self.count, memory), 1.0)


@dataclass(slots=True)
class Controller:
    """State of the law; `log_multiplier` is what it is all about. See the module's docstring."""

    settings: SchedulerSettings
    total_iter: int | None = None
    log_multiplier: float = 0.0
    now: Average = field(default_factory=Average)  # of F, memory as settled below
    mid: Average = field(default_factory=Average)  # of F, SLOWER times that
    slow: Average = field(default_factory=Average)  # of F, baseline_iterations or as `mid`: for the reference
    noise: Average = field(default_factory=Average)  # variance of F from step to step
    separation: Average = field(default_factory=Average)
    separation_mid: Average = field(default_factory=Average)
    separation_noise: Average = field(default_factory=Average)
    last: float | None = None  # F of the step before
    last_separation: float | None = None
    reference: float | None = None
    awake: bool = False
    lowering_cost: bool = False
    lowering_blind: bool = False
    raising: bool = False
    state: str = "measuring"

    @property
    def multiplier(self) -> float:
        return math.exp(self.log_multiplier)

    @property
    def cost(self) -> float | None:
        """C in dB; None before the first reference."""
        return None if self.reference is None else self.reference - self.now.value

    @property
    def length(self) -> int:
        return self.total_iter or UNKNOWN_LENGTH

    @property
    def seen_separation(self) -> float | None:
        """The average of S; None before it was heard a few times."""
        return self.separation.value if self.separation.count >= FIRST else None

    def advance(self, fidelity: float | None, separation: float | None, iteration: int, *, moves: bool = True) -> float:
        """One step; returns the multiplier from here on. Not `moves`: listens only."""
        if fidelity is not None and math.isfinite(fidelity):
            self._take_fidelity(fidelity)
        if separation is not None and math.isfinite(separation):
            self._take_separation(separation)
        if moves:
            low, high = math.log(self.settings.min_weight), math.log(self.settings.max_weight)
            self.log_multiplier = min(max(self.log_multiplier + self._move(iteration), low), high)
        return self.multiplier

    def _take_fidelity(self, x: float) -> None:
        if self.last is not None:
            self.noise.add((x - self.last) ** 2 / 2.0, float(self.settings.baseline_iterations))
        self.last = x
        memory = self._memory_for(self.noise.value, NOISE * self.settings.fidelity_budget)
        self.now.add(x, memory)
        self.mid.add(x, SLOWER * memory)
        self.slow.add(x, max(float(self.settings.baseline_iterations), SLOWER * memory))
        if self.slow.count < FIRST:
            return
        settled = self.slow.count > self.settings.baseline_iterations
        if self.reference is None or (
            not settled and self.reference - self.now.value < 0.5 * self.settings.fidelity_budget
        ):
            self.reference = self.slow.value
        else:
            self.reference = max(self.reference, self.slow.value)

    def _take_separation(self, x: float) -> None:
        if self.last_separation is not None:
            self.separation_noise.add((x - self.last_separation) ** 2 / 2.0, float(self.settings.baseline_iterations))
        self.last_separation = x
        memory = max(self._memory_for(self.separation_noise.value, SEPARATION_NOISE), STEADY * self.length)
        self.separation.add(x, memory)
        self.separation_mid.add(x, SLOWER * memory)
        told = self.separation.count >= FIRST and abs(self.separation.value) > AWAKE
        self.awake = self.awake or told or self.separation.count > max(WAKE_STEPS, WAKE_SHARE * self.length)

    def _memory_for(self, variance: float, error: float) -> float:
        """1 / (1 - momentum), or longer, until the standard error sqrt(variance / (2 memory)) is `error`."""
        wanted = variance / (2.0 * error**2)
        return max(1.0 / (1.0 - self.settings.momentum), min(wanted, max(LONGEST * self.length, LONGEST_STEPS)))

    def _move(self, iteration: int) -> float:
        """The change of log m."""
        cost, sees = self.cost, self.seen_separation
        budget, dead = self.settings.fidelity_budget, self.settings.adaptation_threshold
        falling = cost is not None and self.now.value > self.mid.value  # the cost falls: fidelity rises
        seeing_more = self.separation.value > self.separation_mid.value
        costly, blind = (
            budget * (1.0 if self.lowering_cost else 1.0 + dead),
            BLIND * (1.0 if self.lowering_blind else 1.0 - dead),
        )
        self.lowering_cost = cost is not None and cost > costly
        self.lowering_blind = self.awake and sees is not None and sees < blind
        rate = self.settings.adaptation_rate * self.phase_at(iteration).rate
        up = math.log(10.0) / (TENFOLD_UP * self.length)
        if (self.lowering_cost and not falling) or (self.lowering_blind and not seeing_more):
            self.raising, self.state = False, "lowering"
            outside = cost / budget - 1.0 if cost is not None and self.lowering_cost else 0.0
            if sees is not None and self.lowering_blind:
                outside = max(outside, 1.0 - sees / BLIND)
            hard = 1.0 + (HARDEST - 1.0) * min(outside, 1.0)
            if cost is not None and cost > COLLAPSE:
                return -hard * self.settings.adaptation_rate
            return -min(hard * rate, math.log(10.0) / max(TENFOLD_DOWN * self.length, DOWN_STEPS))
        if self.lowering_cost or self.lowering_blind:
            self.raising, self.state = False, "recovering"
            return 0.0
        if cost is None or sees is None:
            self.state = "measuring"
            return 0.0
        early = iteration < 0.1 * self.length
        edge = 1.0 if self.raising else 1.0 - dead
        self.raising = not early and cost < CHEAP * budget * edge and sees > CLEAR * (2.0 - edge)
        if self.raising:
            self.state = "raising"
            return min(rate, up)
        if self.log_multiplier < 0.0 and cost < CALM * budget and falling and sees > AWAKE:
            self.state = "returning"
            return min(RETURN_SPEED * rate, up, -self.log_multiplier)
        self.state = "holding"
        return 0.0

    def health(self) -> str:
        """Of the discriminator: unknown, healthy, dominates, blind, or collapsed for the fidelity that is lost."""
        sees, cost = self.seen_separation, self.cost
        if cost is not None and cost > COLLAPSE:
            return "collapsed"
        if sees is None:
            return "unknown"
        if self.awake and sees < BLIND:
            return "blind"
        nothing = cost is not None and cost < CHEAP * self.settings.fidelity_budget
        return "dominates" if sees > 0.98 and nothing else "healthy"

    def phase_at(self, iteration: int) -> Phase:
        """The phase that a step belongs to; the middle one where the length of the run is not known."""
        done = iteration / self.total_iter if self.total_iter else 0.5
        return next((phase for phase in self.settings.phases if done < phase.until), self.settings.phases[-1])

    def state_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name not in GIVEN}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises KeyError or TypeError for a state that is not whole."""
        for name in (each.name for each in fields(self) if each.name not in GIVEN):
            value = state[name]
            setattr(self, name, Average(**value) if isinstance(value, Mapping) else value)
