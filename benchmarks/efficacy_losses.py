"""The loss sets of the efficacy benchmark: L1 with MS-SSIM, with a feature loss, with that and an adversarial one."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

WINDOW, SIGMA = 7, 1.5  # of the Gaussian window of MS-SSIM; 11 pixels would not fit into the smallest level
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001)  # Wang et al. 2003, of the first three of five levels; brought to sum 1
C1, C2 = 0.01**2, 0.03**2


@dataclass(frozen=True)
class LossSet:
    """`weights` as given, by label; `types` in the trainers' words; `wrong` is the loss whose weight is made wrong.

    `shares` of the pull are what the method with `gradient_shares` holds (chosen before the first run, not tuned).
    """

    weights: dict[str, float]
    types: dict[str, str]
    wrong: str
    shares: dict[str, float]

    @property
    def adversarial(self) -> bool:
        return "gan" in self.weights

    def scaled(self, factor: float) -> dict[str, float]:
        """The weights with the one of `wrong` multiplied by `factor`."""
        return {**self.weights, self.wrong: self.weights[self.wrong] * factor}


_TYPES = {"l1": "L1Loss", "msssim": "MSSSIMLoss", "feature": "PerceptualLoss", "gan": "GANLoss"}


def _loss_set(wrong: str, weights: dict[str, float], shares: dict[str, float]) -> LossSet:
    return LossSet(weights, {name: _TYPES[name] for name in weights}, wrong, shares)


# Weights: 1.0 and 1.0, and those of the small training (small_training.py), chosen before the first result was seen.
LOSS_SETS = MappingProxyType(
    {
        "l1+msssim": _loss_set("msssim", {"l1": 1.0, "msssim": 1.0}, {"l1": 0.5, "msssim": 0.5}),
        "l1+feature": _loss_set("feature", {"l1": 1.0, "feature": 0.1}, {"l1": 0.7, "feature": 0.3}),
        "l1+feature+gan": _loss_set(
            "gan", {"l1": 1.0, "feature": 0.1, "gan": 0.005}, {"l1": 0.6, "feature": 0.3, "gan": 0.1}
        ),
    }
)


def raw_losses(
    names: list[str], output: Tensor, high: Tensor, features: nn.Module, discriminator: nn.Module | None
) -> dict[str, Tensor]:
    """The losses named, without any weight, in the order of `names`; images (B, 3, H, W) in 0..1."""
    found: dict[str, Tensor] = {}
    for name in names:
        if name == "l1":
            found[name] = F.l1_loss(output, high)
        elif name == "msssim":
            found[name] = 1.0 - ms_ssim(output, high)
        elif name == "feature":
            found[name] = F.l1_loss(features(output), features(high))
        else:
            assert discriminator is not None
            judged = discriminator(output)
            found[name] = F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))
    return found


def ms_ssim(one: Tensor, other: Tensor) -> Tensor:
    """Multi-scale structural similarity over three levels (Wang et al. 2003), in 0..1, mean over batch and channels.

    product over the levels of cs_j^w_j, the last with luminance, l cs; negative values count as 0.
    """
    total = sum(SCALE_WEIGHTS)
    value = one.new_ones(())
    for level, weight in enumerate(SCALE_WEIGHTS):
        luminance, contrast = ssim_parts(one, other)
        last = level == len(SCALE_WEIGHTS) - 1
        part = (luminance * contrast if last else contrast).mean().clamp_min(1e-6)
        value = value * part ** (weight / total)
        one, other = F.avg_pool2d(one, 2), F.avg_pool2d(other, 2)
    return value


def ssim_parts(one: Tensor, other: Tensor, window: int = WINDOW) -> tuple[Tensor, Tensor]:
    """Luminance and contrast-structure maps of SSIM (Wang et al. 2004), valid positions only."""
    mean_1, mean_2 = blurred(one, window), blurred(other, window)
    variance_1 = blurred(one * one, window) - mean_1 * mean_1
    variance_2 = blurred(other * other, window) - mean_2 * mean_2
    covariance = blurred(one * other, window) - mean_1 * mean_2
    luminance = (2 * mean_1 * mean_2 + C1) / (mean_1**2 + mean_2**2 + C1)
    return luminance, (2 * covariance + C2) / (variance_1 + variance_2 + C2)


def blurred(image: Tensor, window: int) -> Tensor:
    """Means in a Gaussian window, without padding."""
    reach = torch.arange(window, dtype=image.dtype, device=image.device) - window // 2
    taps = torch.exp(-(reach**2) / (2 * SIGMA**2))
    taps = (taps / taps.sum()).expand(image.shape[1], 1, 1, window)
    image = F.conv2d(image, taps, groups=image.shape[1])
    return F.conv2d(image, taps.transpose(2, 3), groups=image.shape[1])
