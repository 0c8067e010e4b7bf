"""A small but real adversarial training, with losses as trainers have them, for the tests to disturb."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

# Fast numbers, so that a hundred steps show what the law does.
BLOCK = {
    "auto_calibrate": False, "momentum": 0.7, "adaptation_rate": 0.05, "adaptation_threshold": 0.04,
    "min_weight": 1e-6, "max_weight": 100.0, "baseline_iterations": 10, "fidelity_budget": 1.0,
}  # fmt: skip


class L1Loss(nn.Module):
    def __init__(self, loss_weight=1.0):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, pred, target):
        return F.l1_loss(pred, target)


class GANLoss(nn.Module):
    """As traiNNer-redux's: the trainer multiplies by `loss_weight`."""

    def __init__(self, loss_weight=0.05, gan_type="vanilla"):
        super().__init__()
        self.loss_weight, self.gan_type = loss_weight, gan_type

    def forward(self, input, target_is_real, is_disc=False):
        if self.gan_type == "hinge":
            if is_disc:
                return F.relu(1.0 - input if target_is_real else 1.0 + input).mean()
            return -input.mean()
        if self.gan_type == "wgan":
            return -input.mean() if target_is_real else input.mean()
        return F.softplus(-input if target_is_real else input).mean()


class PlainGANLoss(nn.Module):
    """Without `is_disc`."""

    loss_weight = 0.05

    def forward(self, input, target_is_real):
        return F.softplus(-input if target_is_real else input).mean()


class MultiScaleGANLoss(GANLoss):
    """Of a list of maps."""

    def forward(self, input, target_is_real, is_disc=False):
        found = [super(MultiScaleGANLoss, self).forward(part, target_is_real, is_disc) for part in input]
        return sum(found) / len(found)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2)
        )

    def forward(self, low):
        return F.interpolate(low, scale_factor=2, mode="nearest") + self.body(low)


def images(number, batch=4):
    """(batch, 3, 16, 16) in 0..1, smooth with some grain."""
    seeded = torch.Generator().manual_seed(number)
    rough = F.interpolate(torch.rand(batch, 3, 5, 5, generator=seeded), size=16, mode="bicubic").clamp(0, 1)
    return (rough + 0.05 * torch.rand(batch, 3, 16, 16, generator=seeded)).clamp(0, 1)


class Run:
    """Networks and optimisers from one seed. `step` is a trainer's: the weight stands in its loop, as does the call.

    `total(raw, iteration, output, high, low)` and `judged(real, fake)` are what a user would add to it.
    """

    def __init__(self, gan=None, weight=1.0, rate=2e-2):
        torch.manual_seed(0)
        self.net, self.judge = (
            Generator(),
            nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3, 1, 1)),
        )
        self.optimizer = torch.optim.Adam(self.net.parameters(), rate)
        self.judge_optimizer = torch.optim.Adam(self.judge.parameters(), rate)
        self.losses = {"l_g_l1": L1Loss(), "l_g_gan": gan or GANLoss(0.05 * weight)}
        self.iteration = 0

    def step(self, total=None, judged=None):
        self.iteration += 1
        high = images(self.iteration)
        low = F.avg_pool2d(high, 2)
        self.judge.requires_grad_(False)
        output = self.net(low)
        raw = {
            "l_g_l1": self.losses["l_g_l1"](output, high),
            "l_g_gan": self.losses["l_g_gan"](self.judge(output), True),
        }
        self.optimizer.zero_grad()
        if total is None:
            objective = sum(raw[label] * loss.loss_weight for label, loss in self.losses.items())
        else:
            objective = total(raw, self.iteration, output, high, low)
        objective.backward()
        self.optimizer.step()
        self.judge.requires_grad_(True)
        real, fake = self.judge(high), self.judge(output.detach())
        gan = self.losses["l_g_gan"]
        more = {} if isinstance(gan, PlainGANLoss) else {"is_disc": True}
        self.judge_optimizer.zero_grad()
        (gan(real, True, **more) + gan(fake, False, **more)).backward()
        self.judge_optimizer.step()
        if judged is not None:
            judged(real, fake)

    def steps(self, count, **hooks):
        for _ in range(count):
            self.step(**hooks)
        return self

    def weights(self):
        return torch.cat([parameter.detach().flatten() for parameter in self.net.parameters()]).clone()


def scheduled(run, scheduler, count):
    """`count` steps by `total` and `observe_discriminator`."""
    return run.steps(count, total=scheduler.total, judged=scheduler.observe_discriminator)
