"""Where the ceiling on the adversarial share should stand: right and wrong weights under several ceilings.

The trainings of efficacy_run.py with L1, feature and adversarial loss (ParagonSR2 nano, x2, 400 steps), static weights
beside the scheduler with each ceiling. PSNR, LPIPS (where its weights are installed, lpips_weights.py), the energy at
high frequencies beside the original's, and how often a fresh classifier tells enlarged crops from real ones.

    python benchmarks/ceilings.py FOLDER [--ceilings 0.35 0.2 0.1 0.05] [--seeds 4] [--factors 1 100]
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

import torch
from efficacy_methods import METHODS
from efficacy_methods.autocal import scheduler
from efficacy_methods.task import Method
from efficacy_run import Outcome, Setting, one_run
from small_photographs import Photographs, load_photographs

MEASURES = ("psnr", "lpips", "high_frequency", "told_apart")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photographs, in any depth; every 25th is held out")
    parser.add_argument("--ceilings", type=float, nargs="+", default=[0.35, 0.2, 0.1, 0.05])
    parser.add_argument("--factors", type=float, nargs="+", default=[1.0, 100.0], help="of the adversarial weight")
    parser.add_argument("--seeds", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = load_photographs(arguments.folder)
    photographs = replace(found, held_out=found.held_out[:10])
    methods = {"static": METHODS["static"], **{f"ceiling {at:g}": held_at(at) for at in arguments.ceilings}}
    print("| adversarial weight | method | PSNR | lowest, highest seed | LPIPS | detail | told apart |")
    print("|---|---|---|---|---|---|---|")
    for factor in arguments.factors:
        for name, method in methods.items():
            runs = [run(method, factor, seed, photographs) for seed in range(arguments.seeds)]
            print(f"| x{factor:g} | {name} | {cells(runs)} |", flush=True)


def held_at(ceiling: float) -> Method:
    return lambda task: scheduler(task, {"ceilings": {"adversarial": ceiling}}).total


def run(method: Method, factor: float, seed: int, photographs: Photographs) -> Outcome:
    setting = Setting("l1+feature+gan", "nano", 2, "static", factor, seed, 400, low_side=16, batch=8)
    return one_run(setting, photographs, torch.device("cpu"), method)


def cells(runs: list[Outcome]) -> str:
    """Means over the seeds; of PSNR the range too."""
    means = [statistics.mean(getattr(run, name) for run in runs) for name in MEASURES]
    all_psnr = [run.psnr for run in runs]
    rest = " | ".join(f"{mean:.3f}" for mean in means[1:])
    return f"{means[0]:.2f} | {min(all_psnr):.2f}, {max(all_psnr):.2f} | {rest}"


if __name__ == "__main__":
    main()
