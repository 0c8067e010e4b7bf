"""Half precision, GradScaler, torch.compile, and losses that move to another device."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from runtime_runs import BLOCK, feed, new, noisy
from torch import nn
from torch._dynamo.testing import CompileCounter

from autocal_cli.runtime import DynamicLossScheduler, attach
from autocal_cli.runtime.track import FIELDS

LOSSES = {"l1": {"type": "L1Loss", "loss_weight": 1.0}, "gan": {"type": "GANLoss", "loss_weight": 5.0}}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net, self.critic = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 1, 3)

    def losses(self, x):
        output = self.net(x)
        return output, {"l1": (output - x).abs().mean(), "gan": nn.functional.softplus(-self.critic(output)).mean()}


def shares(dtype, engine, scaler=None):
    model, x = Model(), torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    scheduler = DynamicLossScheduler.from_config(BLOCK, LOSSES, engine=engine)
    for iteration in (1, 2):
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            output, raw = model.losses(x)
            total = scheduler.total(raw, iteration, output)
        (scaler.scale(total) if scaler else total).backward()
    assert total.dtype == torch.float32
    return scheduler.get_monitoring_stats()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gradients_under_autocast_are_those_of_full_precision(engine, dtype):
    full, half = shares(torch.float32, engine), shares(dtype, engine)
    assert half["multipliers"] == pytest.approx(full["multipliers"], rel=0.02)
    assert full["multipliers"]["gan"] < 0.7


def test_the_loss_scale_does_not_reach_the_probe(engine):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**14)
    assert shares(torch.float16, engine, scaler) == shares(torch.float16, engine)


@pytest.mark.parametrize("faults", [1, 4])
def test_one_backoff_of_a_real_grad_scaler_is_ordinary_and_repeated_ones_are_an_event(engine, faults):
    model, x = Model(), torch.rand(2, 3, 16, 16)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    scheduler = DynamicLossScheduler.from_config(BLOCK, LOSSES, engine=engine)
    scheduler.grad_scaler = scaler
    optimizer = torch.optim.SGD(model.net.parameters(), 1e-3)
    for iteration in range(1, 20):
        output, raw = model.losses(x)
        scaler.scale(scheduler.total(raw, iteration, output)).backward()
        if 5 <= iteration < 5 + faults:
            model.net.weight.grad[0] = math.inf
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    assert scaler.get_scale() == 2.0**10 / 2**faults
    told = [event.cause for event in scheduler.events()]
    assert told == (["loss-scale back-offs"] if faults > 1 else [])


def test_a_compiled_step_is_compiled_once(engine):
    """The multipliers reach a whole-graph step as tensors, so that it is not compiled again as they change."""
    scheduler = new(engine, {"pixel": 1.0, "gan": 5.0}, gradient_shares={"gan": 0.1})
    model, counter, seen = Model(), CompileCounter(), set()

    @torch.compile(fullgraph=True, backend=counter)
    def weighted(raw, multipliers):
        return raw["pixel"] * multipliers["pixel"] + 5.0 * raw["gan"] * multipliers["gan"]

    for iteration in range(1, 6):
        output, raw = model.losses(torch.rand(2, 3, 16, 16))
        raw = {"pixel": raw["l1"], "gan": raw["gan"]}
        multipliers = scheduler(raw, iteration, output)
        weighted(raw, multipliers).backward()
        seen.add(multipliers["gan"].item())
    assert len(seen) > 1
    assert counter.frame_count == 1


def test_the_update_compiles_as_one_graph():
    scheduler = new("device")
    feed(scheduler, noisy(30, probed=True))
    eager = scheduler._rows.engine
    compiled = copy.deepcopy(eager)
    knobs = scheduler._knobs()

    @torch.compile(fullgraph=True, backend="aot_eager")
    def advance(values):
        compiled.advance(values, 31, knobs, 20, 0.05)
        return compiled.log_multipliers()

    values = torch.tensor([0.1, 0.5, math.nan])
    eager.advance(values, 31, knobs, 20, 0.05)
    assert torch.allclose(advance(values), eager.log_multipliers())
    for name in FIELDS:
        assert torch.allclose(getattr(compiled.track, name).float(), getattr(eager.track, name).float())
    assert compiled.read_events() == eager.read_events() != []


def test_hooked_losses_within_a_compiled_step():
    """Hooks within a compiled function break its graph, but change no number."""

    def train(compiled):
        torch.manual_seed(0)
        net, l1, mse = nn.Linear(4, 4), nn.L1Loss(), nn.MSELoss()
        attachment = attach({"l1": l1, "mse": mse}, {**BLOCK, "gradient_shares": {"l1": 0.2}})

        def step(x):
            output = net(x)
            return l1(output, 2 * x) + mse(output, 2 * x)

        run = torch.compile(step, backend="eager") if compiled else step
        totals = [run(torch.full((2, 4), 1.0 + number)).item() for number in range(4)]
        return totals, {name: float(m) for name, m in attachment.scheduler.get_current_weights().items()}

    (plain, expected), (compiled, found) = train(False), train(True)
    assert compiled == pytest.approx(plain)
    assert found == pytest.approx(expected)
    assert expected["l1"] != 1.0


@pytest.mark.parametrize("backend", ["aot_eager"])
def test_the_probe_runs_through_a_compiled_discriminator(backend):
    model = Model()
    plain = shares(torch.float32, "host")
    model.critic = torch.compile(model.critic, backend=backend)
    scheduler = DynamicLossScheduler.from_config(BLOCK, LOSSES)
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    output, raw = model.losses(x)
    scheduler.total(raw, 1, output).backward()
    assert scheduler.get_monitoring_stats()["multipliers"] == pytest.approx(plain["multipliers"], rel=1e-3)


def test_losses_that_move_to_another_device_take_the_state_along():
    scheduler = new("auto")
    feed(scheduler, noisy(30, probed=True))
    before = scheduler.state_dict()["engine"]["tracks"]
    raw = {name: torch.ones((), device="meta") for name in ("pixel", "mse", "gan")}
    assert all(multiplier.device.type == "meta" for multiplier in scheduler(raw, 31).values())
    assert scheduler.state_dict()["steps"] == 31
    host, device = new("host"), new("device")
    feed(host, noisy(30, probed=True))
    device.load_state_dict(host.state_dict())  # from one engine to the other
    device.meet({"pixel": torch.ones(())})
    after = device.state_dict()["engine"]["tracks"]
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in FIELDS)


def test_a_fused_optimiser_skips_the_step_of_a_loss_that_is_not_finite():
    """`found_inf` is a tensor that the optimiser reads by itself: nothing is read on the host."""
    model, x = Model(), torch.rand(2, 3, 16, 16)
    optimizer = torch.optim.AdamW(model.net.parameters(), 1e-2, fused=True)
    scheduler = DynamicLossScheduler.from_config(BLOCK, LOSSES)
    weights = []
    for iteration in range(1, 6):
        output, raw = model.losses(x if iteration != 3 else x * math.nan)
        optimizer.zero_grad()
        scheduler.total(raw, iteration, output).backward()
        optimizer.found_inf = scheduler.found_inf(raw)
        optimizer.step()
        weights.append(model.net.weight.detach().clone())
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[2], weights[3])
    assert torch.isfinite(weights[-1]).all()
    assert {event.cause for event in scheduler.events()} == {"not finite"}
