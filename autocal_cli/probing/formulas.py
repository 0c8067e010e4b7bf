"""Losses of pixels, spectra and structure: x the network's output, y the target, both (B, C, H, W) in 0..1; d = x - y.

Each function takes the trainer's own arguments, whose types say what is accepted, and gives the loss without its
weight, as one number. Where trainers differ, the docstring says whose numbers the defaults are. The tests hold each to
the trainer's own class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

PairLoss = Callable[[Tensor, Tensor], Tensor]
Criterion = Literal["l1", "l2", "charbonnier"]
Reduction = Literal["mean", "sum"]


def _reduce(each: Tensor, reduction: Reduction) -> Tensor:
    return each.mean() if reduction == "mean" else each.sum()


def l1(x: Tensor, y: Tensor, /, reduction: Reduction = "mean") -> Tensor:
    """mean |d|"""
    return _reduce((x - y).abs(), reduction)


def mse(x: Tensor, y: Tensor, /, reduction: Reduction = "mean") -> Tensor:
    """mean d^2"""
    return _reduce((x - y) ** 2, reduction)


def charbonnier(x: Tensor, y: Tensor, /, eps: float = 1e-12, reduction: Reduction = "mean") -> Tensor:
    """mean sqrt(d^2 + eps), the default of BasicSR and traiNNer-redux; eps^2 in Lai et al., arXiv:1704.03915."""
    return _reduce(torch.sqrt((x - y) ** 2 + eps), reduction)


def huber(x: Tensor, y: Tensor, /, delta: float = 1.0, reduction: Reduction = "mean") -> Tensor:
    """mean of d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) beyond (Huber, Ann. Math. Statist. 35, 1964)."""
    return F.huber_loss(x, y, delta=delta, reduction=reduction)


def clipped(
    x: Tensor,
    y: Tensor,
    /,
    criterion: Literal["huber", "l1"] = "huber",
    loss_lambda: float = 0.0,
    clip_min: float = 1.0 / 255.0,
    clip_max: float = 254.0 / 255.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """CHC: mean of |d| + lambda (1 - cos), clamped to clip_min..clip_max, where it has no gradient.

    `huber` puts sqrt(d^2 + 1e-12) for |d|. cos: between the colours of a pixel, averaged over the batch. The defaults
    are the fork's.
    """
    distance = (x - y).abs() if criterion == "l1" else torch.sqrt((x - y) ** 2 + 1e-12)
    if loss_lambda:
        distance = distance + loss_lambda * (1.0 - F.cosine_similarity(x, y, dim=1, eps=1e-20)).mean()
    return _reduce(distance.clamp(clip_min, clip_max), reduction)


def neosr_clipped(
    x: Tensor,
    y: Tensor,
    /,
    criterion: Literal["huber", "l1"] = "huber",
    loss_lambda: float = 0.0,
    clip_min: float = 0.003921,
    clip_max: float = 0.996078,
) -> Tensor:
    """`clipped` with neosr's limits, which averages whatever `reduction` says."""
    return clipped(x, y, criterion, loss_lambda, clip_min, clip_max)


# What other losses compare their features by.
CRITERIA: Mapping[str, PairLoss] = MappingProxyType(
    {
        "l1": l1,
        "l2": mse,
        "charbonnier": charbonnier,
        "huber": huber,
        "chc": partial(clipped, clip_min=0.0, clip_max=1.0),
    }
)


# Of spectra: X and Y the Fourier transforms of x and y.


def fft_l1(x: Tensor, y: Tensor, /) -> Tensor:
    """mean |Re(X - Y)| and |Im(X - Y)|, transforms of real images and without norm, as in traiNNer-redux."""
    return torch.view_as_real(torch.fft.rfft2(x - y)).abs().mean()


def focal_frequency(
    x: Tensor,
    y: Tensor,
    /,
    alpha: float = 1.0,
    ave_spectrum: bool = True,
    log_matrix: bool = False,
    batch_matrix: bool = False,
    patch_factor: int = 1,
) -> Tensor:
    """50 mean(w |X - Y|^2) with w = |X - Y|^alpha over its largest, no gradient through w; orthonormal transforms.

    Jiang et al., arXiv:2012.12821; the 50, and spectra averaged over the batch (`ave_spectrum`), as traiNNer-redux and
    neosr have them by default. `log_matrix`: w of log(|X - Y|^alpha + 1). `batch_matrix`: the largest of the batch, not
    of each channel of each image. `patch_factor` f: of f x f patches of each image.
    """
    batch, channels, height, _ = x.shape
    patches = (x - y).reshape(batch, channels, patch_factor, height // patch_factor, patch_factor, -1)
    difference = torch.fft.fft2(patches.permute(0, 2, 4, 1, 3, 5), norm="ortho")
    if ave_spectrum:
        difference = difference.mean(0, keepdim=True)
    squared = difference.real**2 + difference.imag**2
    focus = squared.detach().sqrt() ** alpha
    focus = torch.log(focus + 1.0) if log_matrix else focus
    largest = focus.amax() if batch_matrix else focus.amax((-2, -1), keepdim=True)
    value: Tensor = 50.0 * (torch.nan_to_num(focus / largest).clamp(0.0, 1.0) * squared).mean()
    return value


# Structural similarity (Wang et al. 2004, IEEE TIP 13(4)) and over scales (Wang, Simoncelli and Bovik 2003):
#
#     SSIM = l cs        l = (2 mx my + C1) / (mx^2 + my^2 + C1)        cs = (2 sxy + C2) / (sx^2 + sy^2 + C2)
#     MS-SSIM = cs_1^b1 cs_2^b2 ... SSIM_5^b5        each scale half the one before, by 2x2 means
#
# with means m, variances s^2 and covariance sxy in a Gaussian window of 11 pixels, deviation 1.5. traiNNer-redux by
# default: of luma alone, clamped to 0..1, cs not below 0, and in MS-SSIM without l; a window larger than the image is
# padded with zeros. neosr: of each colour, unclamped, with l, the window padded everywhere, and each scale averaged
# over the batch before the product.

WINDOW, DEVIATION = 11, 1.5
C1, C2 = 0.01**2, 0.03**2  # for values 0..1
EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003
LUMA = (0.299, 0.587, 0.114)  # of Y in YIQ


def ssim(x: Tensor, y: Tensor, /, test_y_channel: bool = True) -> Tensor:
    """mean SSIM itself, as traiNNer-redux's SSIMLoss returns it: what a training lowers is the similarity."""
    return _similarity(_prepared(x, test_y_channel), _prepared(y, test_y_channel), luminance=True).mean()


def ms_ssim(
    x: Tensor, y: Tensor, /, test_y_channel: bool = True, include_luminance: bool = False, is_prod: bool = True
) -> Tensor:
    """1 - mean MS-SSIM over 5 scales. `is_prod`: the product above, else the mean of its factors weighed by b."""
    x, y = _prepared(x, test_y_channel), _prepared(y, test_y_channel)
    scales = []
    for scale in range(len(EXPONENTS)):
        last = scale == len(EXPONENTS) - 1
        scales.append(_similarity(x, y, luminance=include_luminance and last))
        x, y = _halved(x), _halved(y)
    found = torch.stack(scales)
    b = found.new_tensor(EXPONENTS)[:, None]
    index = (found**b).prod(0) if is_prod else (found * b / b.sum()).sum(0)
    return 1.0 - index.mean().clamp(0.0, 1.0)


def neosr_ms_ssim(x: Tensor, y: Tensor, /) -> Tensor:
    """1 - product of the scales' batch means, as neosr's mssim_loss has it with its defaults."""
    index = x.new_ones(())
    for scale, exponent in enumerate(EXPONENTS):
        luminance, cs = _terms(x, y, padded=True)
        last = scale == len(EXPONENTS) - 1
        index = index * (luminance * cs if last else cs).mean() ** exponent
        x, y = _halved(x), _halved(y)
    return 1.0 - index


def _prepared(image: Tensor, luma: bool) -> Tensor:
    """(B, C, H, W) clamped to 0..1, as luma (B, 1, H, W) where that is wanted and the image has three channels."""
    image = image.clamp(0.0, 1.0)
    return _grey(image, LUMA) if luma and image.shape[1] == 3 else image


def _grey(image: Tensor, weights: tuple[float, ...]) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W)"""
    return (image * image.new_tensor(weights)[:, None, None]).sum(1, keepdim=True)


def _halved(image: Tensor) -> Tensor:
    """Means of 2x2; an odd side is padded with zeros first, which count."""
    return F.avg_pool2d(image, 2, padding=(image.shape[2] % 2, image.shape[3] % 2))


def _similarity(x: Tensor, y: Tensor, luminance: bool) -> Tensor:
    """(B,) mean of SSIM, or of cs alone, over each image."""
    lightness, cs = _terms(x, y, padded=x.shape[-1] < WINDOW)
    cs = F.relu(cs)
    return (cs * lightness if luminance else cs).mean((1, 2, 3))


def _terms(x: Tensor, y: Tensor, padded: bool) -> tuple[Tensor, Tensor]:
    """l and cs at each pixel: where the window fits, or (`padded`) everywhere, with zeros around the image."""
    blur = partial(gaussian_mean, side=WINDOW, deviation=DEVIATION, pad=WINDOW // 2 if padded else 0)
    mx, my = blur(x), blur(y)
    variances = blur(x * x) - mx**2 + blur(y * y) - my**2
    cs = (2 * (blur(x * y) - mx * my) + C2) / (variances + C2)
    return (2 * mx * my + C1) / (mx**2 + my**2 + C1), cs


def gaussian_mean(image: Tensor, side: int, deviation: float, pad: int = 0) -> Tensor:
    """The mean in a Gaussian window of `side` pixels around each pixel, with `pad` zeros around the image."""
    half = (side - 1) / 2
    at = torch.linspace(-half, half, side, dtype=image.dtype, device=image.device)
    line = torch.exp(-0.5 * (at / deviation) ** 2)
    down = (line / line.sum()).view(1, 1, -1, 1).expand(image.shape[1], 1, -1, 1)
    blurred = F.conv2d(image, down, padding=(pad, 0), groups=image.shape[1])
    return F.conv2d(blurred, down.mT, padding=(0, pad), groups=image.shape[1])


# Edges: Sobel gradients of luma, zeros around the image.


def sobel_edge(x: Tensor, y: Tensor, /) -> Tensor:
    """mean of (Sx x - Sx y)^2 and (Sy x - Sy y)^2, Sobel kernels over 4 (traiNNer-redux)."""
    return (_sobel(_grey(x - y, LUMA)) / 4.0).pow(2).mean()


def _sobel(grey: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 2, H, W), across and down"""
    kernel = grey.new_tensor(((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0)))
    return F.conv2d(grey, torch.stack((kernel, kernel.T))[:, None], padding=1)


def ldl(
    x: Tensor,
    y: Tensor,
    /,
    criterion: Literal["l1", "l2", "charbonnier", "huber", "chc"] = "l1",
    ksize: Literal[3, 5, 7, 9, 11, 13, 15] = 7,
) -> Tensor:
    """The criterion between x and y, both times each pixel's weight; the gradient runs through the weights, too.

    LDL (Liang et al., CVPR 2022): residuals r = sum over colours of |x - y|; a pixel counts by the variance of r in the
    ksize x ksize pixels around it times the fifth root of its variance over the image, and not at all where the moving
    average of the network does worse than the network. At the start the average is the network, and nothing is left
    out. neosr leaves nothing out at all.
    """
    residual = (y - x).abs().sum(1, keepdim=True)
    around = F.pad(residual, [ksize // 2] * 4, mode="reflect").unfold(2, ksize, 1).unfold(3, ksize, 1)
    weight = residual.var((-1, -2, -3), keepdim=True) ** 0.2 * around.var((-1, -2))
    return CRITERIA[criterion](weight * x, weight * y)
