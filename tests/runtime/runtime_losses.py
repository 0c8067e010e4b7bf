"""Loss modules as trainers have them: the weight is an attribute, which the trainer multiplies by."""

from __future__ import annotations

from torch import nn


class L1Loss(nn.Module):
    def __init__(self, loss_weight=1.0):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, output, target):
        return (output - target).abs().mean()


class GANLoss(nn.Module):
    def __init__(self, loss_weight=0.1):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, prediction, target_is_real, is_disc=False):  # noqa: ARG002
        return nn.functional.softplus(-prediction if target_is_real else prediction).mean()
