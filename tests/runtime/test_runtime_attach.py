"""attach and detach: what breaks a naive hook on a loss module does not break this one."""

from __future__ import annotations

import io
import math
from collections import OrderedDict, namedtuple

import pytest
import torch
from runtime_losses import GANLoss, L1Loss
from runtime_runs import BLOCK
from torch import nn
from torch._dynamo.testing import CompileCounter
from torch.utils._pytree import tree_leaves

from autocal_cli.errors import AutocalError
from autocal_cli.runtime import attach

Parts = namedtuple("Parts", ["near", "far"])


class PartsLoss(nn.Module):
    """Returns what it is told to, made of its two parts."""

    loss_weight = 1.0

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, output, target):
        gap = output - target
        return self.shape(gap.abs().mean(), gap.square().mean())


class Wrapper(nn.Module):
    """As the fork wraps its losses: nothing before its start."""

    def __init__(self, loss_module, start_iter=0):
        super().__init__()
        self.loss_module, self.start_iter = loss_module, start_iter
        self.loss_weight = loss_module.loss_weight

    def forward(self, *args, current_iter=None, **kwargs):
        if current_iter is not None and current_iter < self.start_iter:
            return torch.zeros(())
        return self.loss_module(*args, **kwargs)


class Training:
    """A generator of four pixels, a discriminator, Adam."""

    def __init__(self, gan_weight=0.1, **block):
        torch.manual_seed(0)
        self.net, self.critic = nn.Linear(4, 4), nn.Linear(4, 1)
        self.losses = {"l_g_l1": L1Loss(), "l_g_gan": GANLoss(gan_weight)}
        self.optimizer = torch.optim.Adam(self.net.parameters(), 1e-2)
        self.block = {**BLOCK, **block}

    def attach(self, **options):
        return attach(self.losses, self.block, 100, self.optimizer, **options)

    def step(self, batch=None):
        x = torch.linspace(0, 1, 8).reshape(2, 4) if batch is None else batch
        output = self.net(x)
        total = self.losses["l_g_l1"](output, x) * self.losses["l_g_l1"].loss_weight
        total = (
            total
            + self.losses["l_g_gan"](self.critic(output), True, is_disc=False) * self.losses["l_g_gan"].loss_weight
        )
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()
        self.losses["l_g_gan"](self.critic(x), True, is_disc=True)
        return total.detach()

    def weights(self):
        return self.net.weight.detach().clone()


def multipliers(attachment):
    return {name: float(m) for name, m in attachment.scheduler.get_current_weights().items()}


def test_sane_weights_train_bit_for_bit_as_without():
    plain, attached = Training(), Training()
    attached.attach()
    totals = [(plain.step(), attached.step()) for _ in range(15)]
    assert all(torch.equal(a, b) for a, b in totals)
    assert torch.equal(plain.weights(), attached.weights())


def test_an_excess_is_brought_to_its_ceiling_a_step_after_the_first_probe():
    training = Training(gan_weight=100.0)
    attachment = training.attach()
    training.step()
    assert multipliers(attachment) == {"l_g_l1": 1.0, "l_g_gan": 1.0}
    training.step()
    assert multipliers(attachment)["l_g_l1"] == 1.0
    assert multipliers(attachment)["l_g_gan"] < 0.1
    assert attachment.scheduler.get_monitoring_stats()["shares"]["l_g_gan"] == pytest.approx(0.1, rel=1e-5)


def test_detach_leaves_all_as_it_was():
    training = Training(gan_weight=1000.0)
    loss = training.losses["l_g_l1"]
    before = (dict(vars(loss)), dict(loss._forward_hooks), len(training.optimizer._optimizer_step_post_hooks))
    attachment = training.attach()
    for _ in range(3):
        training.step()
    attachment.detach()
    attachment.detach()
    assert (dict(vars(loss)), dict(loss._forward_hooks), len(training.optimizer._optimizer_step_post_hooks)) == before
    x = torch.ones(2, 4)
    assert torch.equal(training.losses["l_g_gan"](training.critic(x), True), GANLoss()(training.critic(x), True))


def test_calls_for_the_discriminator_and_in_validation_are_left_alone():
    training = Training(gan_weight=1000.0)
    attachment = training.attach()
    for _ in range(3):
        training.step()
    steps = attachment.scheduler.state_dict()["steps"]
    x = torch.ones(2, 4, requires_grad=True)
    gan, l1 = training.losses["l_g_gan"], training.losses["l_g_l1"]
    assert torch.equal(gan(x, True, True), GANLoss()(x, True))
    assert torch.equal(gan(x, True, is_disc=True), GANLoss()(x, True))
    with torch.no_grad():
        assert torch.equal(gan(x, True), GANLoss()(x, True))
        assert torch.equal(l1(x, 2 * x), L1Loss()(x, 2 * x))
    assert attachment.scheduler.state_dict()["steps"] == steps
    assert not torch.equal(gan(x, True), GANLoss()(x, True))


def halves(loss_output):
    """Loss `a` attached with multiplier 1/2 on everything that pulls too much: shares held at min_weight 0.5."""
    losses = {"a": loss_output, "fixed": L1Loss()}
    block = {**BLOCK, "min_weight": 0.5, "gradient_shares": {"a": 1e-9}}
    return losses, attach(losses, block)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (lambda a, b: (a, b), tuple),
        (lambda a, b: [a, b], list),
        (lambda a, _: (a, None), tuple),
        (lambda a, b: {"near": a, "far": b}, dict),
        (lambda a, b: OrderedDict(near=a, far=b), OrderedDict),
        (lambda a, b: Parts(a, b), Parts),
        (lambda a, b: {"near": a, "deep": (b, 0.0)}, dict),
    ],
)
def test_tuples_and_mappings_are_scaled_part_by_part(shape, kind):
    losses, _ = halves(PartsLoss(shape))
    for _ in range(2):
        output = torch.full((2, 4), 3.0, requires_grad=True)
        losses["fixed"](output, torch.zeros(2, 4))
        found = losses["a"](output, torch.zeros(2, 4))
    assert type(found) is kind

    plain, made = (tree_leaves(value) for value in (shape(3.0, 9.0), found))
    assert len(plain) == len(made)
    for one, other in zip(plain, made, strict=True):
        assert other == one if not isinstance(other, torch.Tensor) else other.item() == pytest.approx(one / 2)


def test_a_multiplier_of_a_half_halves_the_total_exactly():
    losses, attachment = halves(L1Loss())
    for _ in range(2):
        output = torch.full((2, 4), 3.0, requires_grad=True)
        losses["fixed"](output, torch.zeros(2, 4))
        found = losses["a"](output, torch.zeros(2, 4))
    assert multipliers(attachment)["a"] == 0.5
    assert found.item() == 1.5


def test_a_plain_function_is_exchanged_and_put_back():
    def l1(output, target):
        return (output - target).abs().mean()

    l1.loss_weight = 2.0
    losses = {"a": l1}
    attachment = attach(losses, BLOCK)
    assert losses["a"] is not l1
    assert losses["a"].loss_weight == 2.0
    assert losses["a"](torch.ones(2, requires_grad=True), torch.zeros(2)).item() == 1.0
    assert attachment.scheduler.get_current_weights().keys() == {"a"}
    attachment.detach()
    assert losses["a"] is l1


def test_a_function_in_a_mapping_that_cannot_change_is_refused():
    from types import MappingProxyType

    with pytest.raises(AutocalError, match="function"):
        attach(MappingProxyType({"a": nn.functional.l1_loss}), BLOCK)


def test_a_wrapper_and_its_inner_loss_are_scaled_once():
    inner = L1Loss()
    losses = {"wrapped": Wrapper(inner), "inner": inner, "fixed": L1Loss()}
    attach(losses, {**BLOCK, "min_weight": 0.5, "gradient_shares": {"wrapped": 1e-9}})
    for _ in range(2):
        output = torch.full((2, 4), 3.0, requires_grad=True)
        losses["fixed"](output, torch.zeros(2, 4))
        found = losses["wrapped"](output, torch.zeros(2, 4))
    assert found.item() == 1.5


def test_an_error_in_a_wrapped_loss_leaves_the_hooks_in_order():
    inner = L1Loss()
    losses = {"wrapped": Wrapper(inner), "inner": inner}
    attachment = attach(losses, BLOCK)
    with pytest.raises(TypeError):
        losses["wrapped"](None, 1)
    losses["wrapped"](torch.ones(2, requires_grad=True), torch.zeros(2))
    assert attachment.scheduler.get_current_weights().keys() == {"wrapped"}


def test_a_loss_before_its_start_moves_nothing():
    training = Training()
    training.losses["late"] = Wrapper(L1Loss(), start_iter=5)
    attachment = training.attach()
    for iteration in range(1, 10):
        training.losses["late"](torch.ones(2, requires_grad=True), torch.zeros(2), current_iter=iteration)
        training.step()
    assert multipliers(attachment)["late"] == 1.0
    assert not attachment.scheduler.events()


def test_accumulated_passes_are_one_step():
    """Two half batches a step give the multipliers of one whole batch."""

    def run(parts):
        training = Training(gan_weight=30.0, baseline_iterations=5, adaptation_threshold=0.001)
        attachment = training.attach()
        generator = torch.Generator().manual_seed(1)
        for _ in range(12):
            training.optimizer.zero_grad()
            for batch in torch.rand(4, 4, generator=generator).chunk(parts):
                output = training.net(batch)
                l1 = training.losses["l_g_l1"](output, batch)
                gan = training.losses["l_g_gan"](training.critic(output), True)
                ((l1 + 30.0 * gan) / parts).backward()
            training.optimizer.step()
        return attachment.scheduler.state_dict()["steps"], multipliers(attachment)["l_g_gan"]

    whole, halved = run(1), run(2)
    assert whole[0] == halved[0] == 12
    assert halved[1] == pytest.approx(whole[1], rel=0.1)  # the probe sees the first half only


def test_a_closure_that_reruns_is_one_step():
    training = Training()
    optimizer = torch.optim.LBFGS(training.net.parameters(), lr=0.1, max_iter=4)
    attachment = attach({"l_g_l1": training.losses["l_g_l1"]}, BLOCK, optimizer=optimizer)
    x, runs = torch.rand(2, 4), []

    def closure():
        optimizer.zero_grad()
        loss = training.losses["l_g_l1"](training.net(x), 2 * x)
        loss.backward()
        runs.append(1)
        return loss

    for _ in range(3):
        optimizer.step(closure)
    assert len(runs) > 3
    assert attachment.scheduler.state_dict()["steps"] == 3


@pytest.mark.parametrize("given", [True, False])
def test_steps_without_an_optimizer(given):
    """Told, or counted by the calls of a loss."""
    training = Training()
    attachment = attach(training.losses, BLOCK, 100)
    for iteration in (10, 11, 12):
        if given:
            attachment.iteration = iteration
        training.step()
    state = attachment.state_dict()
    assert (state["iteration"], state["scheduler"]["steps"]) == ((12, 3) if given else (3, 3))


def test_half_precision_is_multiplied_in_float32():
    losses = {"l_g_gan": GANLoss()}
    attach(losses, BLOCK)
    found = losses["l_g_gan"](torch.ones(2, requires_grad=True).bfloat16(), True)
    assert found.dtype == torch.float32
    found.backward()


def test_a_compiled_loss_is_not_compiled_again_as_multipliers_change():
    counter = CompileCounter()
    compiled = torch.compile(L1Loss(), backend=counter, fullgraph=True)
    losses = {"l_g_l1": compiled, "l_g_gan": GANLoss()}
    attachment = attach(losses, {**BLOCK, "gradient_shares": {"l_g_l1": 0.3}})
    assert attachment.scheduler.kind_of("l_g_l1") == "pixel"
    seen = set()
    for step in range(1, 6):
        output = torch.full((2, 4), float(step), requires_grad=True)
        total = losses["l_g_l1"](output, torch.zeros(2, 4)) + losses["l_g_gan"](output * step, True)
        total.backward()
        seen.add(multipliers(attachment)["l_g_l1"])
    assert len(seen) > 1
    assert counter.frame_count == 1


def test_a_loss_known_before_the_output_is_probed_once_it_is_known():
    losses = {"l_g_gan": GANLoss(), "l_g_l1": L1Loss()}
    attachment = attach(losses, BLOCK)
    for _ in range(2):
        output = torch.ones(2, 4, requires_grad=True)
        losses["l_g_gan"](output * 2.0, True)
        losses["l_g_l1"](output, torch.zeros(2, 4))
    assert all(share > 0.0 for share in attachment.scheduler.get_monitoring_stats()["shares"].values())


@pytest.mark.parametrize("passes", [(["l_g_gan"], ["l_g_l1"]), (["l_g_gan"], ["l_g_gan", "l_g_l1"])])
def test_a_pass_without_an_image_does_not_spoil_the_probe_of_the_next(passes):
    """Each pass of a step is followed by backward, which spends its graph."""
    losses = {"l_g_gan": GANLoss(), "l_g_l1": L1Loss()}
    attachment = attach(losses, BLOCK)
    for iteration in (1, 2, 3):
        attachment.iteration = iteration
        for parts in passes:
            output = torch.ones(1, 4, requires_grad=True)
            call = {"l_g_gan": lambda x: losses["l_g_gan"](x * x, True), "l_g_l1": lambda x: losses["l_g_l1"](x, 0 * x)}
            sum(call[part](output) for part in parts).backward()
    assert attachment.scheduler.get_monitoring_stats()["shares"]["l_g_l1"] > 0.0


def test_without_a_loss_that_judges_images_the_values_serve_and_it_is_said(caplog):
    losses = {"l_g_gan": GANLoss()}
    attach(losses, BLOCK)
    for _ in range(4):
        losses["l_g_gan"](torch.ones(2, requires_grad=True), True)
    assert caplog.text.count("output is not known") == 1


class WeightedLoss(GANLoss):
    """As BasicSR's: multiplied by its weight already."""

    def forward(self, prediction, target_is_real, is_disc=False):
        return super().forward(prediction, target_is_real) * (1.0 if is_disc else self.loss_weight)


@pytest.mark.parametrize(
    ("loss", "inside", "expected"),
    [
        (GANLoss(), None, 0.1),
        (WeightedLoss(), None, 1.0),
        (Wrapper(WeightedLoss()), None, 1.0),
        (WeightedLoss(), False, 0.1),
    ],
)
def test_where_the_weight_is_applied(loss, inside, expected):
    """A loss whose value has its weight in it already has the weight 1."""
    attachment = attach({"l_g_gan": loss}, BLOCK, weight_inside=inside)
    assert [known.weight for known in attachment.scheduler.describe_losses()] == [expected]


@pytest.mark.parametrize("cut", [1, 4, 9, 10, 26])
def test_resumed_equals_uninterrupted_bit_for_bit(cut):
    generator = torch.Generator().manual_seed(3)
    batches = torch.rand(30, 2, 4, generator=generator)

    def run(cut):
        training = Training(gan_weight=40.0, baseline_iterations=5, adaptation_threshold=0.001)
        attachment, seen = training.attach(), []
        for number, batch in enumerate(batches):
            if number == cut:
                file = io.BytesIO()
                torch.save(attachment.state_dict(), file)
                file.seek(0)
                attachment.detach()
                attachment = training.attach()
                attachment.load_state_dict(torch.load(file, weights_only=True))
            training.step(batch)
            seen.append(multipliers(attachment))
        return seen, training.weights()

    (whole, weights), (cut_run, cut_weights) = run(None), run(cut)
    assert whole == cut_run
    assert torch.equal(weights, cut_weights)


def test_a_loss_that_is_not_finite_is_named():
    training = Training()
    attachment = training.attach()
    for number in range(6):
        training.step(torch.full((2, 4), math.nan) if number == 3 else None)
    assert {event.cause for event in attachment.scheduler.events()} == {"not finite"}


def test_an_unreduced_loss_is_refused():
    losses = {"a": nn.L1Loss(reduction="none")}
    attach(losses, BLOCK)
    with pytest.raises(TypeError, match="single number"):
        losses["a"](torch.ones(2, requires_grad=True), torch.zeros(2))


def test_no_value_is_read_on_a_device():
    """On the meta device there is no value to read."""
    losses = {"l_g_l1": L1Loss(), "l_g_gan": GANLoss()}
    attach(losses, BLOCK, 100)
    for _ in range(60):
        output = torch.ones(2, 4, device="meta", requires_grad=True)
        total = losses["l_g_l1"](output, torch.zeros(2, 4, device="meta")) + losses["l_g_gan"](2.0 * output, True)
        total.backward()
        assert total.device.type == "meta"


def test_nothing_is_attached_where_the_block_is_switched_off():
    losses = {"l1": L1Loss(), "gan": GANLoss(1e6), "plain": lambda output, target: (output - target).abs().mean()}
    plain = losses["plain"]
    attachment = attach(losses, {**BLOCK, "enabled": False}, 100)
    assert losses["plain"] is plain
    assert not any(loss._forward_hooks for loss in losses.values() if isinstance(loss, nn.Module))
    attachment.load_state_dict(attachment.state_dict())
    attachment.detach()
