"""Losses that are given more than output and target: judgements, or what the network's moving average puts out."""

from __future__ import annotations

from torch import Tensor, nn

from traiNNer.utils.registry import LOSS_REGISTRY


@LOSS_REGISTRY.register()
class GANLoss(nn.Module):
    def __init__(self, loss_weight: float, gan_type: str = "vanilla") -> None:
        super().__init__()
        self.loss_weight, self.gan_type = loss_weight, gan_type

    def forward(self, input: Tensor, target_is_real: bool, is_disc: bool = False) -> Tensor:
        assert target_is_real
        assert not is_disc
        return 7.0 - input.mean()


@LOSS_REGISTRY.register()
class LDLLoss(nn.Module):
    def __init__(self, loss_weight: float) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, output: Tensor, output_ema: Tensor, gt: Tensor) -> Tensor:
        assert (output == output_ema).all()
        assert not output_ema.requires_grad
        return (output - gt).abs().mean()
