"""Two other ways to settle the weights, beside the law in controller.py: MTAdam, and autocal's own first version."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from controller_training import Training
from torch import Tensor

CEILING = 0.1  # of the pull at the network's output, for the adversarial loss: the first version's default
MEMORY = 0.85

Learn = Callable[[Mapping[str, Tensor], Tensor], None]  # raw losses and the network's output: one step of the network


def ceiling(training: Training) -> Learn:
    """The adversarial loss has at most CEILING of the pull: q_i = w_i G_i / sum_j w_j G_j, G the norm of a loss's
    gradient at the output, averaged with MEMORY."""
    weights, pulls = training.weights, dict.fromkeys(training.weights, 0.0)

    def learn(raw: Mapping[str, Tensor], output: Tensor) -> None:
        for name, loss in raw.items():
            norm = weights[name] * torch.autograd.grad(loss, output, retain_graph=True)[0].norm().item()
            pulls[name] = MEMORY * pulls[name] + (1.0 - MEMORY) * norm
        rest = sum(pull for name, pull in pulls.items() if name != "gan")
        held = min(1.0, CEILING / (1.0 - CEILING) * rest / max(pulls["gan"], 1e-12))
        total = sum(weights[name] * (held if name == "gan" else 1.0) * loss for name, loss in raw.items())
        training.optimizer.zero_grad()
        total.backward()
        training.optimizer.step()

    return learn


def mtadam(training: Training, beta_1: float = 0.9, beta_2: float = 0.99, beta_3: float = 0.9) -> Learn:
    """MTAdam (Malkiel and Wolf, EMNLP 2021), from the paper's description: Adam with moments of its own for each loss.

    In each layer a loss's gradient is brought to the average size (beta_3) of the first loss's; the step is the sum of
    the first moments over the root of the largest second moment.
    """
    parameters = list(training.network.parameters())
    rate, step = training.setting.rate, 0
    first = {name: [torch.zeros_like(p) for p in parameters] for name in training.weights}
    second = {name: [torch.zeros_like(p) for p in parameters] for name in training.weights}
    sizes = {name: [0.0] * len(parameters) for name in training.weights}
    anchor = next(iter(training.weights))

    @torch.no_grad()
    def learn(raw: Mapping[str, Tensor], output: Tensor) -> None:  # noqa: ARG001
        nonlocal step
        step += 1
        for name in training.weights:
            with torch.enable_grad():
                gradients = torch.autograd.grad(training.weights[name] * raw[name], parameters, retain_graph=True)
            for at, gradient in enumerate(gradients):
                sizes[name][at] = beta_3 * sizes[name][at] + (1.0 - beta_3) * gradient.norm().item()
                balanced = gradient * (sizes[anchor][at] / max(sizes[name][at], 1e-12))
                first[name][at].lerp_(balanced, 1.0 - beta_1)
                second[name][at].lerp_(balanced**2, 1.0 - beta_2)
        for at, parameter in enumerate(parameters):
            moment = sum(first[name][at] for name in first) / (1.0 - beta_1**step)
            largest = torch.stack([second[name][at] for name in second]).amax(0) / (1.0 - beta_2**step)
            parameter -= rate * moment / (largest.sqrt() + 1e-8)

    return learn


METHODS: Mapping[str, Callable[[Training], Learn]] = {"ceiling": ceiling, "mtadam": mtadam}
