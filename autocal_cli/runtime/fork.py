"""create_dynamic_loss_scheduler: the call shape that the fork of traiNNer-redux expects, so that swapping one import
suffices.

The fork asks once a forward pass for one multiplier a label, also for a loss that returns several parts, and does not
hand over the network's output. So the output is caught on its way into the losses, and the parts count as their sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from autocal_cli.runtime.components import components
from autocal_cli.runtime.losses import JUDGES_OF_OUTPUT, first_image
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
    scheduler.watch(losses)
    return scheduler


class ForkScheduler(DynamicLossScheduler):
    """One multiplier a label. `output` need not be given: it is the first image that a watched loss was called with."""

    _caught: Tensor | None = None

    def watch(self, losses: Mapping[str, Any]) -> None:
        """Catches the network's output on its way into the losses that judge it."""
        for label, loss in losses.items():
            if isinstance(loss, nn.Module) and self.kind_of(label) in JUDGES_OF_OUTPUT:
                loss.register_forward_pre_hook(self._catch)

    def __call__(
        self, raw_losses: Mapping[str, Any], current_iter: int, output: Tensor | None = None
    ) -> dict[str, Any]:
        """The multiplier of each label, a 0-dim tensor; parts that are not above 0 do not count, as in the trainer."""
        summed = {label: _summed(label, value) for label, value in raw_losses.items()}
        found = super().__call__(
            {label: value for label, value in summed.items() if value is not None},
            current_iter,
            self._caught if output is None else output,
        )
        self._caught = None
        return {label: found.get(label, 1.0) for label in raw_losses}

    def get_monitoring_stats(self) -> dict[str, Any]:
        """As the scheduler's, with the `enabled` that the fork writes into its TensorBoard."""
        return {"enabled": True, **super().get_monitoring_stats()}

    def _catch(self, _: nn.Module, args: tuple[Any, ...]) -> None:
        if self._caught is None:
            self._caught = first_image(args)


def _summed(label: str, value: Any) -> Tensor | None:
    parts = [part for _, part in components(label, value)]
    if len(parts) < 2:
        return parts[0] if parts else None
    total = parts[0].clamp(min=0.0)
    for part in parts[1:]:
        total = total + part.clamp(min=0.0)
    return total
