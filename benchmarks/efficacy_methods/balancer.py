"""The gradient balancer of EnCodec: Defossez et al. 2022 (arXiv:2210.13438), section 3.4.

Each loss pulls at the network's output with its share of a fixed sum, whatever its own scale:

    g = sum_i R w_i / (sum_j w_j) g_i / <|g_i|>        <.> an exponential mean, beta 0.999, bias taken out; R = 1

g_i the gradient of L_i at the output, |.| its norm for each image, averaged over the batch. The weights are shares
here, so a weight made wrong makes a wrong share. What is returned has g as its gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from efficacy_methods.task import Raw, Task

BETA = 0.999


class Balancer:
    def __init__(self, task: Task) -> None:
        total = sum(task.weights.values())
        self.shares = {name: weight / total for name, weight in task.weights.items()}
        self.sums = dict.fromkeys(task.weights, 0.0)
        self.counts = dict.fromkeys(task.weights, 0.0)

    def __call__(self, raw: Raw, iteration: int, output: Tensor) -> Tensor:  # noqa: ARG002
        balanced = torch.zeros_like(output)
        for name, loss in raw.items():
            (gradient,) = torch.autograd.grad(loss, output, retain_graph=True)
            norm = gradient.flatten(1).norm(dim=1).mean().item()
            self.sums[name] = BETA * self.sums[name] + norm
            self.counts[name] = BETA * self.counts[name] + 1.0
            balanced += self.shares[name] / max(self.sums[name] / self.counts[name], 1e-12) * gradient
        return (output * balanced.detach()).sum()
