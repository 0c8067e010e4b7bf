"""What faults in the middle of a run cost, with static weights and with the scheduler.

Each run of the small training meets one fault at step 300 of 600. It is compared, step by step and on the same crops,
with a run of the same method that meets none. "Steps to recover": from the fault to the last step at which the L1, as
a ratio to that of the unharmed run (median of the latest 9 steps), was more than 5% too high; 0 where it never was.

    python benchmarks/faults.py FOLDER [--factor 1] [--seed 0] [--only faults kill ranks]

`--factor` multiplies the adversarial weight. Three ways to treat a step: static weights as they are; static weights
with the usual `if torch.isfinite(total)` around the optimiser's step; and the scheduler, with a fused Adam that is
given `scheduler.found_inf(raw)`. Two more faults follow in tables of their own: a process killed with signal 9 and
resumed (small_resume.py), and a NaN on one of two ranks (small_ranks.py).
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from pathlib import Path

import torch
from robustness import new_scheduler
from small_faults import FAULT_AT, FAULTS, BrokenLoss
from small_photographs import Photographs, load_photographs
from small_ranks import ranks_table
from small_resume import resume_table
from small_training import WEIGHTS, Fault, SmallTraining, static

STEPS = 600
LATEST = 9  # steps of the running median
TOLERANCE = 1.05
METHODS = {"static": "never", "static, if finite": "if finite", "scheduler": "found_inf"}
PARTS = ("faults", "kill", "ranks")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photographs, in any depth")
    parser.add_argument("--factor", type=float, default=1.0, help="of the adversarial weight")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if "faults" in arguments.only:
        print(faults_table(load_photographs(arguments.folder), arguments.factor, arguments.seed), end="\n\n")
    if "kill" in arguments.only:
        print(resume_table(arguments.folder), end="\n\n")
    if "ranks" in arguments.only:
        print(ranks_table(arguments.folder))


def faults_table(photographs: Photographs, factor: float, seed: int) -> str:
    weights = {**WEIGHTS, "gan": WEIGHTS["gan"] * factor}
    lines = [
        "| fault | method | ended finite | steps to recover | PSNR | without the fault |",
        "|---|---|---|---|---|---|",
    ]
    unharmed = {method: one_run(photographs, method, weights, seed, Fault()) for method in METHODS}
    for name, fault in FAULTS.items():
        for method in METHODS:
            if method != "static, if finite" or isinstance(fault, BrokenLoss):  # else it is the same as static
                run = one_run(photographs, method, weights, seed, fault)
                lines.append(f"| {name} | {method} | {' | '.join(cells(run, unharmed[method]))} |")
                print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def one_run(photographs: Photographs, method: str, weights: dict[str, float], seed: int, fault: Fault) -> SmallTraining:
    scheduler = new_scheduler({}, weights, STEPS) if method == "scheduler" else None
    objective = scheduler.total if scheduler else static(weights)
    training = SmallTraining(
        photographs, objective, seed=seed, weights=weights, skip=METHODS[method], scheduler=scheduler, fault=fault
    )
    training.run(STEPS)
    return training


def cells(run: SmallTraining, unharmed: SmallTraining) -> list[str]:
    finite = "yes" if run.is_finite() else "no"
    steps = steps_to_recover(run.trace.l1, unharmed.trace.l1)
    recovered = "never" if steps is None else str(steps)
    return [finite, recovered, f"{run.trace.psnr[STEPS]:.2f}", f"{unharmed.trace.psnr[STEPS]:.2f}"]


def steps_to_recover(harmed: list[float], unharmed: list[float]) -> int | None:
    """From the fault to the last step that was more than 5% too high; None where that lasts to the end."""
    ratios = [one / other if math.isfinite(one) else math.inf for one, other in zip(harmed, unharmed, strict=True)]
    medians = {end: statistics.median(ratios[end - LATEST : end]) for end in range(FAULT_AT, len(ratios) + 1)}
    high = [step for step, median in medians.items() if median > TOLERANCE]
    if not high:
        return 0
    return None if high[-1] == len(ratios) else high[-1] - FAULT_AT + 1


if __name__ == "__main__":
    main()
