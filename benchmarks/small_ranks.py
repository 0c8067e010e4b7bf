"""A NaN on one of two ranks: does the training survive it, and do the ranks stay together?

Two processes (gloo) train one network with DistributedDataParallel, each with its own crops and, to keep it small, its
own discriminator. On rank 1 the L1 is NaN for one step. With static weights the check `if torch.isfinite(total)` sees
its own rank alone.
"""

from __future__ import annotations

import math
import os
import socket
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from robustness import new_scheduler
from small_faults import BrokenLoss
from small_photographs import load_photographs
from small_resume import same_bits
from small_training import WEIGHTS, Fault, SmallTraining, static

STEPS = 100
NAN_AT = 50
METHODS = {"static": "never", "static, if finite": "if finite", "scheduler": "found_inf"}


def ranks_table(folder: Path) -> str:
    lines = ["| NaN on one of two ranks | ended finite | ranks have equal weights | PSNR |", "|---|---|---|---|"]
    for method in METHODS:
        with tempfile.TemporaryDirectory() as scratch:
            multiprocessing.spawn(train_rank, (folder, method, Path(scratch), free_port()), nprocs=2)
            one, other = (torch.load(Path(scratch, f"{rank}.pt")) for rank in range(2))
        finite = "yes" if one["finite"] and other["finite"] else "no"
        same = same_bits(one["network"], other["network"])
        lines.append(f"| {method} | {finite} | {'yes' if same else 'no'} | {one['psnr']:.2f} |")
    return "\n".join(lines)


def train_rank(rank: int, folder: Path, method: str, scratch: Path, port: int) -> None:
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=2)
    training = new_training(rank, folder, method)
    training.run(STEPS)
    network = training.network.module.state_dict()
    result = {"network": network, "finite": training.is_finite(), "psnr": training.trace.psnr[STEPS]}
    torch.save(result, scratch / f"{rank}.pt")
    dist.destroy_process_group()


def new_training(rank: int, folder: Path, method: str) -> SmallTraining:
    scheduler = new_scheduler({}, WEIGHTS, STEPS) if method == "scheduler" else None
    objective = scheduler.total if scheduler else static(WEIGHTS)
    fault = BrokenLoss("l1", math.nan, at=NAN_AT) if rank == 1 else Fault()
    photographs = load_photographs(folder)
    training = SmallTraining(photographs, objective, seed=rank, skip=METHODS[method], scheduler=scheduler, fault=fault)
    training.network = torch.nn.parallel.DistributedDataParallel(training.network)
    return training


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
