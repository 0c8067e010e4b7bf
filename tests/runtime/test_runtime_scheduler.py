"""total, observe_discriminator and backward: what a user calls, and what is said of it."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from runtime_training import BLOCK, Run, images, scheduled
from torch.nn import functional as F  # noqa: N812

from autocal_cli.errors import AutocalError
from autocal_cli.runtime import DynamicLossScheduler

LOSSES = {"l1": 1.0, "gan": 0.1}


def new(losses=LOSSES, block=BLOCK, total_iter=100, **options):
    return DynamicLossScheduler.from_config(block, losses, total_iter, **options)


def raw(l1=0.5, gan=0.7):
    return {"l1": torch.tensor(l1, requires_grad=True), "gan": torch.tensor(gan, requires_grad=True)}


def test_the_first_total_is_the_weighted_sum():
    assert new().total(raw(), 1).item() == pytest.approx(0.57)


@pytest.mark.filterwarnings("ignore:autocal. the block is not resolved")
@pytest.mark.parametrize("auto", [{"auto_calibrate": True}, {}])
def test_what_a_block_lacks_is_chosen_for_the_losses_that_are_there(auto):
    gan, switched_off, none = (new(losses, auto).settings for losses in (LOSSES, {"l1": 1.0, "gan": 0.0}, {"l1": 1.0}))
    assert switched_off == none
    assert gan.adaptation_threshold == pytest.approx(1.5 * none.adaptation_threshold)


def test_a_healthy_run_is_bit_for_bit_the_plain_one():
    run = Run(weight=0.01)
    scheduler = new(run.losses, total_iter=10_000)
    scheduled(run, scheduler, 60)
    assert scheduler.multiplier("l_g_gan") == 1.0
    assert torch.equal(run.weights(), Run(weight=0.01).steps(60).weights())


@pytest.mark.parametrize("kind", ["deepcopy", "pickle"])
@pytest.mark.parametrize("cut", [3, 30])
def test_copies_and_resumed_schedulers_go_on_bit_for_bit(kind, cut):
    run = Run(weight=50.0)
    scheduler = new(run.losses)
    scheduled(run, scheduler, cut)
    copied = copy.deepcopy(scheduler) if kind == "deepcopy" else pickle.loads(pickle.dumps(scheduler))
    resumed = new(run.losses)
    resumed.load_state_dict(scheduler.state_dict())
    ends = []
    for each in (scheduler, copied, resumed):
        other = copy.deepcopy(run)
        scheduled(other, each, 20)
        ends.append((other.weights(), each.state_dict()))
    for weights, state in ends[1:]:
        assert torch.equal(weights, ends[0][0])
        assert state == ends[0][1]


def test_without_images_pixel_losses_stand_in_and_that_is_said():
    run = Run(weight=100.0)
    scheduler = new(run.losses)
    run.steps(
        40, total=lambda raw, iteration, *_: scheduler.total(raw, iteration), judged=scheduler.observe_discriminator
    )
    assert scheduler.multiplier("l_g_gan") < 1.0
    assert any("pixel losses stand in" in event.done for event in scheduler.events())


def test_without_a_discriminator_that_is_said_and_cost_alone_lowers():
    run = Run(weight=100.0)
    scheduler = new(run.losses)
    run.steps(40, total=scheduler.total)
    assert any("discriminator" in event.cause for event in scheduler.events())
    assert scheduler.multiplier("l_g_gan") < 1.0
    assert scheduler.get_monitoring_stats()["separation"] is None


def test_without_an_adversarial_loss_nothing_is_moved_and_that_is_said():
    scheduler = new({"l1": 1.0, "perceptual": 0.1})
    for iteration in range(1, 60):
        scheduler.total({"l1": torch.tensor(float(iteration), requires_grad=True)}, iteration)
    assert scheduler.get_monitoring_stats()["multipliers"] == {"l1": 1.0, "perceptual": 1.0}
    assert any("no adversarial loss" in event.cause for event in scheduler.events())


def test_all_that_is_there_is_not_said_to_be_missing():
    run = Run(weight=0.01)
    scheduler = new(run.losses, total_iter=10_000)
    scheduled(run, scheduler, 40)
    assert scheduler.events() == []


def test_accumulated_passes_are_one_step():
    scheduler = new()
    for iteration in (1, 1, 1, 2, 2, 3):
        scheduler.total(raw(l1=0.1 * iteration), iteration)
    scheduler.close()
    assert scheduler.state_dict()["steps"] == 3


def test_calls_without_gradients_change_nothing():
    scheduler = new()
    scheduler.total(raw(), 1)
    before = scheduler.state_dict()
    with torch.no_grad():
        scheduler.total(raw(9.0), 2)
    assert scheduler.state_dict() == before


def test_an_unknown_loss_is_an_error_and_so_is_none():
    with pytest.raises(AutocalError, match="lpips"):
        new().total({"lpips": torch.tensor(1.0)}, 1)
    with pytest.raises(ValueError, match="no loss"):
        new().total({}, 1)


@pytest.mark.parametrize("weight", ["heavy", math.nan, True])
def test_weights_that_are_no_numbers_are_refused(weight):
    with pytest.raises(AutocalError, match="weight"):
        new({"l1": {"type": "L1Loss", "loss_weight": weight}})


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("with_optimizer", [True, False])
def test_what_is_not_finite_is_named_at_once_and_moves_no_parameter(value, with_optimizer):
    run = Run()
    scheduler = new(run.losses, optimizer=run.optimizer if with_optimizer else None)
    scheduled(run, scheduler, 4)
    before = run.weights()
    run.optimizer.zero_grad()
    output = run.net(F.avg_pool2d(images(1), 2))
    broken = {"l_g_l1": output.mean(), "l_g_gan": run.judge(output).mean() * value}
    scheduler.total(broken, 5).backward()
    run.optimizer.step()
    assert torch.equal(run.weights(), before)
    scheduler.begin(6)
    (event,) = [event for event in scheduler.events() if "not finite" in event.cause]
    assert (event.iteration, event.loss) == (5, "l_g_gan")


def test_many_broken_steps_are_never_silent_for_long():
    scheduler = new()
    for iteration in range(1, 60):
        scheduler.total(raw(gan=math.nan), iteration)
    named = [event.iteration for event in scheduler.events() if "not finite" in event.cause]
    assert named == [*range(1, 11), 20, 30, 40, 50]


def test_half_precision_is_added_up_in_float32():
    losses = {"l1": torch.tensor(1.0, dtype=torch.bfloat16), "gan": torch.tensor(1.0, dtype=torch.bfloat16)}
    total = new({"l1": 1.0, "gan": 0.001}).total(losses, 1)
    assert total.dtype == torch.float32
    assert float(total) == pytest.approx(1.001, abs=1e-6)


def test_backward_goes_through_the_scaler_or_what_it_is_given():
    scheduler, losses, seen = new(), raw(), []
    scheduler.backward(losses, 1, by=lambda total: seen.append(float(total)))
    assert seen == [pytest.approx(0.57)]
    assert losses["gan"].grad is None
    scheduler.grad_scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scheduler.backward(losses, 2)
    assert float(losses["gan"].grad) == pytest.approx(0.8)


def test_at_max_weight_the_weight_that_would_do_is_said():
    run = Run(weight=0.001)
    scheduler = new(run.losses, {**BLOCK, "max_weight": 2.0}, 60)
    scheduled(run, scheduler, 60)
    (event,) = [event for event in scheduler.events() if "max_weight" in event.cause]
    assert "0.0001 or more" in event.done


@pytest.mark.parametrize(
    "damaged", [{}, {"version": 2}, {"version": 3}, {"version": 3, "controller": {}}, None, "text"]
)
def test_a_damaged_state_is_one_clear_error(damaged):
    scheduler = new()
    scheduler.total(raw(), 1)
    before = scheduler.state_dict()
    with pytest.raises(AutocalError, match="state"):
        scheduler.load_state_dict(damaged)
    assert scheduler.state_dict() == before


def test_the_network_that_trains_nothing_is_named():
    scheduler = new()
    scheduler.total({"l1": torch.tensor(0.5, requires_grad=True), "gan": torch.tensor(0.7)}, 1)
    assert [(event.loss, event.iteration) for event in scheduler.events()] == [("gan", 1)]


def test_no_optimiser_is_refused():
    with pytest.raises(AutocalError, match="optimiser"):
        new(optimizer="adam")
