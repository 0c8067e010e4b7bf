"""create_dynamic_loss_scheduler under a call site like the fork's."""

from __future__ import annotations

import pickle

import pytest
import torch
from runtime_training import GANLoss, L1Loss, Run, images
from torch import nn
from torch.nn import functional as F  # noqa: N812

from autocal_cli.errors import AutocalError
from autocal_cli.runtime import create_dynamic_loss_scheduler

CONFIG = {
    "enabled": True,
    "auto_calibrate": True,
    "architecture_type": "paragonsr2_nano",
    "training_config": {"total_iterations": 200, "dataset_info": {"texture_variance": 0.5}},
}
pytestmark = pytest.mark.filterwarnings("ignore:autocal")


class PartsLoss(nn.Module):
    loss_weight = 0.5

    def forward(self, output, target):
        gap = output - target
        return {"near": gap.abs().mean(), "far": gap.square().mean(), "below": -gap.square().mean()}


def train(config, steps, weight=0.05):
    """The two passes of the fork's optimize_parameters: raw losses first, then the total."""
    run = Run()
    losses = {"l_g_l1": L1Loss(), "l_g_parts": PartsLoss(), "l_g_gan": GANLoss(weight)}
    scheduler = create_dynamic_loss_scheduler(losses, config)
    for iteration in range(1, steps + 1):
        high = images(iteration)
        output = run.net(F.avg_pool2d(high, 2))
        raw = {
            label: loss(run.judge(output), True, is_disc=False) if label == "l_g_gan" else loss(output, high)
            for label, loss in losses.items()
        }
        weights = scheduler(raw, iteration)
        total = torch.zeros(())
        for label, loss in losses.items():
            weight = abs(loss.loss_weight) * weights[label]
            parts = raw[label].values() if isinstance(raw[label], dict) else [raw[label]]
            total = total + sum(part * weight for part in parts if part > 0)
        run.optimizer.zero_grad()
        total.backward()
        run.optimizer.step()
        run.judge_optimizer.zero_grad()
        real = losses["l_g_gan"](run.judge(high), True, is_disc=True)
        (real + losses["l_g_gan"](run.judge(output.detach()), False, is_disc=True)).backward()
        run.judge_optimizer.step()
    return scheduler, weights


def test_one_multiplier_a_label_from_the_first_step():
    scheduler, weights = train(CONFIG, 1)
    assert weights == {"l_g_l1": 1.0, "l_g_parts": 1.0, "l_g_gan": 1.0}
    stats = scheduler.get_monitoring_stats()
    assert stats["enabled"] is True
    assert stats["current_weights"] == weights


def test_images_and_logits_are_caught_and_an_overweight_loss_is_lowered():
    scheduler, weights = train(CONFIG, 60, weight=50.0)
    stats = scheduler.get_monitoring_stats()
    assert weights["l_g_gan"] < 0.9
    assert weights["l_g_l1"] == 1.0
    assert None not in (stats["cost"], stats["separation"])


def test_the_length_of_the_run_is_read_from_the_block():
    scheduler, _ = train(CONFIG, 1)
    assert scheduler.total_iter == 200
    assert scheduler.get_monitoring_stats()["phase"] == "early"


def test_manual_and_custom_keys_do_not_raise():
    scheduler, _ = train({"auto_calibrate": False, "momentum": 0.7, "custom_param": 3}, 1)
    assert scheduler.settings.momentum == 0.7


def test_disabled_is_none():
    assert create_dynamic_loss_scheduler({}, {"enabled": False}) is None


def test_a_loss_that_returns_nothing_has_a_multiplier_all_the_same():
    scheduler = create_dynamic_loss_scheduler({"l_g_l1": L1Loss()}, {"auto_calibrate": False})
    assert scheduler({"l_g_l1": {}}, 1) == {"l_g_l1": 1.0}


def test_accumulated_passes_are_one_step():
    """The trainer raises its iteration with the last of the passes that it accumulates."""
    run, losses = Run(), {"l_g_l1": L1Loss(), "l_g_gan": GANLoss()}
    scheduler = create_dynamic_loss_scheduler(losses, {**CONFIG, "auto_calibrate": False})
    for current_iter in (0, 1, 1, 2, 2, 3):
        high = images(current_iter)
        output = run.net(F.avg_pool2d(high, 2))
        raw = {"l_g_l1": losses["l_g_l1"](output, high), "l_g_gan": losses["l_g_gan"](run.judge(output), True)}
        scheduler(raw, current_iter)
    scheduler.close()
    assert scheduler.state_dict()["steps"] == 3


def test_a_copy_is_watched_by_nobody():
    scheduler, _ = train(CONFIG, 3)
    again = pickle.loads(pickle.dumps(scheduler))
    assert again.state_dict() == scheduler.state_dict()
    assert again.attachment is None
    assert again({"l_g_gan": None}, 4) == {"l_g_gan": scheduler.multiplier("l_g_gan")}


@pytest.mark.parametrize("following", [{}, {"next": None}, {"next": "x"}])
def test_a_state_without_its_next_step_is_one_clear_error_and_changes_nothing(following):
    scheduler, _ = train(CONFIG, 3)
    before = scheduler.state_dict()
    broken = {**{key: value for key, value in before.items() if key != "next"}, **following}
    with pytest.raises(AutocalError, match="damaged"):
        scheduler.load_state_dict(broken)
    assert scheduler.state_dict() == before


@pytest.mark.parametrize("cut", [1, 30])
def test_a_resumed_run_goes_on_bit_for_bit(cut):
    """The first pass after a resume belongs to the step that the saved run was in, not to the first."""

    def multipliers(resumed_at):
        run, losses, found = Run(), {"l_g_l1": L1Loss(), "l_g_gan": GANLoss(50.0)}, []
        scheduler = create_dynamic_loss_scheduler(losses, CONFIG)
        for iteration in range(1, 61):
            if iteration == resumed_at:
                saved = pickle.loads(pickle.dumps(scheduler.state_dict()))
                scheduler.attachment.detach()
                scheduler = create_dynamic_loss_scheduler(losses, CONFIG)
                scheduler.load_state_dict(saved)
            high = images(iteration)
            output = run.net(F.avg_pool2d(high, 2)) + iteration / 20  # fidelity is lost step by step
            raw = {"l_g_l1": losses["l_g_l1"](output, high), "l_g_gan": losses["l_g_gan"](run.judge(output), True)}
            found.append((scheduler(raw, iteration)["l_g_gan"], scheduler.state_dict()["iteration"]))
        return found, scheduler.state_dict()

    assert multipliers(cut) == multipliers(None)
