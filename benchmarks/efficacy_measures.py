"""What the efficacy benchmark looks at in a trained network's images.

LPIPS is not among it: its backbone's weights have to be downloaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from efficacy_losses import ssim_parts
from small_networks import seeded
from small_photographs import Crops, shrink
from torch import Tensor, nn

LUMA = (0.299, 0.587, 0.114)
CLASSIFIER_STEPS, CLASSIFIER_RATE = 60, 2e-3  # with 200 steps at 5e-3 it was always right, whatever the network
CLASSIFIER_TESTS, CLASSIFIER_BATCH = 20, 16
Enlarge = Callable[[Tensor], Tensor]  # (B, 3, h, w) -> (B, 3, scale h, scale w), images in 0..1


def psnr(output: Tensor, high: Tensor, border: int) -> float:
    """dB over RGB, without a border of so many pixels; inf for equal images, nan where anything is not finite."""
    inside = slice(border, -border)
    error = F.mse_loss(output[..., inside, inside], high[..., inside, inside]).item()
    return -10.0 * math.log10(error) if error > 0.0 else (math.inf if error == 0.0 else math.nan)


def ssim(output: Tensor, high: Tensor) -> float:
    """Mean SSIM of the luma in a Gaussian window of 11 (Wang et al. 2004)."""
    luminance, contrast = ssim_parts(luma(output), luma(high), window=11)
    return (luminance * contrast).mean().item()


def high_frequency_energy(image: Tensor, scale: int) -> float:
    """Energy of the luma at frequencies that the low-resolution image cannot hold: over 0.5 / scale cycles a pixel.

    Summed over the spectrum of the image under a Hann window, so that its borders count for nothing.
    """
    y = luma(image)
    height, width = y.shape[-2:]
    window = torch.hann_window(height, device=y.device)[:, None] * torch.hann_window(width, device=y.device)
    spectrum = torch.fft.rfft2((y - y.mean()) * window).abs() ** 2
    rows, columns = torch.fft.fftfreq(height, device=y.device), torch.fft.rfftfreq(width, device=y.device)
    beyond = torch.maximum(rows.abs()[:, None], columns[None, :]) > 0.5 / scale
    return spectrum[..., beyond].sum().item()


def luma(image: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W)"""
    return (image * image.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


class Judge(nn.Module):
    """A classifier of crops by their fine detail: (B, 3, H, W) -> (B,), above 0 for a real one.

    What a blur of 3x3 takes out of the luma and colours goes through three convolutions and is averaged over the crop.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3), nn.LeakyReLU(0.2), nn.Conv2d(16, 32, 3, 2), nn.LeakyReLU(0.2), nn.Conv2d(32, 32, 3),
            nn.LeakyReLU(0.2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 1),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        detail = image[..., 1:-1, 1:-1] - F.avg_pool2d(image, 3, 1)
        verdict: Tensor = self.layers(10.0 * detail)
        return verdict[:, 0]


def told_apart(enlarge: Enlarge, crops: Crops, unseen: Crops, scale: int, device: torch.device, seed: int) -> float:
    """Accuracy, on crops that it has not learnt from, of a fresh classifier of real and enlarged crops.

    0.5: it cannot tell them apart; 1: always. A judge of its own: the run's discriminator has no part in it.
    """
    judge = seeded(Judge, seed + 1000).to(device)
    optimizer = torch.optim.Adam(judge.parameters(), CLASSIFIER_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, CLASSIFIER_STEPS)
    for _ in range(CLASSIFIER_STEPS):
        optimizer.zero_grad()
        real, fake = _verdicts(judge, crops.draw().to(device), enlarge, scale)
        (F.softplus(-real).mean() + F.softplus(fake).mean()).backward()
        optimizer.step()
        schedule.step()
    right = []
    with torch.no_grad():
        for _ in range(CLASSIFIER_TESTS):
            real, fake = _verdicts(judge, unseen.draw().to(device), enlarge, scale)
            right += [(real > 0).float().mean().item(), (fake <= 0).float().mean().item()]
    return sum(right) / len(right)


def _verdicts(judge: nn.Module, high: Tensor, enlarge: Enlarge, scale: int) -> tuple[Tensor, Tensor]:
    """(B,) each: above 0 for what it takes for real."""
    with torch.no_grad():
        fake = enlarge(shrink(high, scale)).clamp(0.0, 1.0)
    return judge(high), judge(fake)
