"""The integrations, each in a real training: PyTorch Lightning and HF Accelerate."""

from __future__ import annotations

import pytest
import torch
from runtime_training import BLOCK, Run, images
from torch.nn import functional as F  # noqa: N812

from autocal_cli.runtime import DynamicLossScheduler

STEPS = 16
NUMBERS = {**BLOCK, "momentum": 0.3}


class TestLightning:
    lightning = pytest.importorskip("lightning.pytorch")

    def fit(self, folder, steps=STEPS, resume=None, total_iter=None):
        from lightning.pytorch import LightningModule, Trainer

        from autocal_cli.runtime.lightning import LossScheduling

        class Module(LightningModule):
            """Two optimisers, stepped by hand as adversarial trainings do."""

            def __init__(self):
                super().__init__()
                run = Run(weight=200.0)
                self.net, self.judge = run.net, run.judge
                self.losses = torch.nn.ModuleDict(run.losses)
                self.automatic_optimization = False

            def training_step(self, high, _):
                first, second = self.optimizers()
                output = self.net(F.avg_pool2d(high, 2))
                first.zero_grad()
                gan = self.losses["l_g_gan"]
                self.manual_backward(self.losses["l_g_l1"](output, high) + 10.0 * gan(self.judge(output), True))
                first.step()
                second.zero_grad()
                real = gan(self.judge(high), True, is_disc=True)
                self.manual_backward(real + gan(self.judge(output.detach()), False, is_disc=True))
                second.step()

            def configure_optimizers(self):
                return [torch.optim.Adam(part.parameters(), 2e-2) for part in (self.net, self.judge)]

        callback, module = LossScheduling(NUMBERS, network=lambda module: module.net, total_iter=total_iter), Module()
        trainer = Trainer(
            max_steps=2 * steps,
            callbacks=[callback],
            accelerator="cpu",
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        same = images(1).expand(STEPS, -1, -1, -1, -1)  # a loader of Lightning's starts again on resume
        trainer.fit(module, torch.utils.data.DataLoader(same, batch_size=None), ckpt_path=resume)
        trainer.save_checkpoint(folder / f"{steps}.ckpt")
        return trainer, callback.attachment.scheduler, module

    @pytest.mark.filterwarnings("ignore")
    def test_a_run_of_two_optimisers_is_counted_by_the_generators_steps_logged_and_resumed(self, tmp_path):
        trainer, whole, module = self.fit(tmp_path)
        assert whole.total_iter == STEPS  # Lightning counts both optimisers' steps
        assert whole.state_dict()["steps"] == STEPS
        assert whole.multiplier("l_g_gan") < 1.0
        assert float(trainer.callback_metrics["loss_multipliers/l_g_gan"]) == pytest.approx(whole.multiplier("l_g_gan"))
        assert "autocal/separation" in trainer.callback_metrics
        assert not module.losses["l_g_l1"]._forward_hooks

    @pytest.mark.filterwarnings("ignore")
    def test_a_resumed_run_goes_on_bit_for_bit(self, tmp_path):
        _, whole, module = self.fit(tmp_path, total_iter=STEPS)
        self.fit(tmp_path, steps=STEPS // 2, total_iter=STEPS)
        _, resumed, again = self.fit(tmp_path, resume=tmp_path / f"{STEPS // 2}.ckpt", total_iter=STEPS)
        assert resumed.state_dict() == whole.state_dict()
        assert torch.equal(again.net.body[0].weight, module.net.body[0].weight)


class TestAccelerate:
    accelerate = pytest.importorskip("accelerate")

    def train(self, folder, cut=None, accumulate=1, steps=STEPS):
        from accelerate import Accelerator

        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulate)
        run = Run(weight=200.0)
        net, optimizer = accelerator.prepare(run.net, run.optimizer)
        scheduler = DynamicLossScheduler.from_config(NUMBERS, run.losses, steps, optimizer=optimizer)
        accelerator.register_for_checkpointing(scheduler)
        iteration, seen = 1, []
        for number in range(1, steps + 1):
            if number == cut:
                accelerator.save_state(str(folder))
                scheduler.reset()
                accelerator.load_state(str(folder))
            high = images(number)
            low = F.avg_pool2d(high, 2)
            with accelerator.accumulate(net):
                output = net(low)
                raw = {
                    "l_g_l1": run.losses["l_g_l1"](output, high),
                    "l_g_gan": run.losses["l_g_gan"](run.judge(output), True),
                }
                scheduler.backward(raw, iteration, output, high, low, by=accelerator.backward)
                optimizer.step()
                optimizer.zero_grad()
            scheduler.observe_discriminator(run.judge(high), run.judge(output))
            iteration += int(accelerator.sync_gradients)
            seen.append(scheduler.multiplier("l_g_gan"))
        return scheduler, seen

    def test_a_prepared_run_is_scheduled_and_resumed_bit_for_bit(self, tmp_path):
        _, whole = self.train(tmp_path)
        _, resumed = self.train(tmp_path, cut=9)
        assert whole[-1] < 1.0
        assert resumed == whole

    def test_accumulated_batches_are_one_step(self, tmp_path):
        scheduler, _ = self.train(tmp_path, accumulate=2)
        assert scheduler.state_dict()["steps"] == STEPS // 2
