"""The faults that are injected into a small training, each in the middle of the run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from small_networks import Discriminator, seeded
from small_training import Fault, Raw, SmallTraining
from torch import Tensor

FAULT_AT = 300  # a step at which the scheduler also probes, so that a fault meets the probe as well


@dataclass
class BrokenLoss(Fault):
    """One raw loss times NaN or infinity, for one step."""

    label: str
    factor: float
    at: int = FAULT_AT

    def losses(self, iteration: int, raw: Raw) -> Raw:
        return {**raw, self.label: raw[self.label] * self.factor} if iteration == self.at else raw


@dataclass
class BrightBatch(Fault):
    """A batch whose values, low and high resolution, are too large by a factor, for one step."""

    factor: float

    def batch(self, iteration: int, high: Tensor) -> Tensor:
        return high * self.factor if iteration == FAULT_AT else high


class ResetDiscriminator(Fault):
    """The discriminator forgets everything; its optimiser does not."""

    def before(self, iteration: int, training: SmallTraining) -> None:
        if iteration == FAULT_AT:
            training.discriminator.load_state_dict(seeded(Discriminator, 99).state_dict())


@dataclass
class FastOptimizer(Fault):
    """The learning rate of one optimiser times a factor, for some steps."""

    optimizer: str
    factor: float
    steps: int = 50

    def before(self, iteration: int, training: SmallTraining) -> None:
        if iteration in (FAULT_AT, FAULT_AT + self.steps):
            factor = self.factor if iteration == FAULT_AT else 1.0 / self.factor
            optimizer: torch.optim.Optimizer = getattr(training, self.optimizer)
            for group in optimizer.param_groups:
                group["lr"] *= factor


FAULTS: dict[str, Fault] = {
    "NaN in the L1, one step": BrokenLoss("l1", math.nan),
    "infinity in the adversarial loss, one step": BrokenLoss("gan", math.inf),
    "a batch with values x10": BrightBatch(10.0),
    "a batch with values x100": BrightBatch(100.0),
    "discriminator reset": ResetDiscriminator(),
    "discriminator's learning rate x100, 50 steps": FastOptimizer("discriminator_optimizer", 100.0),
    "network's learning rate x10, 50 steps": FastOptimizer("optimizer", 10.0),
}
