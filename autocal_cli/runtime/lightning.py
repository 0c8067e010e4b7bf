# ruff: noqa: ARG002 (the signatures are Lightning's)
"""LossScheduling: the scheduler as a callback of PyTorch Lightning. Needs the package `lightning`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT

from autocal_cli.runtime.attach import Attachment, attach
from autocal_cli.runtime.scheduler import logged


class LossScheduling(Callback):
    """Attaches the scheduler to a LightningModule's losses, logs the multipliers, and is saved in its checkpoints.

    A step is one of the generator's optimiser, however many optimisers there are.

    Args:
        block: a `dynamic_loss_scheduling` block.
        losses: gives the module's loss modules by label; without it they are the module's attribute `losses`.
        total_iter: length of the run in the generator's steps. None: the trainer's `max_steps` over its optimisers,
            else what the block says.
        network: gives the module's generator, see `attach`.
        optimizer: which of the module's optimisers is the generator's.
        options: see `attach`.

    Example:
        trainer = Trainer(callbacks=[LossScheduling(block, lambda module: {"l1": module.l1, "gan": module.gan})])
    """

    def __init__(
        self,
        block: Mapping[str, Any],
        losses: Callable[[Any], Mapping[str, Any]] = lambda module: module.losses,
        total_iter: int | None = None,
        network: Callable[[Any], Any] | None = None,
        optimizer: int = 0,
        **options: Any,
    ) -> None:
        self._block, self._losses, self._total_iter, self._options = block, losses, total_iter, options
        self._network, self._optimizer = network, optimizer
        self.attachment: Attachment | None = None
        self._saved: dict[str, Any] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        total_iter = self._total_iter
        if total_iter is None and trainer.max_steps > 0:  # Lightning counts the steps of every optimiser
            total_iter = max(trainer.max_steps // max(len(trainer.optimizers), 1), 1)
        self.attachment = attach(
            self._losses(pl_module),
            self._block,
            total_iter,
            network=self._network(pl_module) if self._network else None,
            optimizer=trainer.optimizers[self._optimizer],
            grad_scaler=getattr(trainer.precision_plugin, "scaler", None),
            **self._options,
        )
        if self._saved is not None:
            self.attachment.load_state_dict(self._saved)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, batch: Any, batch_idx: int
    ) -> None:
        assert self.attachment is not None
        pl_module.log_dict(logged(self.attachment.scheduler))

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self.attachment is not None:
            self.attachment.detach()

    def state_dict(self) -> dict[str, Any]:
        return {} if self.attachment is None else {"attachment": self.attachment.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._saved = state_dict.get("attachment")
        if self.attachment is not None and self._saved is not None:
            self.attachment.load_state_dict(self._saved)
