"""Each of the six numbers, the budget and each phase acts: a real training of L1 + GAN ends with other weights."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from runtime_training import BLOCK, Run, scheduled

from autocal_cli.runtime import DynamicLossScheduler

STEPS = 140

# The number, another value of it, and by how much the adversarial weight is wrong where that shows.
CHANGES = [
    ("momentum", 0.97, 100.0),
    ("adaptation_rate", 0.01, 100.0),
    ("adaptation_threshold", 0.5, 100.0),
    ("min_weight", 0.9, 100.0),
    ("max_weight", 1.02, 0.01),
    ("baseline_iterations", 60, 100.0),
    ("fidelity_budget", 3.0, 100.0),
    ("phases", {"early": {"rate": 0.0}}, 100.0),
    ("phases", {"middle": {"rate": 0.1}}, 0.01),
    ("phases", {"late": {"rate": 0.0}}, 0.01),
    ("mode", "observe", 100.0),
    ("enabled", False, 100.0),
]


def trained(block, factor):
    run = Run(weight=factor)
    scheduler = DynamicLossScheduler.from_config(block, run.losses, STEPS)
    return scheduled(run, scheduler, STEPS).weights(), scheduler


@cache
def usual(factor):
    return trained(BLOCK, factor)[0]


@pytest.mark.parametrize(("key", "value", "factor"), CHANGES, ids=[f"{row[0]} {row[1]}" for row in CHANGES])
def test_another_value_is_another_training(key, value, factor):
    changed, scheduler = trained({**BLOCK, key: value}, factor)
    assert not torch.equal(changed, usual(factor))
    assert torch.isfinite(changed).all()
    if key in ("mode", "enabled"):
        assert scheduler.multiplier("l_g_gan") == 1.0


@pytest.mark.parametrize("mode", [{"mode": "observe"}, {"enabled": False}])
def test_what_only_watches_trains_as_without_it(mode):
    assert torch.equal(trained({**BLOCK, **mode}, 100.0)[0], Run(weight=100.0).steps(STEPS).weights())
