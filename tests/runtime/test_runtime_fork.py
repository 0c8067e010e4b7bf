"""create_dynamic_loss_scheduler under a call site like the fork's."""

from __future__ import annotations

import pytest
import torch
from runtime_losses import GANLoss, L1Loss
from torch import nn

from autocal_cli.runtime import create_dynamic_loss_scheduler

CONFIG = {
    "enabled": True,
    "auto_calibrate": True,
    "architecture_type": "paragonsr2_nano",
    "training_config": {"total_iterations": 40_000, "dataset_info": {"texture_variance": 0.5}},
}


class PartsLoss(nn.Module):
    loss_weight = 0.5

    def forward(self, output, target):
        gap = output - target
        return {"near": gap.abs().mean(), "far": gap.square().mean(), "below": -gap.square().mean()}


def train(config, steps=4):
    """The two passes of the fork's optimize_parameters: raw losses first, then the total."""
    losses = {"l_g_l1": L1Loss(), "l_g_parts": PartsLoss(), "l_g_gan": GANLoss(100.0)}
    scheduler = create_dynamic_loss_scheduler(losses, config)
    net = nn.Linear(4, 4)
    for iteration in range(1, steps + 1):
        x = torch.rand(2, 4)
        output = net(x)
        raw = {label: loss(output, x if label != "l_g_gan" else True) for label, loss in losses.items()}
        weights = scheduler(raw, iteration)
        total = torch.zeros(())
        for label, loss in losses.items():
            weight = abs(loss.loss_weight) * weights[label]
            parts = raw[label].values() if isinstance(raw[label], dict) else [raw[label]]
            total = total + sum(part * weight for part in parts if part > 0)
        total.backward()
    return scheduler, weights


@pytest.mark.filterwarnings("ignore:autocal")
def test_one_multiplier_a_label_from_the_first_step():
    scheduler, weights = train(CONFIG, steps=1)
    assert weights.keys() == {"l_g_l1", "l_g_parts", "l_g_gan"}
    assert (weights["l_g_l1"], weights["l_g_parts"]) == (1.0, 1.0)
    assert weights["l_g_gan"] < 0.1
    stats = scheduler.get_monitoring_stats()
    assert stats["enabled"] is True
    assert stats["shares"]["l_g_gan"] == pytest.approx(0.1, rel=1e-4)
    assert all(isinstance(weight, float) for weight in stats["current_weights"].values())
    assert stats["current_weights"].keys() == weights.keys()


@pytest.mark.filterwarnings("ignore:autocal")
def test_the_length_of_the_run_is_read_from_the_block():
    scheduler, _ = train(CONFIG)
    assert scheduler.total_iter == 40_000
    assert scheduler.get_monitoring_stats()["phase"] == "early"


def test_manual_and_custom_keys_do_not_raise():
    scheduler, _ = train({"auto_calibrate": False, "momentum": 0.7, "custom_param": 3})
    assert scheduler.settings.momentum == 0.7


def test_disabled_is_none():
    assert create_dynamic_loss_scheduler({}, {"enabled": False}) is None


def test_a_loss_that_returns_nothing_has_a_multiplier_all_the_same():
    scheduler = create_dynamic_loss_scheduler({"l_g_l1": L1Loss()}, {"auto_calibrate": False})
    assert scheduler({"l_g_l1": {}}, 1) == {"l_g_l1": 1.0}
