"""What the law listens to: the fidelity of the output, in dB, and the separation of the discriminator's logits.

Both come from tensors that the training computes anyway. They are taken detached, in float32 whatever autocast says,
and stay on their device: nothing here reads a value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

QUANTISATION = 1.0 / (12.0 * 255.0**2)  # mean square of the rounding to 8 bits: no image is closer than this
OPPOSITE = 1e-5  # of their size: means of logits that are opposite but for rounding


@torch.no_grad()
def errors(output: Tensor, target: Tensor, low: Tensor | None, scale: int) -> tuple[Tensor, Tensor] | None:
    """Mean squared errors of the trivial upscaling and of the output, 0-dim float32; None where the shapes differ.

    The trivial one is the bilinear upscaling of `low` (B, C, h, w), where that is a smaller or equal picture of the
    target, else of the target brought down by `scale` and up again.

    Args:
        output: (B, C, H, W), any range; `target` of the same shape.
    """
    if output.dim() != 4 or output.shape != target.shape:
        return None
    output, target = output.detach().float(), target.detach().float()
    if low is None or low.dim() != 4 or low.shape[:2] != target.shape[:2] or low.shape[-1] > target.shape[-1]:
        size = [max(side // max(scale, 1), 1) for side in target.shape[-2:]]
        low = F.interpolate(target, size=size, mode="area")
    trivial = low.detach().float()
    if trivial.shape != target.shape:
        trivial = F.interpolate(trivial, size=target.shape[-2:], mode="bilinear", align_corners=False)
    return F.mse_loss(trivial, target), F.mse_loss(output, target)


def fidelity_of(trivial: float, output: float) -> float:
    """PSNR(output, target) - PSNR(trivial, target) in dB, from their mean squared errors over a batch.

        F = 10 log10((mse(trivial, target) + q) / (mse(output, target) + q))

    The same batch's difficulty is taken out, so that an average over tens of steps is sharp to a tenth of a dB. Not
    finite where an error is not.
    """
    ratio = (trivial + QUANTISATION) / (output + QUANTISATION)
    return 10.0 * math.log10(ratio) if ratio > 0.0 else -math.inf


@torch.no_grad()
def separation(real: Any, generated: Any) -> Tensor:
    """mean sign(D(real) - D(generated)) over logits of the same place, 0-dim float32 in -1..1.

    1: the discriminator always wins, 0: it is blind. Logits may be maps, lists of maps (multi-scale; of a list of
    features the last counts), of any loss: vanilla, hinge, least squares, Wasserstein or relativistic.
    """
    parts = [torch.sign(a.float() - b.float()).mean() for a, b in zip(maps(real), maps(generated), strict=False)]
    return parts[0] if len(parts) == 1 else torch.stack(parts).mean()


def maps(logits: Any) -> list[Tensor]:
    """The logits of each scale, detached."""
    if isinstance(logits, Tensor):
        return [logits.detach()]
    if isinstance(logits, Sequence):
        return [maps(part)[-1] for part in logits if isinstance(part, Tensor | Sequence)]
    return []


@torch.no_grad()
def separation_of_calls(real: Any, generated: Any) -> Tensor | None:
    """As `separation`, from what a loss was called with for the discriminator; None where the shapes differ.

    A relativistic loss is called with D(real) - mean D(generated) and D(generated) - mean D(real), whose means are
    opposite; there the offset that they share is taken out again.
    """
    pairs = list(zip(maps(real), maps(generated), strict=False))
    if not pairs or any(a.shape != b.shape for a, b in pairs):
        return None
    found = []
    for a, b in pairs:
        a, b = a.float(), b.float()
        mean_a, mean_b = a.mean(), b.mean()
        size = a.abs().mean() + b.abs().mean()
        opposite = (mean_a + mean_b).abs() <= OPPOSITE * size
        offset = torch.where(opposite, (mean_a - mean_b) / 2.0, 0.0)
        found.append(torch.sign(a - b - offset).mean())
    return found[0] if len(found) == 1 else torch.stack(found).mean()
