"""Losses of spectra: X and Y the Fourier transforms of the network's output x and of the target y, (B, C, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor

from autocal_cli.probing.pixel import PairLoss

FOCAL_FACTOR = 50.0  # traiNNer-redux multiplies the published loss by this, so that it is of the size of others


def fft_l1() -> PairLoss:
    """mean |Re(X - Y)| and |Im(X - Y)|, transforms of real images and without norm, as in traiNNer-redux."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return torch.view_as_real(torch.fft.rfft2(x - y)).abs().mean()

    return loss


def focal_frequency(
    alpha: float = 1.0, ave_spectrum: bool = True, log_matrix: bool = False, batch_matrix: bool = False
) -> PairLoss:
    """50 mean(w |X - Y|^2) with w = |X - Y|^alpha over its largest, no gradient through w; orthonormal transforms.

    Jiang et al., arXiv:2012.12821; the 50, and spectra averaged over the batch (`ave_spectrum`), as traiNNer-redux has
    them by default. `log_matrix`: w of log(|X - Y|^alpha + 1). `batch_matrix`: the largest of the batch, not of each
    channel of each image.
    """

    def loss(x: Tensor, y: Tensor) -> Tensor:
        difference = torch.fft.fft2(x - y, norm="ortho")
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
