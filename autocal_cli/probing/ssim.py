"""Structural similarity as a loss: 1 - SSIM (Wang et al. 2004, IEEE TIP 13(4)), 1 - MS-SSIM (Wang et al. 2003).

    SSIM = l cs        l = (2 mx my + C1) / (mx^2 + my^2 + C1)        cs = (2 sxy + C2) / (sx^2 + sy^2 + C2)
    MS-SSIM = cs_1^b1 cs_2^b2 ... SSIM_5^b5        each scale half the one before, by 2x2 means

with means m, variances s^2 and covariance sxy in a Gaussian window of 11 pixels, deviation 1.5; C1 = 0.01^2 and
C2 = 0.03^2 for values 0..1. As in traiNNer-redux by default: of luma alone, clamped to 0..1, cs not below 0, and in
MS-SSIM without l. A window larger than the image is padded with zeros.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from autocal_cli.probing.pixel import PairLoss

WINDOW, DEVIATION = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003
LUMA = (0.299, 0.587, 0.114)  # of Y in YIQ


def ssim(test_y_channel: bool = True) -> PairLoss:
    """1 - mean SSIM."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        x, y = prepared(x, test_y_channel), prepared(y, test_y_channel)
        return 1.0 - _similarity(x, y, luminance=True).mean()

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


def prepared(image: Tensor, luma: bool) -> Tensor:
    """(B, C, H, W) clamped to 0..1, as luma (B, 1, H, W) where that is wanted and the image has three channels."""
    image = image.clamp(0.0, 1.0)
    if not luma or image.shape[1] != 3:
        return image
    return (image * image.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def _halved(image: Tensor) -> Tensor:
    """Means of 2x2; an odd side is padded with zeros first, which count."""
    return F.avg_pool2d(image, 2, padding=(image.shape[2] % 2, image.shape[3] % 2))


def _similarity(x: Tensor, y: Tensor, luminance: bool) -> Tensor:
    """(B,) mean of SSIM, or of cs alone, over each image."""
    mx, my = _blur(x), _blur(y)
    variances = _blur(x * x) - mx**2 + _blur(y * y) - my**2
    cs = F.relu((2 * (_blur(x * y) - mx * my) + C2) / (variances + C2))
    if luminance:
        cs = cs * (2 * mx * my + C1) / (mx**2 + my**2 + C1)
    return cs.mean((1, 2, 3))


def _blur(image: Tensor) -> Tensor:
    """The Gaussian mean around each pixel, where the window fits; with zeros around an image smaller than it."""
    channels = image.shape[1]
    at = torch.arange(WINDOW, dtype=image.dtype, device=image.device) - WINDOW // 2
    line = torch.exp(-(at**2) / (2 * DEVIATION**2))
    line = line / line.sum()
    pad = WINDOW // 2 if image.shape[-1] < WINDOW else 0
    down = line.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    across = line.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    blurred = F.conv2d(image, down, padding=(pad, 0), groups=channels)
    return F.conv2d(blurred, across, padding=(0, pad), groups=channels)
