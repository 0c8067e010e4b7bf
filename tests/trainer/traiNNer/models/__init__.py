"""A trainer in the shape of traiNNer-redux, as small as can be: one convolution, a critic, two losses."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn


class L1Loss(nn.Module):
    def __init__(self, loss_weight):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, output, target):
        return (output - target).abs().mean()


class GANLoss(nn.Module):
    def __init__(self, loss_weight):
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, prediction, target_is_real, is_disc=False):
        self.calls_for_critic = getattr(self, "calls_for_critic", 0) + is_disc
        return nn.functional.softplus(-prediction if target_is_real else prediction).mean()


LOSSES = {"l1loss": L1Loss, "ganloss": GANLoss}


class SRModel:
    def __init__(self, opt):
        torch.manual_seed(0)
        self.opt = opt
        self.net_g, self.net_d = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 1, 4, 4)
        self.optimizer_g = torch.optim.Adam(self.net_g.parameters(), 0.02)
        self.losses = {
            "l_g_" + loss["type"].replace("loss", ""): LOSSES[loss["type"]](loss["loss_weight"])
            for loss in opt["train"]["losses"]
        }
        self.accum_iters = opt.get("accum_iter", 1)

    def optimize_parameters(self, current_iter, current_accum_iter, apply_gradient):
        data = torch.Generator().manual_seed(current_iter * 10 + current_accum_iter)
        x = torch.rand(2, 3, 8, 8, generator=data)
        if current_iter == self.opt.get("breaks_at"):
            x = x * torch.nan
        output = self.net_g(x)
        total = torch.zeros(())
        self.log_dict = {}
        for label, loss in self.losses.items():
            value = loss(self.net_d(output), True, is_disc=False) if label == "l_g_gan" else loss(output, x)
            weighted = value * abs(loss.loss_weight)
            total = total + weighted / self.accum_iters
            self.log_dict[label] = float(weighted.detach())
        total.backward()
        if apply_gradient:
            self.optimizer_g.step()
            self.optimizer_g.zero_grad()
        if "l_g_gan" in self.losses:
            self.losses["l_g_gan"](self.net_d(x), True, is_disc=True)
            self.losses["l_g_gan"](self.net_d(output.detach()), False, is_disc=True)

    def get_current_log(self):
        return self.log_dict

    def save_training_state(self, epoch, current_iter):
        if current_iter != -1:
            parts = {"net_g": self.net_g.state_dict(), "optimizer_g": self.optimizer_g.state_dict()}
            state = {"epoch": epoch, "iter": current_iter, **parts}
            torch.save(state, Path(self.opt["path"]["training_states"]) / f"{current_iter}.state")

    def resume_training(self, resume_state):
        self.net_g.load_state_dict(resume_state["net_g"])
        self.optimizer_g.load_state_dict(resume_state["optimizer_g"])


class OddModel(SRModel):
    """A model of another shape."""

    get_current_log = None


def build_model(opt):
    return {"sr": SRModel, "odd": OddModel}[opt.get("model_type", "sr")](opt)
