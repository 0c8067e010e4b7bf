"""What a wrong adversarial weight costs, with static weights and with the scheduler.

The adversarial weight of the small training is multiplied by 1, 10, 100 and 1,000; the PSNR is the mean over seeds and
over the evaluations (every 50 steps) of the last fifth of the run. Target: at x100 and x1,000 the scheduler loses less
than a tenth of what static weights lose (against static weights at x1), and at x1 it equals them within the noise of
the seeds.

    python benchmarks/robustness.py FOLDER [--ceilings 0.35 0.2 0.1] [--seeds 3] [--traces traces.json]

`--ceilings` sets ceilings on the adversarial share; without it the presets' own is taken. `--traces` keeps every run's
PSNR on the way, shares, multipliers and events.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from small_photographs import Photographs, load_photographs
from small_training import STEPS, WEIGHTS, SmallTraining, described, static

from autocal_cli.runtime import DynamicLossScheduler

FACTORS = (1, 10, 100, 1000)
STATIC = "static weights"
PRESETS = "scheduler, ceiling as in the presets"


@dataclass(frozen=True)
class Run:
    method: str
    factor: int
    seed: int
    psnr: float
    late_share: float
    trace: dict[str, Any]


def main() -> None:
    arguments = parsed_arguments()
    torch.set_num_threads(1)
    photographs = load_photographs(arguments.folder)
    blocks = {PRESETS: {}} if not arguments.ceilings else {named(c): with_ceiling(c) for c in arguments.ceilings}
    runs: list[Run] = []
    for method, block in {STATIC: None, **blocks}.items():
        for factor in arguments.factors:
            for seed in range(arguments.seeds):
                runs.append(one_run(photographs, method, block, factor, seed, arguments))
                print(method, f"x{factor}, seed {seed}: {runs[-1].psnr:.2f} dB", file=sys.stderr, flush=True)
    print(table(runs, arguments.factors))
    if arguments.traces:
        arguments.traces.write_text(json.dumps([asdict(run) for run in runs]), encoding="utf-8")


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photographs, in any depth")
    parser.add_argument("--ceilings", type=float, nargs="+", help="ceilings on the adversarial share, 0..1")
    parser.add_argument("--factors", type=int, nargs="+", default=FACTORS, help="of the adversarial weight")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--psnr-every", type=int, default=50, help="steps between two evaluations")
    parser.add_argument("--traces", type=Path, help="a JSON file to write")
    return parser.parse_args()


def named(ceiling: float) -> str:
    return f"scheduler, ceiling {ceiling:g}"


def with_ceiling(ceiling: float) -> dict[str, Any]:
    """What a user would write; other ceilings stay as in the presets."""
    return {"ceilings": {"adversarial": ceiling}}


def one_run(
    photographs: Photographs, method: str, block: dict[str, Any] | None, factor: int, seed: int, arguments: Any
) -> Run:
    weights = {**WEIGHTS, "gan": WEIGHTS["gan"] * factor}
    scheduler = None if block is None else new_scheduler(block, weights, arguments.steps)
    objective = static(weights) if scheduler is None else scheduler.total
    training = SmallTraining(photographs, objective, seed=seed, weights=weights, scheduler=scheduler)
    trace = training.run(arguments.steps, psnr_every=arguments.psnr_every)
    kept = {"psnr": trace.psnr, "gan_share": {step: parts["gan"] for step, parts in trace.shares.items()}}
    if scheduler is not None:
        kept["events"] = [str(event) for event in scheduler.events()]
        kept["multipliers"] = scheduler.get_monitoring_stats()["multipliers"]
    return Run(method, factor, seed, trace.late_psnr(arguments.steps), trace.late_share("gan", arguments.steps), kept)


def new_scheduler(block: dict[str, Any], weights: dict[str, float], steps: int) -> DynamicLossScheduler:
    """As users get it: calibrated from the presets where the block says nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that the block is not resolved, which is meant here
        return DynamicLossScheduler.from_config({"auto_calibrate": True, **block}, described(weights), steps)


def table(runs: list[Run], factors: list[int]) -> str:
    """Markdown, three rows a method: PSNR (± the seed farthest from the mean), its loss beside static, the share."""
    lines = [
        "| adversarial weight | " + " | ".join(f"x{factor}" for factor in factors) + " |",
        "|---|" + "---|" * len(factors),
    ]
    for method in dict.fromkeys(run.method for run in runs):
        lines.append(f"| {method}: PSNR | " + " | ".join(psnr_cell(runs, method, f) for f in factors) + " |")
        lines.append("| loss / static loss | " + " | ".join(loss_cell(runs, method, f) for f in factors) + " |")
        lines.append("| adversarial share, late | " + " | ".join(share_cell(runs, method, f) for f in factors) + " |")
    return "\n".join(lines)


def of(runs: list[Run], method: str, factor: int) -> list[Run]:
    return [run for run in runs if run.method == method and run.factor == factor]


def mean_psnr(runs: list[Run], method: str, factor: int) -> float:
    return statistics.mean(run.psnr for run in of(runs, method, factor))


def psnr_cell(runs: list[Run], method: str, factor: int) -> str:
    mean = mean_psnr(runs, method, factor)
    spread = max(abs(run.psnr - mean) for run in of(runs, method, factor))
    return f"{mean:.2f} (±{spread:.2f})"


def loss_cell(runs: list[Run], method: str, factor: int) -> str:
    """(static at x1 - method) / (static at x1 - static), both in dB; at x1 there is nothing to divide by."""
    if method == STATIC or factor == 1 or not of(runs, STATIC, 1):
        return "-"
    right = mean_psnr(runs, STATIC, 1)
    return f"{(right - mean_psnr(runs, method, factor)) / (right - mean_psnr(runs, STATIC, factor)):.3f}"


def share_cell(runs: list[Run], method: str, factor: int) -> str:
    return f"{statistics.mean(run.late_share for run in of(runs, method, factor)):.3f}"


if __name__ == "__main__":
    main()
