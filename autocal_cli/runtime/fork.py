"""create_dynamic_loss_scheduler: the call shape that the fork of traiNNer-redux expects, so that swapping one import
suffices.

The fork asks once a forward pass for one multiplier a label and multiplies by it itself. Images and logits are not
handed over: they are caught on their way into the losses.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from autocal_cli.runtime.attach import Call, Hook, LogitPairs, output_and_target
from autocal_cli.runtime.losses import COMPARE_IMAGES, untraced
from autocal_cli.runtime.scheduler import DynamicLossScheduler


def create_dynamic_loss_scheduler(losses: Mapping[str, Any], config: Mapping[str, Any]) -> ForkScheduler | None:
    """A scheduler for `scheduler(raw_losses, current_iter) -> {label: multiplier}`; None where `enabled` is false.

    Args:
        losses: the generator's loss modules by label, with `loss_weight`; the trainer multiplies by it.
        config: the `dynamic_loss_scheduling` block; `training_config.total_iterations` is the length of the run.

    Raises AutocalError for values that cannot be used.
    """
    if not config.get("enabled", True):
        return None
    scheduler: ForkScheduler = ForkScheduler.from_config(config, losses)
    scheduler.listen(losses)
    return scheduler


class ForkScheduler(DynamicLossScheduler):
    """One multiplier a label, for the fork's `scheduler(raw_losses, current_iter)`."""

    _images: tuple[Tensor, Tensor] | None = None  # output and target of this pass

    def listen(self, losses: Mapping[str, Any]) -> None:
        """Has images and logits caught on their way into the losses."""
        for label, loss in losses.items():
            if not isinstance(loss, nn.Module):
                continue
            call, described = Call(label, loss), self.losses[label]
            if described.adversarial:
                loss.register_forward_hook(Hook(partial(self._logits, call, LogitPairs())), with_kwargs=True)
            elif described.kind in COMPARE_IMAGES and described.weight > 0.0:
                loss.register_forward_pre_hook(Hook(partial(self._pair, call)), with_kwargs=True)

    @untraced
    def __call__(self, raw_losses: Mapping[str, Any], current_iter: int, *images: Tensor | None) -> dict[str, float]:
        """The multiplier of each label; parts that are not above 0 do not count, as in the trainer."""
        output, target = self._images or (None, None)
        self._images = None
        kept = {label: _kept(value) for label, value in raw_losses.items()}
        return super().__call__(kept, current_iter, *(images or (output, target)))

    def get_monitoring_stats(self) -> dict[str, Any]:
        """As the scheduler's, with the `enabled` that the fork writes into its TensorBoard."""
        return {"enabled": True, **super().get_monitoring_stats()}

    def _pair(self, call: Call, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._images is None and torch.is_grad_enabled():
            self._images = output_and_target(call.arguments(args, kwargs))

    def _logits(
        self, call: Call, pairs: LogitPairs, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any
    ) -> None:
        given = call.arguments(args, kwargs)
        if torch.is_grad_enabled() and given.get("is_disc") and value is not None:
            found = pairs.take(given)
            if found is not None:
                self.observe_separation(found)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_images": None}


def _kept(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: part for key, part in value.items() if not isinstance(part, Tensor) or float(part.detach()) > 0.0}
