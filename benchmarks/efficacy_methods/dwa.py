"""Dynamic weight averaging: Liu, Johns and Davison, CVPR 2019 (arXiv:1803.10704), section 3.3.

    r_i = L_i(t-1) / L_i(t-2)        m_i = K exp(r_i / T) / sum_j exp(r_j / T)        K losses, T = 2

t counts epochs there; here an epoch is EPOCH steps, and L_i its mean. The configured weights stay in front.
"""

from __future__ import annotations

import math

from torch import Tensor

from efficacy_methods.task import Raw, Task, weighted

TEMPERATURE = 2.0
EPOCH = 20  # steps; chosen: a twentieth of the shortest run


class DynamicWeightAverage:
    def __init__(self, task: Task) -> None:
        self.weights = task.weights
        self.sums = dict.fromkeys(task.weights, 0.0)
        self.epochs: list[dict[str, float]] = []
        self.multipliers = dict.fromkeys(task.weights, 1.0)

    def __call__(self, raw: Raw, iteration: int, output: Tensor) -> Tensor:  # noqa: ARG002
        for name, loss in raw.items():
            self.sums[name] += loss.item() / EPOCH
        if iteration % EPOCH == 0:
            self.epochs = [*self.epochs[-1:], self.sums]
            self.sums = dict.fromkeys(self.sums, 0.0)
            if len(self.epochs) == 2:
                self.multipliers = balanced(*self.epochs)
        return weighted(raw, self.weights, self.multipliers)


def balanced(before: dict[str, float], last: dict[str, float]) -> dict[str, float]:
    powers = {name: math.exp(last[name] / max(before[name], 1e-12) / TEMPERATURE) for name in last}
    return {name: len(powers) * power / sum(powers.values()) for name, power in powers.items()}
