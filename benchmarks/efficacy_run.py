"""One training of the efficacy benchmark: ParagonSR2, one set of losses, one wrong weight, one method."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from autocal_cli.runtime.guard import shares
from efficacy_losses import LOSS_SETS, raw_losses
from efficacy_measures import CLASSIFIER_BATCH, Enlarge, high_frequency_energy, psnr, ssim, told_apart
from efficacy_methods import ALL
from efficacy_methods.task import Task
from lpips_weights import lpips, lpips_weights
from small_networks import Discriminator, Features, seeded
from small_photographs import Crops, Photographs, shrink
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from autocal_cli.network.paragonsr2.first import build_variant
from autocal_cli.probing.losses import gradient_norms

LEARNING_RATE = 1e-3
LATE = 0.8  # what is reported is the mean over EVALUATIONS in the rest of the run
EVALUATIONS = 4
SHARE_EVERY = 4  # steps between two looks at the shares, late in the run
VIEW = 192  # side of the centre of a held-out photograph that is looked at


@dataclass(frozen=True, order=True)
class Setting:
    """What makes a run; two runs with the same setting give the same numbers, but for the time."""

    losses: str
    variant: str
    scale: int
    method: str
    factor: float
    seed: int
    steps: int
    low_side: int  # of the low-resolution crops
    batch: int


@dataclass(frozen=True)
class Outcome:
    """Means over the evaluations late in the run. nan where there is nothing to tell; `step_ms` is time on one core."""

    psnr: float
    ssim: float
    high_frequency: float  # energy beside the original's
    lpips: float  # nan where its weights are not at hand (lpips_weights.py)
    told_apart: float  # accuracy of a fresh classifier; nan without an adversarial loss
    wrong_share: float  # share of the pull that the loss with the wrong weight has
    diverged: bool
    step_ms: float


def one_run(setting: Setting, photographs: Photographs, device: torch.device) -> Outcome:
    """Trains and measures.

    `diverged`: no longer finite, or worse in PSNR than before the first step.
    """
    training = Training(setting, photographs, device)
    training.measure()  # before the first step
    untrained = training.seen.pop()
    evaluated = {round(setting.steps * (LATE + (1 - LATE) * n / EVALUATIONS)) for n in range(1, EVALUATIONS + 1)}
    for iteration in range(1, setting.steps + 1):
        training.step(iteration)
        if iteration in evaluated:
            training.measure()
            if not math.isfinite(training.seen[-1][0]):
                return Outcome(*[math.nan] * 6, diverged=True, step_ms=training.step_ms())
    found = [sum(values) / len(values) for values in zip(*training.seen, strict=True)]
    judged = training.told_apart() if LOSS_SETS[setting.losses].adversarial else math.nan
    share = sum(training.wrong_shares) / len(training.wrong_shares)
    diverged, seen = found[0] < untrained[0], (found[0], found[1], found[2])
    return Outcome(*seen, training.lpips(), judged, share, diverged, training.step_ms())


class Training:
    """Networks, optimisers and crops of one run, all from its seed."""

    def __init__(self, setting: Setting, photographs: Photographs, device: torch.device) -> None:
        self.setting, self.photographs, self.device = setting, photographs, device
        loss_set = LOSS_SETS[setting.losses]
        self.wrong, self.weights = loss_set.wrong, loss_set.scaled(setting.factor)
        self.network = seeded(lambda: build_variant(setting.variant, setting.scale), setting.seed).to(device)
        self.features = seeded(Features, 0).requires_grad_(False).to(device)
        self.discriminator = seeded(Discriminator, setting.seed).to(device) if loss_set.adversarial else None
        self.optimizer = optimizer_of(self.network)
        self.discriminator_optimizer = optimizer_of(self.discriminator) if self.discriminator else None
        self.crops = self.crops_of(photographs.training, setting.seed, setting.batch)
        task = Task(
            self.weights, loss_set.types, loss_set.shares, f"paragonsr2_{setting.variant}", setting.scale,
            setting.batch, setting.steps,
        )  # fmt: skip
        self.objective = ALL[setting.method](task)
        self.seen: list[tuple[float, float, float]] = []
        self.wrong_shares: list[float] = []
        self.times: list[float] = []

    def crops_of(self, images: list[Tensor], seed: int, batch: int) -> Crops:
        return Crops(images, seed, self.setting.low_side * self.setting.scale, batch)

    def step(self, iteration: int) -> None:
        high = self.crops.draw().to(self.device)
        started = self.clock()
        output = self.enlarge(shrink(high, self.setting.scale))
        if self.discriminator:
            self.discriminator.requires_grad_(False)
        raw = raw_losses(list(self.weights), output, high, self.features, self.discriminator)
        total = self.objective(raw, iteration, output)
        if iteration > LATE * self.setting.steps and (self.setting.steps - iteration) % SHARE_EVERY == 0:
            paused = self.clock()
            self.wrong_shares.append(self.share_of_wrong(raw, output))
            started += self.clock() - paused  # looking at the shares is the benchmark's, not the method's
        self.optimizer.zero_grad()
        self.descend(total)
        self.times.append(self.clock() - started)
        if self.discriminator:
            self.train_discriminator(output.detach(), high)

    def enlarge(self, low: Tensor) -> Tensor:
        output: Tensor = self.network(low)
        return output

    def descend(self, total: Tensor) -> None:
        total.backward()
        self.optimizer.step()

    def train_discriminator(self, fake: Tensor, real: Tensor) -> None:
        assert self.discriminator
        assert self.discriminator_optimizer
        self.discriminator.requires_grad_(True)
        loss = F.softplus(-self.discriminator(real)).mean() + F.softplus(self.discriminator(fake)).mean()
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        self.discriminator_optimizer.step()

    def share_of_wrong(self, raw: dict[str, Tensor], output: Tensor) -> float:
        """The share of the pull that the configured weight would have by itself: without any multiplier."""
        pulls = gradient_norms(list(raw.values()), output) * output.new_tensor(list(self.weights.values()))
        return shares(pulls)[list(raw).index(self.wrong)].item()

    def measure(self) -> None:
        self.seen.append(fidelity(self.network, self.photographs, self.setting.scale, self.device))

    def lpips(self) -> float:
        return mean_lpips(self.network, self.photographs, self.setting.scale, self.device)

    def told_apart(self) -> float:
        unseen = [(photograph[0] * 255.0).byte() for photograph in self.photographs.held_out]
        seed = self.setting.seed
        schooling = self.crops_of(self.photographs.training, seed + 7, CLASSIFIER_BATCH)
        test = self.crops_of(unseen, seed, CLASSIFIER_BATCH)
        return told_apart(self.network, schooling, test, self.setting.scale, self.device, seed)

    def clock(self) -> float:
        """Time of this process on the CPU; wall time on an accelerator, after what was given to it is done."""
        if self.device.type == "cpu":
            return time.process_time()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def step_ms(self) -> float:
        """Median over the steps, network and losses, without the discriminator's own step."""
        return sorted(self.times)[len(self.times) // 2] * 1e3


def pairs(
    enlarge: Enlarge, photographs: Photographs, scale: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Every held-out photograph's centre, made small and enlarged again, beside itself: (1, 3, H, W) in 0..1 each."""
    for photograph in photographs.held_out:
        high = centre(photograph, VIEW // scale * scale).to(device)
        yield enlarge(shrink(high, scale)).clamp(0.0, 1.0), high


@torch.no_grad()
def fidelity(
    enlarge: Enlarge, photographs: Photographs, scale: int, device: torch.device
) -> tuple[float, float, float]:
    """PSNR (dB), SSIM, and high-frequency energy beside the original's, over the held-out photographs."""
    found, energies = [], [0.0, 0.0]
    for output, high in pairs(enlarge, photographs, scale, device):
        found.append((psnr(output, high, 2 * scale), ssim(output, high)))
        energies[0] += high_frequency_energy(output, scale)
        energies[1] += high_frequency_energy(high, scale)
    mean_psnr, mean_ssim = (sum(values) / len(found) for values in zip(*found, strict=True))
    return mean_psnr, mean_ssim, energies[0] / energies[1]


@torch.no_grad()
def mean_lpips(enlarge: Enlarge, photographs: Photographs, scale: int, device: torch.device) -> float:
    """Mean over the held-out photographs; nan without the weights for it."""
    weights = lpips_weights()
    if weights is None:
        return math.nan
    found = [lpips(output, high, weights) for output, high in pairs(enlarge, photographs, scale, device)]
    return sum(found) / len(found)


def bicubic(photographs: Photographs, scale: int) -> Outcome:
    """What enlarging without any network gives on the held-out photographs."""

    def enlarge(low: Tensor) -> Tensor:
        return F.interpolate(low, scale_factor=scale, mode="bicubic")

    cpu = torch.device("cpu")
    found, distance = fidelity(enlarge, photographs, scale, cpu), mean_lpips(enlarge, photographs, scale, cpu)
    return Outcome(*found, distance, math.nan, math.nan, diverged=False, step_ms=math.nan)


def optimizer_of(network: torch.nn.Module) -> torch.optim.Optimizer:
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(trained, LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.0)


def centre(image: Tensor, side: int) -> Tensor:
    """The square in the middle of a (1, 3, H, W) image, or what there is of it."""
    top, left = (max(0, (size - side) // 2) for size in image.shape[2:])
    return image[..., top : top + side, left : left + side]
