"""attach: hooks on losses and network, under the ways in which trainers call them."""

from __future__ import annotations

import copy
import math
import pickle
from functools import partial

import pytest
import torch
from runtime_training import BLOCK, GANLoss, L1Loss, MultiScaleGANLoss, PlainGANLoss, Run, images
from torch import nn
from torch.nn import functional as F  # noqa: N812

from autocal_cli.errors import AutocalError
from autocal_cli.runtime import DynamicLossScheduler, attach
from autocal_cli.runtime.scheduler import OUTPUT, SEPARATION, TRIVIAL


def attached(run, block=BLOCK, total_iter=100, **options):
    return attach(run.losses, block, total_iter, network=run.net, optimizer=run.optimizer, **options)


def hold(attachment, multiplier):
    attachment.scheduler.controller.log_multiplier = math.log(multiplier)
    return attachment


def sums(attachment):
    """By name, of the open step."""
    return attachment.state_dict()["scheduler"]["numbers"]["sums"]


def counts(attachment):
    return attachment.state_dict()["scheduler"]["numbers"]["counts"]


def gradient(losses, logits, weight=1.0):
    """Of the adversarial loss with respect to the logits."""
    logits = logits.clone().requires_grad_()
    (losses["l_g_gan"](logits, True) * weight).backward()
    return logits.grad


LOGITS = torch.tensor([[0.3, -0.7, 1.1]])


def test_a_healthy_run_is_bit_for_bit_what_it_is_without():
    run = Run(weight=0.01)
    attachment = attached(run, total_iter=10_000)
    run.steps(60)
    assert attachment.scheduler.multiplier("l_g_gan") == 1.0
    assert torch.equal(run.weights(), Run(weight=0.01).steps(60).weights())


def test_an_overweight_adversarial_loss_is_lowered_and_everything_is_seen():
    run = Run(weight=100.0)
    attachment = attached(run)
    run.steps(60)
    stats = attachment.scheduler.get_monitoring_stats()
    assert stats["multipliers"]["l_g_l1"] == 1.0
    assert stats["multipliers"]["l_g_gan"] < 0.1
    assert None not in (stats["cost"], stats["separation"])
    assert attachment.iteration == 61
    assert {OUTPUT, SEPARATION, "input"} < set(attachment.scheduler.state_dict()["seen"])


def test_by_hooks_and_by_call_the_signals_are_the_same():
    hooked, called = Run(weight=30.0), Run(weight=30.0)
    attachment = attached(hooked)
    scheduler = DynamicLossScheduler.from_config(BLOCK, called.losses, 100, optimizer=called.optimizer)
    hooked.steps(40)
    called.steps(40, total=scheduler.total, judged=scheduler.observe_discriminator)
    for name in ("cost", "seen_separation", "multiplier"):
        assert getattr(scheduler.controller, name) == pytest.approx(
            getattr(attachment.scheduler.controller, name), rel=1e-3
        )
    assert scheduler.multiplier("l_g_gan") < 1.0


def test_values_stay_what_they_were_and_gradients_are_scaled_once():
    losses = {"l_g_l1": L1Loss(), "l_g_gan": GANLoss()}
    plain, before = gradient(losses, LOGITS), losses["l_g_gan"](LOGITS, True).item()
    hold(attach(losses, BLOCK, 100), 0.5)
    assert losses["l_g_gan"](LOGITS, True).item() == before
    assert torch.equal(gradient(losses, LOGITS), 0.5 * plain)


def test_a_weight_in_the_loop_and_one_that_changes_are_the_users():
    losses = {"l_g_l1": L1Loss(), "l_g_gan": GANLoss()}
    plain = gradient(losses, LOGITS)
    hold(attach(losses, BLOCK, 100), 0.5)
    for weight in (1.0, 4.0):
        assert torch.equal(gradient(losses, LOGITS, weight), 0.5 * weight * plain)


class Ramp(nn.Module):
    """A wrapper that multiplies by a ramp, and gives a placeholder before it starts."""

    def __init__(self, loss_module):
        super().__init__()
        self.loss_module, self.loss_weight = loss_module, loss_module.loss_weight

    def forward(self, *args, current_iter=0, **kwargs):
        if current_iter < 3:
            return torch.tensor(0.0)
        return self.loss_module(*args, **kwargs) * min(current_iter / 10, 1.0)


def test_a_ramp_inside_a_wrapper_is_left_alone_and_scaled_once():
    losses = {"l_g_l1": L1Loss(), "l_g_gan": Ramp(GANLoss())}
    plain = gradient({"l_g_gan": losses["l_g_gan"].loss_module}, LOGITS)
    attachment = hold(attach(losses, BLOCK, 100), 0.5)
    for step in (5, 10):
        logits = LOGITS.clone().requires_grad_()
        losses["l_g_gan"](logits, True, current_iter=step).backward()
        assert torch.allclose(logits.grad, 0.5 * step / 10 * plain)
    assert losses["l_g_gan"](LOGITS, True, current_iter=1) == 0.0
    assert not attachment.scheduler.events()  # a placeholder is no dead loss


def test_keyword_calls_bring_images_and_logits():
    run = Run()
    attachment = attached(run)
    high = images(1)
    output = run.net(F.avg_pool2d(high, 2))
    gan = run.losses["l_g_gan"]
    total = run.losses["l_g_l1"](target=high, pred=output) + gan(
        target_is_real=True, is_disc=False, input=run.judge(output)
    )
    total.backward()
    gan(input=run.judge(high), target_is_real=True, is_disc=True)
    gan(is_disc=True, input=run.judge(output.detach()), target_is_real=False)
    assert counts(attachment) == {"l_g_l1": 1, TRIVIAL: 1, OUTPUT: 1, "l_g_gan": 1, SEPARATION: 1}


class Several(nn.Module):
    loss_weight = 1.0

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, pred, target):
        near, far = (pred - target).abs().mean(), (pred - target).square().mean()
        return {"tuple": (near, None), "list": [near, far], "dict": {"near": near, "far": far}}[self.shape]


@pytest.mark.parametrize("shape", ["tuple", "list", "dict"])
def test_losses_that_return_several_parts(shape):
    losses = {"l_g_percep": Several(shape), "l_g_gan": GANLoss()}
    attachment = attach(losses, BLOCK, 100)
    output = images(1).requires_grad_()
    value = losses["l_g_percep"](output, images(2))
    assert type(value).__name__ == shape
    parts = [part for part in (value.values() if shape == "dict" else value) if part is not None]
    sum(parts).backward()
    assert sums(attachment)["l_g_percep"] == pytest.approx(sum(part.item() for part in parts))


def test_a_discriminators_loss_without_is_disc_is_never_scaled():
    run = Run(PlainGANLoss())
    attachment = attached(run)
    output = run.net(F.avg_pool2d(images(1), 2))
    plain = gradient({"l_g_gan": PlainGANLoss()}, LOGITS)
    hold(attachment, 0.5)
    assert torch.equal(gradient(run.losses, LOGITS), plain)  # does not come from the network
    fake = run.judge(output)
    (scaled,) = torch.autograd.grad(run.losses["l_g_gan"](fake, True), fake, retain_graph=True)
    (whole,) = torch.autograd.grad(PlainGANLoss()(fake, True), fake)
    assert torch.equal(scaled, 0.5 * whole)


def test_a_discriminators_loss_without_is_disc_brings_its_logits():
    run = Run(PlainGANLoss())
    attachment = attached(run)
    run.steps(8)
    assert attachment.scheduler.get_monitoring_stats()["separation"] is not None


def test_without_is_disc_and_network_it_is_refused():
    with pytest.raises(AutocalError, match="is_disc"):
        attach({"l_g_l1": L1Loss(), "l_g_gan": PlainGANLoss()}, BLOCK, 100)


def test_attached_twice_is_refused_and_possible_again_after_detach():
    run = Run()
    attachment = attached(run)
    with pytest.raises(AutocalError, match="already"):
        attached(run)
    attachment.detach()
    attachment.detach()
    attached(run).detach()
    assert not run.losses["l_g_gan"]._forward_hooks
    assert not run.net._forward_hooks
    assert torch.equal(run.steps(5).weights(), Run().steps(5).weights())


def test_an_optimizer_that_never_steps_is_an_error():
    run = Run()
    attach(run.losses, BLOCK, 100, network=run.net, optimizer=torch.optim.Adam(run.judge.parameters()))
    losses, output = run.losses, run.net(F.avg_pool2d(images(1), 2))
    for _ in range(201):
        losses["l_g_l1"](output, images(1))
    with pytest.raises(AutocalError, match="not stepped"):
        losses["l_g_l1"](output, images(1))


def test_without_an_optimizer_only_calls_for_the_generator_are_steps_and_checkpoints_are_not():
    run = Run()
    attachment = attach(run.losses, BLOCK, 100, network=run.net)
    again = partial(torch.utils.checkpoint.checkpoint, use_reentrant=False)
    for number in range(1, 6):
        high = images(number)
        output = again(run.net, F.avg_pool2d(high, 2))
        total = again(run.losses["l_g_l1"], output, high) + again(run.losses["l_g_gan"], run.judge(output), True)
        total.backward()
        run.losses["l_g_gan"](run.judge(high), True, is_disc=True)
        run.losses["l_g_gan"](run.judge(output.detach()), False, is_disc=True)
        assert attachment.iteration == number
        assert counts(attachment)["l_g_l1"] == counts(attachment)["l_g_gan"] == 1


def test_accumulated_passes_are_one_step():
    run = Run()
    attachment = attached(run)
    for _ in range(3):
        for number in range(4):
            output = run.net(F.avg_pool2d(images(number), 2))
            (run.losses["l_g_l1"](output, images(number)) + run.losses["l_g_gan"](run.judge(output), True)).backward()
        run.optimizer.step()
    assert attachment.scheduler.state_dict()["steps"] == 3
    assert attachment.iteration == 4


def test_validation_changes_nothing():
    run = Run()
    attachment = attached(run)
    run.steps(3)
    before = attachment.state_dict()
    with torch.no_grad():
        run.losses["l_g_l1"](run.net(F.avg_pool2d(images(9), 2)), images(9))
    assert attachment.state_dict() == before


def test_a_list_of_scales_is_weighted_once_and_its_logits_are_heard():
    run = Run(MultiScaleGANLoss())
    attachment = attached(run)
    gan = run.losses["l_g_gan"]
    maps = [torch.randn(2, 1, 4, 4), torch.randn(2, 1, 2, 2)]
    gan([part + 1.0 for part in maps], True, is_disc=True)
    gan([part - 1.0 for part in maps], False, is_disc=True)
    assert (sums(attachment), counts(attachment)) == ({SEPARATION: 1.0}, {SEPARATION: 1})
    plain = gradient({"l_g_gan": GANLoss()}, LOGITS)
    hold(attachment, 0.25)
    logits = LOGITS.clone().requires_grad_()
    gan([logits, logits], True).backward()
    assert torch.allclose(logits.grad, 0.25 * plain)


def test_scales_in_calls_of_their_own_are_paired_by_shape():
    run = Run()
    attachment = attached(run)
    gan = run.losses["l_g_gan"]
    for size in (4, 2):
        gan(torch.ones(2, 1, size, size), True, is_disc=True)
    for size in (4, 2):
        gan(torch.zeros(2, 1, size, size), False, is_disc=True)
    assert (sums(attachment), counts(attachment)) == ({SEPARATION: 2.0}, {SEPARATION: 2})


def test_a_loss_without_gradient_path_is_named_at_once():
    run = Run()
    attachment = attached(run)
    output = run.net(F.avg_pool2d(images(1), 2))
    run.losses["l_g_l1"](output, images(1))
    with torch.inference_mode():
        fake = run.judge(output)
    run.losses["l_g_gan"](fake, True, is_disc=False)
    assert [(event.loss, event.iteration) for event in attachment.scheduler.events()] == [("l_g_gan", 1)]
    assert "no gradient path" in attachment.scheduler.events()[0].cause


def test_an_adversarial_loss_that_never_reaches_the_network_is_named_without_is_disc_too():
    run = Run(PlainGANLoss())
    attachment = attached(run)
    inner = run.judge.forward
    run.judge.forward = lambda image: inner(image.detach())
    run.steps(12)
    assert any(
        event.loss == "l_g_gan" and "not called for the network" in event.cause
        for event in attachment.scheduler.events()
    )


def test_a_loss_that_does_not_reach_the_network_is_named_at_once():
    run = Run()
    attachment = attached(run)
    output = run.net(F.avg_pool2d(images(1), 2))
    run.losses["l_g_gan"](run.judge(output.detach()), True, is_disc=False)
    assert "network's output" in attachment.scheduler.events()[0].cause


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_of_network_and_losses_are_watched_by_nobody(copied):
    run = Run()
    attachment = attached(run)
    run.steps(3)
    before = attachment.state_dict()
    net, gan = copied(run.net), copied(run.losses["l_g_gan"])
    gan(run.judge(net(F.avg_pool2d(images(1), 2))), True).backward()
    assert attachment.state_dict() == before


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_a_resumed_run_goes_on_bit_for_bit(cut):
    whole = Run(weight=50.0)
    attached(whole)
    whole.steps(40)
    first = Run(weight=50.0)
    attachment = attached(first)
    first.steps(cut)
    saved = pickle.loads(pickle.dumps(attachment.state_dict()))
    attachment.detach()
    attachment = attached(first)
    attachment.load_state_dict(saved)
    first.steps(40 - cut)
    assert torch.equal(first.weights(), whole.weights())


BROKEN = [
    {}, {"scheduler": {}, "iteration": 1}, {"iteration": 3}, [], "text",
    {"scheduler": {}, "iteration": None, "called": []}, {"scheduler": {}, "iteration": "x", "called": []},
]  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_a_truncated_state_is_one_clear_error_and_changes_nothing(broken):
    run = Run()
    attachment = attached(run)
    run.steps(3)
    before = attachment.state_dict()
    with pytest.raises(AutocalError):
        attachment.load_state_dict(broken)
    assert attachment.state_dict() == before


def test_where_calls_are_counted_the_first_call_after_a_resume_is_of_a_new_step():
    def steps(resumed_at):
        run = Run()
        attachment = attach(run.losses, BLOCK, 100, network=run.net)
        for number in range(1, 9):
            if number == resumed_at:
                saved = attachment.state_dict()
                attachment.detach()
                attachment = attach(run.losses, BLOCK, 100, network=run.net)
                attachment.load_state_dict(saved)
            output = run.net(F.avg_pool2d(images(number), 2))
            run.losses["l_g_l1"](output, images(number))
            run.losses["l_g_gan"](run.judge(output), True)
        return attachment.state_dict()

    assert steps(5) == steps(None)


def test_a_copy_of_an_attached_loss_may_be_attached():
    run = Run()
    attached(run)
    again = {label: copy.deepcopy(loss) for label, loss in run.losses.items()}
    attach(again, BLOCK, 100, network=run.net).detach()


def test_every_part_of_a_state_is_missed():
    run = Run()
    attachment = attached(run)
    run.steps(3)
    state = attachment.state_dict()
    whole = state["scheduler"]
    paths = [(key,) for key in whole] + [(key, of) for key in ("controller", "watch", "numbers") for of in whole[key]]
    for *outer, last in paths:
        less = copy.deepcopy(state)
        del (less["scheduler"][outer[0]] if outer else less["scheduler"])[last]
        with pytest.raises(AutocalError):
            attachment.load_state_dict(less)
    assert attachment.state_dict() == state


def test_a_step_that_is_not_finite_is_named_and_skipped():
    run = Run()
    attachment = attached(run)
    run.steps(5)
    before, moments = run.weights(), copy.deepcopy(run.optimizer.state_dict()["state"])
    output = run.net(F.avg_pool2d(images(1), 2))
    (run.losses["l_g_l1"](output * math.nan, images(1)) + run.losses["l_g_gan"](run.judge(output), True)).backward()
    run.optimizer.step()
    assert torch.equal(run.weights(), before)
    assert torch.equal(run.optimizer.state_dict()["state"][0]["exp_avg"], moments[0]["exp_avg"])
    (event,) = [event for event in attachment.scheduler.events() if "not finite" in event.cause]
    assert (event.iteration, event.loss) == (6, "l_g_l1")
    assert "skipped" in event.done
    run.steps(3)
    assert torch.isfinite(run.weights()).all()


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("broken_at", [1, 4])
def test_a_step_that_a_grad_scaler_skips_costs_no_other_one(broken_at, resumed):
    run, scaler = Run(), torch.amp.GradScaler("cpu", init_scale=64.0)
    attachment = attached(run, grad_scaler=scaler)
    moved = []
    for number in range(1, 7):
        before = run.weights()
        output = run.net(F.avg_pool2d(images(number), 2)) * (math.nan if number == broken_at else 1.0)
        total = run.losses["l_g_l1"](output, images(number)) + run.losses["l_g_gan"](run.judge(output), True)
        run.optimizer.zero_grad()
        scaler.scale(total).backward()
        scaler.step(run.optimizer)
        scaler.update()
        moved.append(not torch.equal(run.weights(), before))
        if resumed and number == broken_at:
            state = attachment.state_dict()
            attachment.detach()
            attachment = attached(run, grad_scaler=scaler)
            attachment.load_state_dict(state)
    assert moved == [number != broken_at for number in range(1, 7)]
    named = [event.iteration for event in attachment.scheduler.events() if "not finite" in event.cause]
    assert (named, attachment.iteration) == ([broken_at], 7)


def test_a_step_of_another_optimiser_that_the_grad_scaler_skips_is_none_of_ours():
    run, scaler = Run(), torch.amp.GradScaler("cpu", init_scale=64.0)
    attachment, judge = attached(run, grad_scaler=scaler), torch.optim.SGD(run.judge.parameters(), 0.01)
    for number in range(1, 5):
        output = run.net(F.avg_pool2d(images(number), 2))
        total = run.losses["l_g_l1"](output, images(number)) + run.losses["l_g_gan"](run.judge(output), True)
        scaler.scale(total / 2).backward()
        judge.zero_grad()
        scaler.scale(run.losses["l_g_gan"](run.judge(images(number)), True, is_disc=True) * math.nan).backward()
        scaler.step(judge)
        if number % 2 == 0:
            scaler.step(run.optimizer)
        scaler.update()
    assert (attachment.iteration, attachment.scheduler._steps) == (3, 2)


def test_a_step_that_a_grad_scaler_skips_is_counted_where_calls_are():
    run, scaler = Run(), torch.amp.GradScaler("cpu", init_scale=64.0)
    attachment = attach(run.losses, BLOCK, 100, network=run.net, grad_scaler=scaler)
    for number in range(1, 6):
        output = run.net(F.avg_pool2d(images(number), 2)) * (math.nan if number == 3 else 1.0)
        total = run.losses["l_g_l1"](output, images(number)) + run.losses["l_g_gan"](run.judge(output), True)
        run.optimizer.zero_grad()
        scaler.scale(total).backward()
        scaler.step(run.optimizer)
        scaler.update()
        assert attachment.iteration == number
    named = [event.iteration for event in attachment.scheduler.events() if "not finite" in event.cause]
    assert (named, attachment.scheduler.watch.broken) == ([3], 0)


def test_a_function_has_no_hooks_and_is_refused():
    with pytest.raises(AutocalError, match=r"l_g_l1 should be an nn\.Module"):
        attach({"l_g_l1": F.l1_loss, "l_g_gan": GANLoss()}, BLOCK, 100)


@pytest.mark.parametrize("what", ["losses", "step"])
def test_compiled_losses_and_a_compiled_step(what):
    run, plain = Run(weight=200.0), Run(weight=200.0)
    if what == "losses":
        run.losses = {label: torch.compile(loss, backend="eager") for label, loss in run.losses.items()}
    attachment, other = attached(run), attached(plain)
    steps = torch.compile(run.step, backend="eager") if what == "step" else run.step
    for _ in range(20):
        steps()
        plain.step()
    assert torch.allclose(run.weights(), plain.weights(), atol=1e-4)
    assert attachment.scheduler.multiplier("l_g_gan") == pytest.approx(other.scheduler.multiplier("l_g_gan"), rel=1e-3)
    assert attachment.scheduler.multiplier("l_g_gan") < 0.9
    torch._dynamo.reset()


@pytest.mark.parametrize("gan_type", ["hinge", "wgan", "vanilla"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(gan_type, dtype):
    run = Run(GANLoss(5.0, gan_type))
    attachment = attached(run)
    step = torch.autocast("cpu", dtype)(run.step)
    for _ in range(30):
        step()
    stats = attachment.scheduler.get_monitoring_stats()
    assert stats["multipliers"]["l_g_gan"] < 1.0
    assert all(math.isfinite(stats[key]) for key in ("cost", "separation"))
    assert torch.isfinite(run.weights()).all()
