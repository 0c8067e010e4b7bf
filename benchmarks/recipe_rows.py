"""Published recipes for adversarial super-resolution: losses, weights, discriminators and learning rates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FIVE_LAYERS = MappingProxyType({"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0})
LAST_LAYER = MappingProxyType({"conv5_4": 1.0})


@dataclass(frozen=True)
class Recipe:
    """`weights` by loss: l1, msssim, hsluv, perceptual, gan. `rate`: of both optimisers (Adam, betas 0.9 and 0.99).

    `discriminator`: unet, or vgg, which sees crops of 128 only. `relativistic`: of the adversarial loss.
    """

    source: str
    weights: Mapping[str, float]
    layers: Mapping[str, float]
    discriminator: str
    relativistic: bool
    rate: float


KINDS = MappingProxyType(
    {"l1": "pixel", "msssim": "structure", "hsluv": "colour", "perceptual": "perceptual", "gan": "adversarial"}
)

RECIPES = MappingProxyType(
    {
        "Real-ESRGAN": Recipe(
            "xinntao/Real-ESRGAN, options/train_realesrgan_x4plus.yml",
            {"l1": 1.0, "perceptual": 1.0, "gan": 0.1}, FIVE_LAYERS, "unet", relativistic=False, rate=1e-4,
        ),
        "ESRGAN": Recipe(
            "XPixelGroup/BasicSR, options/train/ESRGAN/train_ESRGAN_x4.yml",
            {"l1": 0.01, "perceptual": 1.0, "gan": 0.005}, LAST_LAYER, "vgg", relativistic=True, rate=1e-4,
        ),
        "SRGAN": Recipe(
            "XPixelGroup/BasicSR, options/train/SRResNet_SRGAN/train_MSRGAN_x4.yml",
            {"l1": 0.01, "perceptual": 1.0, "gan": 0.005}, LAST_LAYER, "vgg", relativistic=False, rate=1e-4,
        ),
        "traiNNer-redux": Recipe(
            "the-database/traiNNer-redux, options/_templates/train/*/*_gan.yml, the losses that are on",
            {"msssim": 0.5, "perceptual": 0.01, "hsluv": 1.0, "gan": 0.1}, FIVE_LAYERS, "unet",
            relativistic=False, rate=2e-4,
        ),
    }
)  # fmt: skip
