"""Several processes under gloo: all ranks come to the same multipliers, and a NaN on one is known to all."""

from __future__ import annotations

import math

import pytest
import torch
from runtime_ranks import BROKEN_AT, STEPS, rows_of, run_rank
from runtime_runs import feed, new
from torch import multiprocessing

from autocal_cli.runtime.schedule import probe_due

pytestmark = pytest.mark.xdist_group("runtime ranks")  # one worker, so that the processes are started once


def method() -> str:
    """Ranks that are forked from a process which has torch already, where that can be; importing it takes seconds."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return "spawn"
    multiprocessing.set_forkserver_preload(["torch.nn.parallel", "torch._dynamo"])
    return "forkserver"


@pytest.fixture(scope="module", params=[2, 3])
def told(request, tmp_path_factory):
    """What each rank tells of its run."""
    folder, world = tmp_path_factory.mktemp("ranks"), request.param
    multiprocessing.start_processes(run_rank, (world, str(folder)), nprocs=world, start_method=method())
    return [torch.load(folder / f"{rank}.pt") for rank in range(world)]


def test_all_ranks_are_identical(told, engine):
    first, *others = (rank[engine] for rank in told)
    for other in others:
        assert other["multipliers"] == first["multipliers"]
        assert other["events"] == first["events"]
    assert any(multiplier != 1.0 for step in first["multipliers"] for multiplier in step.values())


def test_a_nan_on_one_rank_is_named_on_all(told, engine):
    assert all((BROKEN_AT + 1, "mse", "not finite") in rank[engine]["events"] for rank in told)
    assert [rank[engine]["broken"] for rank in told] == [1.0] * len(told)


def test_one_small_message_a_step_at_most(told, engine):
    """Three means once a step was seen; three norms and a count where gradients were probed."""
    expected = [(3 if step > 1 else 0) + (4 if probe_due(step) else 0) for step in range(1, STEPS + 1)]
    assert told[0][engine]["messages"] == expected


def test_ranks_together_are_one_process_with_the_average(told, engine):
    world = len(told)
    rows = [
        {name: sum(row[name] for row in step) / world for name in step[0]}
        for step in zip(*(rows_of(rank, world) for rank in range(world)), strict=True)
    ]
    alone = feed(new(engine, {"pixel": 1.0, "mse": 0.5, "gan": 4.0}, total_iter=60), rows)
    for one, other in zip(told[0][engine]["multipliers"], alone, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    assert math.isnan(rows[BROKEN_AT]["mse"])


def test_hooks_under_ddp(told):
    first, *others = (rank["attached"] for rank in told)
    assert first["multipliers"]["gan"] < 0.5
    for other in others:
        assert other["multipliers"] == first["multipliers"]
        assert torch.equal(other["weight"], first["weight"])
