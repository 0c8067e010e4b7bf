"""A training that is killed with signal 9 and resumed from its last checkpoint, beside one that nobody interrupts.

Each run is a process of its own. The adversarial weight is 100 times too large, so that the scheduler has something to
remember. The runs are equal when all final weights are, bit for bit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from robustness import new_scheduler
from small_photographs import load_photographs
from small_training import WEIGHTS, SmallTraining, static

STEPS = 400
SAVE_EVERY = 100
KILL_AFTER = 200  # the checkpoint after which the process is killed, in the midst of the steps that follow
FORGET = "scheduler, its state not kept"
METHODS = ("static", "scheduler", FORGET)
WEIGHTS_X100 = {**WEIGHTS, "gan": 100 * WEIGHTS["gan"]}


def resume_table(folder: Path) -> str:
    lines = ["| killed and resumed | same weights, bit for bit | PSNR | without the kill |", "|---|---|---|---|"]
    for method in METHODS:
        with tempfile.TemporaryDirectory() as scratch:
            whole, killed = Path(scratch, "whole.pt"), Path(scratch, "killed.pt")
            start(folder, method, whole).wait()
            kill_after(start(folder, method, killed), killed)
            start(folder, method, killed).wait()
            one, other = torch.load(whole), torch.load(killed)
        same = same_bits(one["network"], other["network"])
        lines.append(f"| {method} | {'yes' if same else 'no'} | {other['psnr']:.2f} | {one['psnr']:.2f} |")
    return "\n".join(lines)


def same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two networks are equal bit for bit, NaN included."""
    return all(torch.equal(value.view(torch.int32), other[name].view(torch.int32)) for name, value in one.items())


def start(folder: Path, method: str, checkpoint: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, str(folder), "--method", method, "--checkpoint", checkpoint])


def kill_after(process: subprocess.Popen[bytes], checkpoint: Path) -> None:
    """Kills the process half a second after the checkpoint of step KILL_AFTER is there."""
    while not (checkpoint.exists() and torch.load(checkpoint)["iteration"] >= KILL_AFTER):
        if process.poll() is not None:
            raise SystemExit("The training ended before it could be killed.")
        time.sleep(0.05)
    time.sleep(0.5)
    process.kill()
    if process.wait() == 0 or torch.load(checkpoint)["iteration"] >= STEPS:
        raise SystemExit("The training ended before it could be killed.")


def main() -> None:
    """One process: goes on from the checkpoint where there is one, to the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    training = new_training(arguments.folder, arguments.method)
    first = resumed(training, arguments.checkpoint, arguments.method) + 1
    for iteration in range(first, STEPS + 1):
        training.step(iteration)
        if iteration % SAVE_EVERY == 0:
            save(training, iteration, arguments.checkpoint)


def new_training(folder: Path, method: str) -> SmallTraining:
    scheduler = None if method == "static" else new_scheduler({}, WEIGHTS_X100, STEPS)
    objective = scheduler.total if scheduler else static(WEIGHTS_X100)
    return SmallTraining(load_photographs(folder), objective, seed=0, weights=WEIGHTS_X100, scheduler=scheduler)


def resumed(training: SmallTraining, checkpoint: Path, method: str) -> int:
    """The iteration of the checkpoint that was taken up; 0 where there is none."""
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint)
    if method == FORGET:
        del state["scheduler"]
    training.load(state)
    return int(state["iteration"])


def save(training: SmallTraining, iteration: int, checkpoint: Path) -> None:
    """Writes beside it and renames, so that a checkpoint is whole or absent."""
    beside = checkpoint.with_suffix(".new")
    torch.save({**training.state(iteration), "psnr": training.psnr() if iteration == STEPS else 0.0}, beside)
    beside.replace(checkpoint)


if __name__ == "__main__":
    main()
