"""SoftAdapt, loss-weighted: Heydari, Thompson and Mehmood 2019 (arXiv:1912.12355).

    m_i = K L_i exp(beta (s_i - max s)) / sum_j L_j exp(beta (s_j - max s))        s_i the slope of L_i, beta = 0.1

The slope is taken over the last WINDOW steps by finite differences, the weights are made anew every WINDOW steps, and
the K keeps the sum of the multipliers at the number of losses. The configured weights stay in front.
"""

from __future__ import annotations

import math

from torch import Tensor

from efficacy_methods.task import Raw, Task, weighted

BETA = 0.1
WINDOW = 10


class SoftAdapt:
    def __init__(self, task: Task) -> None:
        self.weights = task.weights
        self.recent: list[dict[str, float]] = []
        self.multipliers = dict.fromkeys(task.weights, 1.0)

    def __call__(self, raw: Raw, iteration: int, output: Tensor) -> Tensor:  # noqa: ARG002
        self.recent.append({name: loss.item() for name, loss in raw.items()})
        if len(self.recent) == WINDOW:
            self.multipliers = adapted(self.recent)
            self.recent = []
        return weighted(raw, self.weights, self.multipliers)


def adapted(recent: list[dict[str, float]]) -> dict[str, float]:
    steps = len(recent) - 1
    slopes = {name: (recent[-1][name] - recent[0][name]) / steps for name in recent[0]}
    steepest = max(slopes.values())
    means = {name: sum(values[name] for values in recent) / len(recent) for name in slopes}
    powers = {name: means[name] * math.exp(BETA * (slope - steepest)) for name, slope in slopes.items()}
    return {name: len(powers) * power / max(sum(powers.values()), 1e-12) for name, power in powers.items()}
