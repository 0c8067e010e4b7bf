"""A small but real x2 super-resolution training on photographs, for the benchmarks to disturb.

A network of 16 channels learns from random crops (low resolution by area averaging) with three losses: L1 (weight 1),
L1 between the features of a fixed random network (0.1), and an adversarial one, whose discriminator learns alongside.
Everything is seeded, and the crops do not depend on what happens in training, so that runs can be compared step by
step. This setting was chosen before the first result was seen, and is not tuned to any.

    python benchmarks/small_training.py FOLDER       one run with static weights: PSNR, shares of the pull, seconds
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from autocal_cli.runtime.guard import shares
from small_networks import Discriminator, Features, Network, seeded
from small_photographs import SCALE, Crops, Photographs, load_photographs, shrink
from torch import Tensor

from autocal_cli.probing.losses import gradient_norms

WEIGHTS = {"l1": 1.0, "feature": 0.1, "gan": 0.005}
TYPES = {"l1": "L1Loss", "feature": "PerceptualLoss", "gan": "GANLoss"}
STEPS = 1200
LEARNING_RATE = 5e-4
SHARE_EVERY = 10  # steps between two measurements of the shares
LATE = 0.8  # "late in training": from this part of the run on
STATEFUL = ("network", "discriminator", "optimizer", "discriminator_optimizer", "scheduler")

Raw = dict[str, Tensor]
Objective = Callable[[Raw, int, Tensor], Tensor]  # raw losses, iteration, network output -> what is minimised
Skip = Literal["never", "if finite", "found_inf"]


class Fault:
    """What is done to a run at an iteration: to the training, to its batch, to its losses. Here: nothing."""

    def before(self, iteration: int, training: SmallTraining) -> None:
        pass

    def batch(self, iteration: int, high: Tensor) -> Tensor:  # noqa: ARG002
        return high

    def losses(self, iteration: int, raw: Raw) -> Raw:  # noqa: ARG002
        return raw


@dataclass
class Trace:
    """What a run showed: L1 at every step, before any fault in the losses; PSNR and shares of the pull now and then."""

    l1: list[float] = field(default_factory=list)
    shares: dict[int, dict[str, float]] = field(default_factory=dict)
    psnr: dict[int, float] = field(default_factory=dict)

    def late_psnr(self, steps: int) -> float:
        """Mean over the evaluations late in training: after a single step it swings by tenths of a decibel."""
        late = [value for step, value in self.psnr.items() if step > LATE * steps]
        return sum(late) / len(late)

    def late_share(self, label: str, steps: int) -> float:
        late = [parts[label] for step, parts in self.shares.items() if step > LATE * steps]
        return sum(late) / max(len(late), 1)


def static(weights: Mapping[str, float]) -> Objective:
    """sum_i w_i L_i"""
    return lambda raw, *_: torch.stack([weights[name] * loss for name, loss in raw.items()]).sum()


def described(weights: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """The losses as a config describes them."""
    return {name: {"type": TYPES[name], "loss_weight": weight} for name, weight in weights.items()}


class SmallTraining:
    """One run: networks, optimisers and crops from one seed. `scheduler`: asked by `found_inf` only."""

    def __init__(
        self,
        photographs: Photographs,
        objective: Objective,
        *,
        seed: int,
        weights: Mapping[str, float] = WEIGHTS,
        skip: Skip = "never",
        scheduler: Any = None,
        fault: Fault | None = None,
    ) -> None:
        self.photographs, self.objective, self.weights = photographs, objective, dict(weights)
        self.skip, self.scheduler, self.fault = skip, scheduler, fault or Fault()
        self.network, self.discriminator = seeded(Network, seed), seeded(Discriminator, seed)
        self.features = seeded(Features, 0).requires_grad_(False)
        fused = skip == "found_inf"
        self.optimizer = torch.optim.Adam(self.network.parameters(), LEARNING_RATE, fused=fused)
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), LEARNING_RATE)
        self.crops = Crops(photographs.training, seed)
        self.trace = Trace()

    def run(self, steps: int, first: int = 1, psnr_every: int = 0) -> Trace:
        """Steps `first` to `steps`, with the PSNR at the end and, if asked for, on the way."""
        for iteration in range(first, steps + 1):
            self.step(iteration)
            if iteration == steps or (psnr_every and iteration % psnr_every == 0):
                self.trace.psnr[iteration] = self.psnr()
        return self.trace

    def step(self, iteration: int) -> None:
        self.fault.before(iteration, self)
        high = self.fault.batch(iteration, self.crops.draw())
        output = self.network(shrink(high))
        raw = self.losses(output, high)
        self.trace.l1.append(raw["l1"].item())
        raw = self.fault.losses(iteration, raw)
        total = self.objective(raw, iteration, output)
        if iteration % SHARE_EVERY == 0:
            self.trace.shares[iteration] = self.measured_shares(raw, output)
        self.optimizer.zero_grad()
        total.backward()
        self.update(raw, total)
        self.train_discriminator(output.detach(), high)

    def losses(self, output: Tensor, high: Tensor) -> Raw:
        """The raw losses: no weight in them."""
        self.discriminator.requires_grad_(False)
        judged = self.discriminator(output)
        return {
            "l1": F.l1_loss(output, high),
            "feature": F.l1_loss(self.features(output), self.features(high)),
            "gan": F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged)),
        }

    def update(self, raw: Raw, total: Tensor) -> None:
        """One step of the optimiser; what is not finite is skipped as `skip` says."""
        if self.skip == "found_inf":
            self.optimizer.found_inf = self.scheduler.found_inf(raw)
        if self.skip != "if finite" or torch.isfinite(total):
            self.optimizer.step()

    def train_discriminator(self, fake: Tensor, real: Tensor) -> None:
        self.discriminator.requires_grad_(True)
        judged_real, judged_fake = self.discriminator(real), self.discriminator(fake)
        loss = F.binary_cross_entropy_with_logits(judged_real, torch.ones_like(judged_real))
        loss = loss + F.binary_cross_entropy_with_logits(judged_fake, torch.zeros_like(judged_fake))
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        self.discriminator_optimizer.step()

    def measured_shares(self, raw: Raw, output: Tensor) -> dict[str, float]:
        """q_i = w_i m_i G_i / sum of these, as they are at this step (not smoothed)."""
        multipliers = self.scheduler.get_current_weights() if self.scheduler else {}
        weights = torch.tensor([self.weights[name] * float(multipliers.get(name, 1.0)) for name in raw])
        return dict(zip(raw, shares(weights * gradient_norms(list(raw.values()), output)).tolist(), strict=True))

    @torch.no_grad()
    def psnr(self) -> float:
        """Mean PSNR in dB over the held-out photographs, RGB, without a border of 4 pixels."""
        found = []
        for high in self.photographs.held_out:
            output = self.network(shrink(high)).clamp(0.0, 1.0)
            error = F.mse_loss(output[..., 4:-4, 4:-4], high[..., 4:-4, 4:-4]).item()
            found.append(-10.0 * math.log10(error) if error > 0.0 else math.nan)
        return sum(found) / len(found)

    def state(self, iteration: int) -> dict[str, Any]:
        """Everything that a resumed run needs, the scheduler's state too."""
        parts = {name: getattr(self, name).state_dict() for name in STATEFUL if getattr(self, name) is not None}
        return {**parts, "crops": self.crops.generator.get_state(), "iteration": iteration}

    def load(self, state: Mapping[str, Any]) -> None:
        for name in STATEFUL:
            if name in state:
                getattr(self, name).load_state_dict(state[name])
        self.crops.generator.set_state(state["crops"])

    def is_finite(self) -> bool:
        return all(bool(torch.isfinite(parameter).all()) for parameter in self.network.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photographs, in any depth")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    training = SmallTraining(load_photographs(arguments.folder), static(WEIGHTS), seed=arguments.seed)
    before, started = training.psnr(), time.perf_counter()
    trace = training.run(arguments.steps)
    parts = {name: trace.late_share(name, arguments.steps) for name in WEIGHTS}
    print(f"x{SCALE}, {arguments.steps} steps in {time.perf_counter() - started:.0f} s")
    print(f"PSNR {before:.2f} -> {training.psnr():.2f} dB; late shares of the pull: {parts}")


if __name__ == "__main__":
    main()
