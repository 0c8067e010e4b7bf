"""The rule of the scheduler that traiNNer-redux' fork has today, as far as its effect on the losses goes.

After baseline_iterations steps, for each loss with value L, from an exponential mean s of it (time constant: 10 steps)
and a smoothed change v of that mean (momentum 0.9):

    d = (L - s) / s
    m = 1 -+ rate min(2, |d|)      where |v| passes the threshold: less while the mean rises, more while it falls
    m = 1 - rate d                 else, where |d| passes the threshold
    m = 1                          else

m is found anew at each step, so that it never leaves 1 -+ 2 rate, for |d| <= 2; it can't tell a wrong weight from a
right one. Written from the description of its behaviour; its numbers are its nano preset, which it gives to every name.
"""

from __future__ import annotations

import math

from torch import Tensor

from efficacy_methods.task import Raw, Task, weighted

RATE, THRESHOLD, MOMENTUM, BASELINE = 0.015, 0.04, 0.85, 50  # the guide's nano
LOW, HIGH = 0.1, 10.0
GAIN = 1.0 - math.exp(-1.0 / 10.0)


class ExistingRule:
    def __init__(self, task: Task) -> None:
        self.weights = task.weights
        self.mean: dict[str, float] = {}
        self.change = dict.fromkeys(task.weights, 0.0)

    def __call__(self, raw: Raw, iteration: int, output: Tensor) -> Tensor:  # noqa: ARG002
        values = {name: abs(loss.item()) for name, loss in raw.items()}
        if iteration <= BASELINE:
            self.mean = values
            return weighted(raw, self.weights)
        return weighted(raw, self.weights, {name: self.multiplier(name, value) for name, value in values.items()})

    def multiplier(self, name: str, value: float) -> float:
        before = self.mean[name]
        mean = self.mean[name] = before + GAIN * (value - before)
        change = self.change[name] = MOMENTUM * self.change[name] + (1 - MOMENTUM) * (mean - before)
        if mean <= 1e-8:
            return 1.0
        off = (value - mean) / mean
        if abs(change) > THRESHOLD:
            return min(HIGH, max(LOW, 1.0 - math.copysign(RATE * min(2.0, abs(off)), change)))
        return min(HIGH, max(LOW, 1.0 - RATE * off)) if abs(off) > THRESHOLD else 1.0
