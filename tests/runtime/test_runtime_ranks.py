"""Several processes under gloo: all ranks come to the same multipliers, and a NaN on one is known to all."""

from __future__ import annotations

import pytest
import torch
from runtime_ranks import BROKEN_AT, STEPS, run_rank
from torch import multiprocessing

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


def test_all_ranks_are_identical(told):
    first, *others = told
    for other in others:
        for name in ("multipliers", "events", "state"):
            assert other[name] == first[name]
        assert torch.equal(other["weights"], first["weights"])
    assert first["multipliers"][-1] < 0.9


def test_a_nan_on_one_rank_is_named_on_all_and_no_rank_steps(told):
    for rank in told:
        assert (BROKEN_AT, "l_g_l1", "not finite") in rank["events"]
        assert rank["unmoved"]
        assert torch.isfinite(rank["weights"]).all()


def test_one_small_message_a_step(told):
    """Two errors, separation, loss scale and two losses, and how often each was met."""
    assert told[0]["messages"] == [12] * STEPS
