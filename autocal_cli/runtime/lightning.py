# ruff: noqa: ARG002 (the signatures are Lightning's)
"""LossScheduling: the scheduler as a callback of PyTorch Lightning. Needs the package `lightning`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT

from autocal_cli.runtime.attach import Attachment, attach


class LossScheduling(Callback):
    """Attaches the scheduler to a LightningModule's losses, logs the multipliers, and is saved in its checkpoints.

    A step is a batch, or `accumulate_grad_batches` of them, however many optimisers there are.

    Args:
        block: a `dynamic_loss_scheduling` block.
        losses: gives the module's loss modules by label; without it they are the module's attribute `losses`.
        total_iter: length of the run in steps. None: the trainer's `max_steps`, else what the block says.
        options: see `attach`.

    Example:
        trainer = Trainer(callbacks=[LossScheduling(block, lambda module: {"l1": module.l1, "gan": module.gan})])
    """

    def __init__(
        self,
        block: Mapping[str, Any],
        losses: Callable[[Any], Mapping[str, Any]] = lambda module: module.losses,
        total_iter: int | None = None,
        **options: Any,
    ) -> None:
        self.attachment: Attachment | None = None
        self._block, self._losses, self._total_iter, self._options = block, losses, total_iter, options
        self._batches = 0
        self._saved: dict[str, Any] | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        total_iter = self._total_iter or (trainer.max_steps if trainer.max_steps > 0 else None)
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        self.attachment = attach(self._losses(pl_module), self._block, total_iter, grad_scaler=scaler, **self._options)
        if self._saved is not None:
            self.attachment.load_state_dict(self._saved)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        assert self.attachment is not None
        self.attachment.iteration = self._batches // trainer.accumulate_grad_batches + 1
        self._batches += 1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, batch: Any, batch_idx: int
    ) -> None:
        assert self.attachment is not None
        weights = self.attachment.scheduler.get_current_weights()
        pl_module.log_dict({f"loss_multipliers/{name}": multiplier for name, multiplier in weights.items()})

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.attachment is not None:
            self.attachment.detach()

    def state_dict(self) -> dict[str, Any]:
        if self.attachment is None:
            return {}
        return {"attachment": self.attachment.state_dict(), "batches": self._batches}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._saved, self._batches = state_dict["attachment"], state_dict["batches"]
        if self.attachment is not None:
            self.attachment.load_state_dict(state_dict["attachment"])
