"""What one rank of several does, in a process of its own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from runtime_training import BLOCK, Run, images
from torch.nn import functional as F  # noqa: N812
from torch.nn.parallel import DistributedDataParallel

from autocal_cli.runtime import attach

STEPS = 30
BROKEN_AT = 20  # on the last rank only


def run_rank(rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    meeting = (Path(folder) / "meeting").as_uri()
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    torch.save(trained(rank, world), Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


def trained(rank: int, world: int) -> dict[str, Any]:
    """A network under DDP whose losses are hooked; every rank has data of its own."""
    run = Run(weight=100.0)
    net, judge = DistributedDataParallel(run.net), DistributedDataParallel(run.judge)
    losses = run.losses
    attachment = attach(losses, BLOCK, 60, network=net, optimizer=run.optimizer)
    messages: list[int] = []
    send = dist.all_reduce

    def counted(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        messages.append(tensor.numel())
        return send(tensor, *args, **kwargs)

    dist.all_reduce = counted
    multipliers, before = [], None
    for step in range(1, STEPS + 1):
        high = images(1_000 * rank + step)
        output = net(F.avg_pool2d(high, 2))
        if step == BROKEN_AT:
            before = run.weights()
        bad = math.nan if step == BROKEN_AT and rank == world - 1 else 1.0
        run.optimizer.zero_grad()
        for parameter in run.judge.parameters():
            parameter.requires_grad_(False)
        total = losses["l_g_l1"](output * bad, high) + 5.0 * losses["l_g_gan"](run.judge(output), True)
        total.backward()
        run.optimizer.step()
        if step == BROKEN_AT:
            unmoved = torch.equal(run.weights(), before)
        for parameter in run.judge.parameters():
            parameter.requires_grad_(True)
        real, fake = judge(torch.cat([high, output.detach()])).chunk(2)
        run.judge_optimizer.zero_grad()
        (losses["l_g_gan"](real, True, is_disc=True) + losses["l_g_gan"](fake, False, is_disc=True)).backward()
        run.judge_optimizer.step()
        multipliers.append(attachment.scheduler.multiplier("l_g_gan"))
    dist.all_reduce = send
    events = [(event.iteration, event.loss, event.cause) for event in attachment.scheduler.events()]
    state = attachment.scheduler.controller.state_dict()
    return {
        "multipliers": multipliers, "events": events, "messages": messages, "weights": run.weights(),
        "unmoved": unmoved, "state": state,
    }  # fmt: skip
