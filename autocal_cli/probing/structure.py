"""Losses of structure: similarity (SSIM), edges, and LDL. x the network's output, y the target, (B, C, H, W) in 0..1.

Structural similarity (Wang et al. 2004, IEEE TIP 13(4)) and over scales (Wang, Simoncelli and Bovik 2003):

    SSIM = l cs        l = (2 mx my + C1) / (mx^2 + my^2 + C1)        cs = (2 sxy + C2) / (sx^2 + sy^2 + C2)
    MS-SSIM = cs_1^b1 cs_2^b2 ... SSIM_5^b5        each scale half the one before, by 2x2 means

with means m, variances s^2 and covariance sxy in a Gaussian window of 11 pixels, deviation 1.5; C1 = 0.01^2 and
C2 = 0.03^2 for values 0..1. traiNNer-redux by default: of luma alone, clamped to 0..1, cs not below 0, and in MS-SSIM
without l; a window larger than the image is padded with zeros. neosr: of each colour, unclamped, with l, the window
padded everywhere, and each scale averaged over the batch before the product.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from autocal_cli.probing.model import UnknownLossError
from autocal_cli.probing.pixel import PairLoss, criterion_of

WINDOW, DEVIATION = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003
LUMA = (0.299, 0.587, 0.114)  # of Y in YIQ


def ssim(test_y_channel: bool = True) -> PairLoss:
    """mean SSIM itself, as traiNNer-redux's SSIMLoss returns it: what a training lowers is the similarity."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        x, y = prepared(x, test_y_channel), prepared(y, test_y_channel)
        return _similarity(x, y, luminance=True).mean()

    return loss


def ms_ssim(test_y_channel: bool = True, include_luminance: bool = False, is_prod: bool = True) -> PairLoss:
    """1 - mean MS-SSIM over 5 scales. `is_prod`: the product above, else the mean of its factors weighed by b."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        x, y = prepared(x, test_y_channel), prepared(y, test_y_channel)
        scales = []
        for scale in range(len(EXPONENTS)):
            last = scale == len(EXPONENTS) - 1
            scales.append(_similarity(x, y, luminance=include_luminance and last))
            x, y = _halved(x), _halved(y)
        found = torch.stack(scales)
        b = found.new_tensor(EXPONENTS)[:, None]
        index = (found**b).prod(0) if is_prod else (found * b / b.sum()).sum(0)
        return 1.0 - index.mean().clamp(0.0, 1.0)

    return loss


def neosr_ms_ssim() -> PairLoss:
    """1 - product of the scales' batch means, as neosr's mssim_loss has it with its defaults."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        index = x.new_ones(())
        for scale, exponent in enumerate(EXPONENTS):
            last = scale == len(EXPONENTS) - 1
            luminance, cs = _terms(x, y, padded=True)
            index = index * (luminance * cs if last else cs).mean() ** exponent
            x, y = _halved(x), _halved(y)
        return 1.0 - index

    return loss


def prepared(image: Tensor, luma: bool) -> Tensor:
    """(B, C, H, W) clamped to 0..1, as luma (B, 1, H, W) where that is wanted and the image has three channels."""
    image = image.clamp(0.0, 1.0)
    return luma_of(image) if luma and image.shape[1] == 3 else image


def luma_of(image: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W)"""
    return (image * image.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def _halved(image: Tensor) -> Tensor:
    """Means of 2x2; an odd side is padded with zeros first, which count."""
    return F.avg_pool2d(image, 2, padding=(image.shape[2] % 2, image.shape[3] % 2))


def _similarity(x: Tensor, y: Tensor, luminance: bool) -> Tensor:
    """(B,) mean of SSIM, or of cs alone, over each image."""
    lightness, cs = _terms(x, y, padded=x.shape[-1] < WINDOW)
    cs = F.relu(cs)
    return (cs * lightness if luminance else cs).mean((1, 2, 3))


def _terms(x: Tensor, y: Tensor, padded: bool) -> tuple[Tensor, Tensor]:
    """l and cs at each pixel."""
    mx, my = _blur(x, padded), _blur(y, padded)
    variances = _blur(x * x, padded) - mx**2 + _blur(y * y, padded) - my**2
    cs = (2 * (_blur(x * y, padded) - mx * my) + C2) / (variances + C2)
    return (2 * mx * my + C1) / (mx**2 + my**2 + C1), cs


def _blur(image: Tensor, padded: bool) -> Tensor:
    """The Gaussian mean around each pixel: where the window fits, or with zeros around the image."""
    channels = image.shape[1]
    at = torch.arange(WINDOW, dtype=image.dtype, device=image.device) - WINDOW // 2
    line = torch.exp(-(at**2) / (2 * DEVIATION**2))
    line = line / line.sum()
    pad = WINDOW // 2 if padded else 0
    down = line.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    across = line.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    blurred = F.conv2d(image, down, padding=(pad, 0), groups=channels)
    return F.conv2d(blurred, across, padding=(0, pad), groups=channels)


# Edges: Sobel gradients of luma, zeros around the image.


def sobel_edge() -> PairLoss:
    """mean of (Sx x - Sx y)^2 and (Sy x - Sy y)^2, Sobel kernels over 4 (traiNNer-redux)."""
    return lambda x, y: (_sobel(luma_of(x - y)) / 4.0).pow(2).mean()


def gradient_variance(patch_size: int = 16, criterion: str = "charbonnier") -> PairLoss:
    """The criterion between the variances of Sobel gradients in patches, across and down (Abrahamyan et al. 2022)."""
    compare = criterion_of(criterion)

    def variances(image: Tensor) -> tuple[Tensor, Tensor]:
        grey = (image * image.new_tensor((0.2989, 0.587, 0.114))[:, None, None]).sum(1, keepdim=True)
        across, down = _sobel(grey).chunk(2, dim=1)
        return _patch_variance(across, patch_size), _patch_variance(down, patch_size)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        (x_across, x_down), (y_across, y_down) = variances(x), variances(y)
        return compare(x_across, y_across) + compare(x_down, y_down)

    return loss


def _sobel(grey: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, 2, H, W), across and down"""
    kernel = grey.new_tensor(((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0)))
    return F.conv2d(grey, torch.stack((kernel, kernel.T))[:, None], padding=1)


def _patch_variance(image: Tensor, side: int) -> Tensor:
    return F.unfold(image, side, stride=side).var(1)


def correlation() -> PairLoss:
    """NCC: 1 - (c + 1) / 2, c the mean correlation of the batch reshaped to 3 lines, as the trainers have it."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        lines = [image.reshape(image.shape[1], -1) for image in (x, y)]
        a, b = (line - line.mean(1, keepdim=True) for line in lines)
        c = (a * b).sum(1) / torch.sqrt((a**2).sum(1) * (b**2).sum(1))
        return 1.0 - (c.mean() + 1.0) * 0.5

    return loss


# LDL (Liang et al., CVPR 2022): residuals r = sum over colours of |x - y|; a pixel counts by the variance of r in the
# 7 x 7 pixels around it times the fifth root of its variance over the image, and not at all where the exponential
# moving average of the network does worse than the network. At the start the average is the network, and nothing is
# left out. neosr leaves nothing out at all.


def ldl(criterion: str = "l1", ksize: int = 7) -> PairLoss:
    """The criterion between x and y, both times each pixel's weight; the gradient runs through the weights, too."""
    compare = criterion_of(criterion, "huber", "chc")
    if ksize < 3 or ksize % 2 == 0:
        raise UnknownLossError(f"its ksize is {ksize!r}, not odd")

    def loss(x: Tensor, y: Tensor) -> Tensor:
        residual = (y - x).abs().sum(1, keepdim=True)
        padded = F.pad(residual, [ksize // 2] * 4, mode="reflect")
        local = padded.unfold(2, ksize, 1).unfold(3, ksize, 1).var((-1, -2))
        weight = residual.var((-1, -2, -3), keepdim=True) ** 0.2 * local
        return compare(weight * x, weight * y)

    return loss
