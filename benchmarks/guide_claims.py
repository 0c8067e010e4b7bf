"""The claims of the document that autocal started from, each put to a run.

ParagonSR2 nano at x2 learns with L1, feature and adversarial loss (efficacy_run.py) under static weights, under the
block that the document warns of (momentum 0.95, adaptation_rate 0.005, max_weight 100, baseline_iterations 200), and
under the calibrated one. Three questions: does the first degrade, does the second not; what happens after the first
thousand iterations; and what does the loss scale of mixed precision do.

    python benchmarks/guide_claims.py FOLDER [--steps 3000] [--seeds 3] [--factors 1 100]
    python benchmarks/guide_claims.py FOLDER --loss-scale       the loss scale under fp16, growing every 20 steps
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch
from efficacy_methods.variations import GUIDE
from efficacy_run import Setting, Training
from small_photographs import Photographs, load_photographs
from torch import Tensor

EVERY = 250  # steps between two evaluations
FIRST = 1000  # iterations after which the document saw a degradation
GROWTH = 20  # steps; 2,000 is torch's own, which would take a run of 40,000 to show
COMPARED = {"static": "static", "the block warned of": GUIDE, "calibrated": "autocal"}  # method by name of its row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photographs, in any depth; every 25th is held out")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--factors", type=float, nargs="+", default=[1.0, 100.0], help="of the adversarial weight")
    parser.add_argument("--loss-scale", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = load_photographs(arguments.folder)
    photographs = replace(found, held_out=found.held_out[:10])
    print_loss_scale(photographs, arguments) if arguments.loss_scale else print_traces(photographs, arguments)


def print_traces(photographs: Photographs, arguments: argparse.Namespace) -> None:
    """PSNR on the way: means over the seeds, and the seed farthest from each."""
    print("| adversarial weight | schedule | PSNR at 1,000 | best from there on | at the end | end less best |")
    print("|---|---|---|---|---|---|")
    for factor in arguments.factors:
        for name, method in COMPARED.items():
            settings = [setting(method, factor, seed, arguments.steps) for seed in range(arguments.seeds)]
            traces = [trace(Training(one, photographs, torch.device("cpu"))) for one in settings]
            print(f"x{factor:g} {name}: {traces}", file=sys.stderr, flush=True)
            print(f"| x{factor:g} | {name} | " + " | ".join(cells(traces)) + " |", flush=True)


def setting(method: str, factor: float, seed: int, steps: int) -> Setting:
    return Setting("l1+feature+gan", "nano", 2, method, factor, seed, steps, low_side=16, batch=8)


def trace(training: Training) -> dict[int, float]:
    """PSNR in dB by iteration."""
    found = {}
    for iteration in range(1, training.setting.steps + 1):
        training.step(iteration)
        if iteration % EVERY == 0:
            training.measure()
            found[iteration] = round(training.seen[-1][0], 3)
    return found


def cells(traces: list[dict[int, float]]) -> list[str]:
    ends = [list(trace.values())[-1] for trace in traces]
    bests = [max(value for iteration, value in trace.items() if iteration >= FIRST) for trace in traces]
    falls = [end - best for end, best in zip(ends, bests, strict=True)]
    return [cell(values) for values in ([trace[FIRST] for trace in traces], bests, ends, falls)]


def cell(values: list[float]) -> str:
    mean = statistics.mean(values)
    return f"{mean:.2f} (±{max(abs(value - mean) for value in values):.2f})"


class ScaledTraining(Training):
    """The network under float16 autocast, its gradients scaled. `scales` are those after each step."""

    def __init__(self, setting: Setting, photographs: Photographs) -> None:
        super().__init__(setting, photographs, torch.device("cpu"))
        self.scaler = torch.amp.GradScaler("cpu", growth_interval=GROWTH)
        self.scales: list[float] = []

    def enlarge(self, low: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.float16):
            return super().enlarge(low).float()

    def descend(self, total: Tensor) -> None:
        self.scaler.scale(total).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scales.append(self.scaler.get_scale())


def print_loss_scale(photographs: Photographs, arguments: argparse.Namespace) -> None:
    """Where the loss scale stands in the second half of the run, and how often it backed off."""
    print("| adversarial weight | schedule | lowest | highest | at the end | back-offs |")
    print("|---|---|---|---|---|---|")
    for factor in arguments.factors:
        for name, method in COMPARED.items():
            training = ScaledTraining(setting(method, factor, 0, arguments.steps), photographs)
            for iteration in range(1, arguments.steps + 1):
                training.step(iteration)
            late = training.scales[arguments.steps // 2 :]
            falls = sum(later < earlier for earlier, later in pairwise(training.scales))
            seen = " | ".join(f"2^{math.log2(scale):.0f}" for scale in (min(late), max(late), late[-1]))
            print(f"| x{factor:g} | {name} | {seen} | {falls} |", flush=True)


if __name__ == "__main__":
    main()
