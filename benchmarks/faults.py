"""What a batch that is not finite costs in the middle of a run: static weights, and with the scheduler.

    python benchmarks/faults.py FOLDER [--steps 300]

The adversarial training of controller.py (cell "random") meets NaN in its L1 loss, once or for five steps in a row, in
the middle of the run. The scheduler names the loss and has the optimiser's step skipped; nothing else acts on faults.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import torch
from controller_run import scheduler_for
from controller_training import Setting, Training
from small_photographs import Photographs, load_photographs, shrink


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photographs, in any depth")
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    photographs = load_photographs(arguments.folder)
    half = arguments.steps // 2
    print("| NaN at | static | with the scheduler | named |\n|---|---|---|---|")
    for broken in ((), (half,), tuple(range(half, half + 5))):
        setting = Setting(start="scratch", steps=arguments.steps)
        without, _ = run(setting, photographs, broken)
        with_it, named = run(replace(setting, method="law"), photographs, broken)
        told = "never" if not broken else f"{len(broken)} of {arguments.steps} steps"
        print(f"| {told} | {without:.2f} dB | {with_it:.2f} dB | {named} |")


def run(setting: Setting, photographs: Photographs, broken: Collection[int]) -> tuple[float, str]:
    """PSNR at the end, NaN where the network is lost, and the events that name the fault."""
    with tempfile.TemporaryDirectory() as folder:
        training = Training(setting, photographs, Path(folder))
    scheduler = scheduler_for(setting, training)
    for step in range(1, setting.steps + 1):
        high = training.crops.draw()
        low = shrink(high, setting.scale)
        output = training.network(low)
        raw = training.raw_losses(output, high)
        if step in broken:
            raw["l1"] = raw["l1"] * math.nan
        training.optimizer.zero_grad()
        scheduler.total(raw, step, output, high, low).backward()
        training.optimizer.step()
        training.follow(step)
        scheduler.observe_discriminator(*training.train_judge(output, high))
    named = [f"{event.loss} at {event.iteration}" for event in scheduler.events() if "not finite" in event.cause]
    finite = all(bool(torch.isfinite(parameter).all()) for parameter in training.network.parameters())
    return (training.judged()[0] if finite else math.nan), ", ".join(named)


if __name__ == "__main__":
    main()
