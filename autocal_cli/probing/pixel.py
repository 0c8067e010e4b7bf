"""Losses of pixels and of spectra: x the network's output, y the target, both (B, C, H, W) in 0..1; d = x - y.

Each function takes the trainer's own arguments and gives the loss without its weight. Where trainers differ, the
docstring says whose numbers the defaults are. The tests hold each to the trainer's own class.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from autocal_cli.probing.model import UnknownLossError

PairLoss = Callable[[Tensor, Tensor], Tensor]

CHARBONNIER_EPS = 1e-12  # of BasicSR and traiNNer-redux; eps^2 in Lai et al., arXiv:1704.03915
FOCAL_FACTOR = 50.0  # traiNNer-redux and neosr multiply the published loss by this, so that it is of others' size


def l1(reduction: str = "mean") -> PairLoss:
    """mean |d|"""
    reduce = _reduced(reduction)
    return lambda x, y: reduce((x - y).abs())


def mse(reduction: str = "mean") -> PairLoss:
    """mean d^2"""
    reduce = _reduced(reduction)
    return lambda x, y: reduce((x - y) ** 2)


def charbonnier(eps: float = CHARBONNIER_EPS, reduction: str = "mean") -> PairLoss:
    """mean sqrt(d^2 + eps) (Lai et al., arXiv:1704.03915)."""
    reduce = _reduced(reduction)
    return lambda x, y: reduce(torch.sqrt((x - y) ** 2 + eps))


def huber(delta: float = 1.0, reduction: str = "mean") -> PairLoss:
    """mean of d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) beyond (Huber, Ann. Math. Statist. 35, 1964)."""
    reduce = _reduced(reduction)
    return lambda x, y: reduce(F.huber_loss(x, y, delta=delta, reduction="none"))


def psnr(to_y: bool = False) -> PairLoss:
    """10 log10 of each image's mean squared error, in dB: the PSNR with its sign turned. `to_y`: of BT.601 luma."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        difference = x - y
        if to_y:
            weights = difference.new_tensor((65.481, 128.553, 24.966))[:, None, None] / 255.0
            difference = (difference * weights).sum(1, keepdim=True)
        return 10.0 / math.log(10.0) * torch.log((difference**2).mean((1, 2, 3)) + 1e-8).mean()

    return loss


def clipped(
    criterion: str = "huber",
    loss_lambda: float = 0.0,
    clip_min: float = 1.0 / 255.0,
    clip_max: float = 254.0 / 255.0,
    reduction: str = "mean",
) -> PairLoss:
    """CHC: mean of |d| + lambda (1 - cos), clamped to clip_min..clip_max, where it has no gradient.

    `huber` puts sqrt(d^2 + 1e-12) for |d|. cos: between the colours of a pixel, averaged over the batch. The defaults
    are the fork's; neosr has 0.003921 and 0.996078.
    """
    if criterion not in ("huber", "l1"):
        raise UnknownLossError(f"its criterion is {criterion!r}, not huber or l1")
    reduce = _reduced(reduction)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        distance = (x - y).abs() if criterion == "l1" else torch.sqrt((x - y) ** 2 + 1e-12)
        if loss_lambda:
            distance = distance + loss_lambda * (1.0 - F.cosine_similarity(x, y, dim=1, eps=1e-20)).mean()
        return reduce(distance.clamp(clip_min, clip_max))

    return loss


def neosr_clipped(
    criterion: str = "huber",
    loss_lambda: float = 0.0,
    clip_min: float = 0.003921,
    clip_max: float = 0.996078,
) -> PairLoss:
    """`clipped` with neosr's limits, which averages whatever `reduction` says."""
    return clipped(criterion, loss_lambda, clip_min, clip_max)


def _reduced(reduction: str) -> Callable[[Tensor], Tensor]:
    if reduction not in ("mean", "sum"):
        raise UnknownLossError(f"its reduction is {reduction!r}, which gives no single number")
    return Tensor.mean if reduction == "mean" else Tensor.sum


def criterion_of(name: str, *others: str) -> PairLoss:
    """What other losses compare their features by: l1, l2, charbonnier, or one of `others`. Raises UnknownLossError."""
    known: dict[str, PairLoss] = {
        "l1": l1(),
        "l2": mse(),
        "charbonnier": charbonnier(),
        "huber": huber(),
        "chc": clipped(clip_min=0.0, clip_max=1.0),
    }
    allowed = ("l1", "l2", "charbonnier", *others)
    if name not in allowed:
        raise UnknownLossError(f"its criterion is {name!r}, none of {', '.join(allowed)}")
    return known[name]


# Of spectra: X and Y the Fourier transforms of x and y.


def fft_l1() -> PairLoss:
    """mean |Re(X - Y)| and |Im(X - Y)|, transforms of real images and without norm, as in traiNNer-redux."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return torch.view_as_real(torch.fft.rfft2(x - y)).abs().mean()

    return loss


def focal_frequency(
    alpha: float = 1.0,
    ave_spectrum: bool = True,
    log_matrix: bool = False,
    batch_matrix: bool = False,
    patch_factor: int = 1,
) -> PairLoss:
    """50 mean(w |X - Y|^2) with w = |X - Y|^alpha over its largest, no gradient through w; orthonormal transforms.

    Jiang et al., arXiv:2012.12821; the 50, and spectra averaged over the batch (`ave_spectrum`), as traiNNer-redux and
    neosr have them by default. `log_matrix`: w of log(|X - Y|^alpha + 1). `batch_matrix`: the largest of the batch, not
    of each channel of each image. `patch_factor` f: of f x f patches of each image.
    """

    def loss(x: Tensor, y: Tensor) -> Tensor:
        batch, channels, height, _ = x.shape
        patches = (x - y).reshape(batch, channels, patch_factor, height // patch_factor, patch_factor, -1)
        difference = torch.fft.fft2(patches.permute(0, 2, 4, 1, 3, 5), norm="ortho")
        if ave_spectrum:
            difference = difference.mean(0, keepdim=True)
        squared = difference.real**2 + difference.imag**2
        focus = squared.detach().sqrt() ** alpha
        focus = torch.log(focus + 1.0) if log_matrix else focus
        largest = focus.amax() if batch_matrix else focus.amax((-2, -1), keepdim=True)
        focus = torch.nan_to_num(focus / largest).clamp(0.0, 1.0)
        value: Tensor = FOCAL_FACTOR * (focus * squared).mean()
        return value

    return loss


def laplacian_pyramid(levels: int = 4, criterion: str = "charbonnier") -> PairLoss:
    """Sum over `levels` of the criterion between images less their own halves enlarged again, as the fork has it."""
    compare = criterion_of(criterion)

    def bands(image: Tensor) -> list[Tensor]:
        found = []
        for _ in range(levels):
            half = F.interpolate(image, scale_factor=0.5, mode="bilinear", align_corners=False)
            found.append(image - F.interpolate(half, size=image.shape[2:], mode="bilinear", align_corners=False))
            image = half
        return found

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([compare(a, b) for a, b in zip(bands(x), bands(y), strict=True)]).sum()

    return loss
