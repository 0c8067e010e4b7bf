"""GradNorm: Chen et al., ICML 2018 (arXiv:1711.02257), with the gradients taken at the network's output.

The multipliers m_i are learned, so that the norms of the weighted gradients come to a common rate:

    |G_i| = w_i m_i |dL_i/dy|        r_i = (L_i / L_i(0)) / mean_j (L_j / L_j(0))
    minimise sum_i | |G_i| - mean_j |G_j| r_i^alpha |   over m, alpha 1.5, Adam 0.025; then sum m = K again

The norms are taken at the output y, where those of the paper are taken at the last shared layer's weights: cheaper, and
the same place where the other methods here look.
"""

from __future__ import annotations

import torch
from torch import Tensor

from efficacy_methods.task import Raw, Task

ALPHA = 1.5
RATE = 0.025
FLOOR = 1e-4  # the paper leaves open what to do with a multiplier that would turn negative


class GradNorm:
    def __init__(self, task: Task) -> None:
        self.weights = task.weights
        self.first: Tensor | None = None

    def __call__(self, raw: Raw, iteration: int, output: Tensor) -> Tensor:  # noqa: ARG002
        values = torch.stack([loss.detach() for loss in raw.values()])
        if self.first is None:
            self.first = values.clamp_min(1e-12)
            self.multipliers = torch.ones_like(values, requires_grad=True)
            self.optimizer = torch.optim.Adam([self.multipliers], RATE)
        configured = values.new_tensor([self.weights[name] for name in raw])
        used = self.multipliers.detach().clone()
        norms = torch.stack([norm(loss, output) for loss in raw.values()])
        self.learn(configured * norms, values / self.first)
        return (torch.stack(list(raw.values())) * configured * used).sum()

    def learn(self, norms: Tensor, progress: Tensor) -> None:
        pulls = self.multipliers * norms
        wanted = pulls.detach().mean() * (progress / progress.mean()) ** ALPHA
        self.optimizer.zero_grad()
        (pulls - wanted).abs().sum().backward()
        self.optimizer.step()
        with torch.no_grad():
            self.multipliers.clamp_(min=FLOOR)
            self.multipliers.mul_(len(norms) / self.multipliers.sum())


def norm(loss: Tensor, output: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(loss, output, retain_graph=True)
    return gradient.flatten(1).norm(dim=1).mean()
