"""What one rank of several does, in a process of its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from runtime_losses import GANLoss, L1Loss
from runtime_runs import BLOCK, feed, new, noisy
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from autocal_cli.runtime import attach

STEPS = 40
BROKEN_AT = 25  # on the last rank only


def rows_of(rank: int, world: int) -> list[dict[str, float]]:
    rows = noisy(STEPS, seed=rank, probed=True, trend=2.0)
    if rank == world - 1:
        rows[BROKEN_AT] |= {"mse": math.nan}
    return rows


def run_rank(rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    meeting = (Path(folder) / "meeting").as_uri()
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    told = {engine: direct(rank, world, engine) for engine in ("host", "device")}
    told["attached"] = attached(rank)
    torch.save(told, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


def direct(rank: int, world: int, engine: str) -> dict[str, Any]:
    messages: list[int] = []
    send = dist.all_reduce

    def counted(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        messages.append(tensor.numel())
        return send(tensor, *args, **kwargs)

    dist.all_reduce = counted
    scheduler = new(engine, {"pixel": 1.0, "mse": 0.5, "gan": 4.0}, total_iter=60)
    try:
        multipliers = feed(scheduler, rows_of(rank, world))
    finally:
        dist.all_reduce = send
    broken = float(scheduler.found_inf({"pixel": torch.tensor(math.nan if rank == 0 else 1.0)}))
    events = [(event.iteration, event.loss, event.cause) for event in scheduler.events()]
    return {"multipliers": multipliers, "events": events, "messages": messages, "broken": broken}


def attached(rank: int) -> dict[str, Any]:
    """A network under DDP whose losses are hooked; every rank has data of its own."""
    torch.manual_seed(0)
    net, critic = DistributedDataParallel(nn.Linear(4, 4)), nn.Linear(4, 1)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    losses = {"l1": L1Loss(), "gan": GANLoss(50.0)}
    attachment = attach(losses, {**BLOCK, "baseline_iterations": 3}, 30, optimizer)
    data = torch.Generator().manual_seed(rank)
    for _ in range(15):
        x = torch.rand(2, 4, generator=data)
        output = net(x)
        optimizer.zero_grad()
        (losses["l1"](output, x) + 50.0 * losses["gan"](critic(output), True)).backward()
        optimizer.step()
    now = {name: float(multiplier) for name, multiplier in attachment.scheduler.get_current_weights().items()}
    return {"multipliers": now, "weight": net.module.weight.detach().clone()}
