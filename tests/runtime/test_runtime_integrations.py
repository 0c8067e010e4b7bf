"""The three-line integrations, each in a real training: a plain loop, PyTorch Lightning, HF Accelerate."""

from __future__ import annotations

import pytest
import torch
from runtime_losses import GANLoss, L1Loss
from runtime_runs import BLOCK
from torch import nn

from autocal_cli.runtime import DynamicLossScheduler

SETTINGS = {**BLOCK, "baseline_iterations": 3, "adaptation_threshold": 0.001}
STEPS = 14


def new_losses():
    return {"l1": L1Loss(), "gan": GANLoss(40.0)}


def new_networks():
    torch.manual_seed(0)
    return nn.Linear(4, 4), nn.Linear(4, 1)


def batches():
    return torch.rand(STEPS, 2, 4, generator=torch.Generator().manual_seed(1))


def floats(scheduler):
    return {name: float(multiplier) for name, multiplier in scheduler.get_current_weights().items()}


def test_a_plain_loop():
    losses, (net, critic) = new_losses(), new_networks()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    scheduler = DynamicLossScheduler.from_config(SETTINGS, losses, STEPS)
    for iteration, x in enumerate(batches(), 1):
        output = net(x)
        raw = {"l1": losses["l1"](output, x), "gan": losses["gan"](critic(output), True)}
        optimizer.zero_grad()
        scheduler.total(raw, iteration, output).backward()
        optimizer.step()
    stats = scheduler.get_monitoring_stats()
    assert stats["shares"]["gan"] <= 0.201
    assert stats["multipliers"]["gan"] < 0.2


class TestLightning:
    lightning = pytest.importorskip("lightning.pytorch")

    def fit(self, folder, steps=STEPS, resume=None, accumulate=1):
        from lightning.pytorch import LightningModule, Trainer

        from autocal_cli.runtime.lightning import LossScheduling

        class Module(LightningModule):
            def __init__(self):
                super().__init__()
                self.net, self.critic = new_networks()
                self.losses = nn.ModuleDict(new_losses())

            def training_step(self, x, _):
                output = self.net(x)
                return self.losses["l1"](output, x) + 40.0 * self.losses["gan"](self.critic(output), True)

            def configure_optimizers(self):
                return torch.optim.Adam(self.net.parameters(), 1e-2)

        callback, module = LossScheduling(SETTINGS, total_iter=STEPS), Module()
        trainer = Trainer(
            max_steps=steps,
            callbacks=[callback],
            accelerator="cpu",
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            accumulate_grad_batches=accumulate,
        )
        same = batches()[:1].expand(STEPS, -1, -1)  # a loader of Lightning's starts again on resume
        trainer.fit(module, torch.utils.data.DataLoader(same, batch_size=None), ckpt_path=resume)
        trainer.save_checkpoint(folder / f"{steps}.ckpt")
        return trainer, callback.attachment.scheduler, module

    @pytest.mark.filterwarnings("ignore")
    def test_a_run_is_scheduled_logged_resumed_and_left_as_it_was(self, tmp_path):
        trainer, whole, module = self.fit(tmp_path)
        assert floats(whole)["gan"] < 0.2
        logged = trainer.callback_metrics
        assert {name: float(logged[f"loss_multipliers/{name}"]) for name in ("l1", "gan")} == floats(whole)
        assert not module.losses["l1"]._forward_hooks
        self.fit(tmp_path, steps=9)
        _, resumed, again = self.fit(tmp_path, resume=tmp_path / "9.ckpt")
        assert resumed.state_dict()["steps"] == STEPS
        assert floats(resumed) == floats(whole)
        assert torch.equal(again.net.weight, module.net.weight)

    @pytest.mark.filterwarnings("ignore")
    def test_accumulated_batches_are_one_step(self, tmp_path):
        _, scheduler, _ = self.fit(tmp_path, steps=STEPS // 2, accumulate=2)
        assert scheduler.state_dict()["steps"] == STEPS // 2


class TestAccelerate:
    accelerate = pytest.importorskip("accelerate")

    def train(self, folder, cut=None, accumulate=1):
        from accelerate import Accelerator

        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulate)
        losses, (net, critic) = new_losses(), new_networks()
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)
        net, optimizer = accelerator.prepare(net, optimizer)
        scheduler = DynamicLossScheduler.from_config(SETTINGS, losses, STEPS)
        accelerator.register_for_checkpointing(scheduler)
        iteration, seen = 1, []
        for number, x in enumerate(batches()):
            if number == cut:
                accelerator.save_state(str(folder))
                scheduler.reset()
                accelerator.load_state(str(folder))
            with accelerator.accumulate(net):
                output = net(x)
                raw = {"l1": losses["l1"](output, x), "gan": losses["gan"](critic(output), True)}
                accelerator.backward(scheduler.total(raw, iteration, output))
                optimizer.step()
                optimizer.zero_grad()
            iteration += int(accelerator.sync_gradients)
            seen.append(floats(scheduler))
        return scheduler, seen

    def test_a_run_is_scheduled_and_resumed(self, tmp_path):
        _, whole = self.train(tmp_path)
        _, resumed = self.train(tmp_path, cut=9)
        assert whole[-1]["gan"] < 0.2
        assert resumed == whole

    def test_accumulated_batches_are_one_step(self, tmp_path):
        scheduler, _ = self.train(tmp_path, accumulate=2)
        assert scheduler.state_dict()["steps"] == STEPS // 2
