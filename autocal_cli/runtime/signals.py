"""What the law listens to: the fidelity of the output, in dB, and the separation of the discriminator's logits.

Both come from tensors that the training computes anyway. They are taken detached, in float32 whatever autocast says,
and stay on their device: nothing here reads a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

QUANTISATION = 1.0 / (12.0 * 255.0**2)  # mean square of the rounding to 8 bits: no image is closer than this


@torch.no_grad()
def fidelity(output: Tensor, target: Tensor, low: Tensor | None = None, scale: int = 2) -> Tensor:
    """PSNR(output, target) - PSNR(trivial, target) in dB, 0-dim float32.

        F = 10 log10((mse(trivial, target) + q) / (mse(output, target) + q)), over the whole batch

    trivial: bilinear upscaling of `low` (B, C, h, w), else of the target brought down by `scale` and up again. The same
    batch's difficulty is taken out by it, so that an average over tens of steps is sharp to a tenth of a dB.

    Args:
        output: (B, C, H, W), any range; `target` of the same shape.
    """
    output, target = output.detach().float(), target.detach().float()
    if low is None:
        low = F.interpolate(target, scale_factor=1.0 / scale, mode="area", recompute_scale_factor=True)
    trivial = F.interpolate(low.detach().float(), size=target.shape[-2:], mode="bilinear", align_corners=False)
    ours, theirs = (output - target).square().mean(), (trivial - target).square().mean()
    return 10.0 * torch.log10((theirs + QUANTISATION) / (ours + QUANTISATION))


@torch.no_grad()
def separation(real: Any, generated: Any) -> Tensor:
    """mean sign(D(real) - D(generated)) over logits of the same place, 0-dim float32 in -1..1.

    1: the discriminator always wins, 0: it is blind. Logits may be maps, lists of maps (multi-scale; of a list of
    features the last counts), of any loss: vanilla, hinge, least squares, Wasserstein or relativistic.
    """
    parts = [torch.sign(a.float() - b.float()).mean() for a, b in zip(maps(real), maps(generated), strict=False)]
    return torch.stack(parts).mean()


def maps(logits: Any) -> list[Tensor]:
    """The logits of each scale, detached."""
    if isinstance(logits, Tensor):
        return [logits.detach()]
    if isinstance(logits, Sequence):
        return [maps(part)[-1] for part in logits if isinstance(part, Tensor | Sequence)]
    return []
