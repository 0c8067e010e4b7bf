"""Perceptual losses: the distance between VGG features of the network's output x and of the target y.

    L = sum over layers k of w_k c(f_k(x), f_k(y))        f_k: features of an ImageNet classifier, c: the criterion

(Johnson et al., arXiv:1603.08155.) Each function takes the trainer's own arguments.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn

from autocal_cli.probing.formulas import CRITERIA, PairLoss
from autocal_cli.probing.model import UnknownLossError

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
        self.wanted, names, inputs, layers = frozenset(wanted), layer_names(kind), 3, nn.Sequential()
        for name in names:
            if name.startswith("conv"):
                outputs = CHANNELS[int(name[4]) - 1]
                conv = nn.Conv2d(inputs, outputs, 3, padding=1, device="meta")  # filled by the weights
                conv.padding_mode = "replicate" if replicate and not layers else "zeros"
                layers.append(conv)
                inputs = outputs
            else:
                layers.append(nn.ReLU() if name.startswith("relu") else nn.MaxPool2d(2))
        try:
            layers.load_state_dict({at: weights[f"features.{at}"].float() for at in layers.state_dict()}, assign=True)
        except (LookupError, TypeError, AttributeError, RuntimeError) as error:
            raise UnknownLossError(f"the weights that were found are not those of {kind.upper()}") from error
        last = max(names.index(name) for name in self.wanted)
        self.layers = nn.ModuleDict(dict(zip(names[: last + 1], layers, strict=False)))
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


VARIABLE = "AUTOCAL_VGG"  # names a file of weights, or a folder of them
FILES = MappingProxyType({"vgg19": "vgg19-dcbb9e9d.pth", "vgg16": "vgg16-397923af.pth"})  # torchvision's, by its names
TRAINERS_FOLDER = Path("experiments", "pretrained_models")  # where BasicSR and its kin look first


@dataclass(frozen=True, slots=True)
class VggSource:
    """Where weights are looked for: beside the trainer (`folders`), and where torch keeps them."""

    folders: tuple[Path, ...] = ()

    def find(self, kind: str) -> Path | None:
        """The first file of torchvision's that would do."""
        file = FILES[kind]
        places = [Path(torch.hub.get_dir()) / "checkpoints" / file]
        places += [folder / TRAINERS_FOLDER / file for folder in (*self.folders, Path.cwd())]
        if named := os.environ.get(VARIABLE):
            place = Path(named).expanduser()
            places.insert(0, place / file if place.is_dir() else place)
        of_the_other = {*FILES.values()} - {file}
        return next((place for place in places if place.is_file() and place.name not in of_the_other), None)

    def load(self, kind: str) -> Mapping[str, Tensor]:
        """Weights by torchvision's names. Raises UnknownLossError."""
        path = self.find(kind)
        if path is None:
            looked = Path(torch.hub.get_dir()) / "checkpoints" / FILES[kind]
            raise UnknownLossError(
                f"the weights of {kind.upper()} are not on this machine (looked for {looked} and beside the trainer; "
                f"{VARIABLE} names another file) and autocal downloads nothing"
            )
        try:
            if path.suffix == ".safetensors":
                from safetensors.torch import load_file  # optional

                weights: Mapping[str, Tensor] = load_file(path)
            else:
                weights = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # of whatever kind the reader has for a damaged file
            raise UnknownLossError(f"the weights in {path} cannot be read ({type(error).__name__})") from error
        return weights


# The losses, each with the network whose features it compares.

CONV_LAYERS = MappingProxyType({"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0})
RELU_LAYERS = MappingProxyType({name.replace("conv", "relu"): weight for name, weight in CONV_LAYERS.items()})

Normalisation = tuple[tuple[float, float, float], tuple[float, float, float]]  # mean and deviation of each colour
IMAGENET: Normalisation = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # as torchvision's weights expect
NEOSR: Normalisation = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


@dataclass(frozen=True, slots=True)
class Term:
    """weight * compare(f(x), f(y)) of the features of a layer."""

    layer: str
    weight: float
    compare: PairLoss


def trainner_perceptual(
    source: VggSource,
    layer_weights: dict[str, float] | None = None,
    w_lambda: float = 0.01,
    criterion: Literal["charbonnier", "l1", "pd", "pd+l1"] = "charbonnier",
    clip_min: int = 0,
) -> tuple[PairLoss, Vgg]:
    """PerceptualLoss (and PerceptualFP16Loss) of traiNNer-redux.

    `l1`, `charbonnier`: of convolutions before their ReLU. `pd` (projected distributions, He et al. 2022) times
    `w_lambda`: of ReLUs; with `+l1` both.
    """
    takes = {"conv": criterion != "pd", "relu": "pd" in criterion}
    chosen = layer_weights or {
        **(CONV_LAYERS if takes["conv"] else {}),
        **(RELU_LAYERS if takes["relu"] else {}),
    }
    odd = [name for name in chosen if not takes.get(name[:4])]
    if odd:
        raise UnknownLossError(f"its criterion {criterion!r} does not go with its layers {', '.join(chosen)}")
    plain = CRITERIA["charbonnier" if criterion == "charbonnier" else "l1"]
    terms = [
        Term(name, weight, plain) if name.startswith("conv") else Term(name, weight * w_lambda, _cumulative)
        for name, weight in chosen.items()
    ]
    loss, network = _built(source, "vgg19", terms, IMAGENET, replicate=True)
    return (lambda x, y: loss(x, y).clamp(min=clip_min)), network


def basicsr_perceptual(
    source: VggSource,
    layer_weights: dict[str, float] | None = None,
    vgg_type: str = "vgg19",
    use_input_norm: bool = True,
    range_norm: bool = False,
    criterion: Literal["l1", "l2", "charbonnier", "fro"] = "l1",
    perceptual_weight: float = 1.0,
    style_weight: float = 0.0,
) -> tuple[PairLoss, Vgg]:
    """PerceptualLoss of BasicSR and Real-ESRGAN: what it returns first. `style_weight` s adds its second value,
    s over the perceptual weight times the criterion between Gram matrices, so that one weight weighs both."""
    if not layer_weights:
        raise UnknownLossError("it names no layer_weights")
    compare = CRITERIA[criterion] if criterion != "fro" else lambda a, b: torch.linalg.vector_norm(a - b)
    terms = [Term(name, weight, compare) for name, weight in layer_weights.items()]
    if style_weight > 0.0 and perceptual_weight:
        style = style_weight / perceptual_weight
        terms += [
            Term(name, style * weight, lambda a, b: compare(_gram(a), _gram(b)))
            for name, weight in layer_weights.items()
        ]
    return _built(source, vgg_type, terms, IMAGENET if use_input_norm else None, range_norm=range_norm)


def neosr_perceptual(
    source: VggSource,
    layer_weights: dict[str, float] | None = None,
    vgg_type: str = "vgg19",
    use_input_norm: bool = True,
    range_norm: bool = False,
    criterion: Literal["l1", "l2", "charbonnier", "chc", "huber"] = "chc",
) -> tuple[PairLoss, Vgg]:
    """vgg_perceptual_loss of neosr: features times 0.1, of images brought to -2..2."""
    compare = CRITERIA[criterion]
    terms = [
        Term(name, weight, lambda a, b: compare(a * 0.1, b * 0.1))
        for name, weight in (layer_weights or CONV_LAYERS).items()
    ]
    return _built(source, vgg_type, terms, NEOSR if use_input_norm else None, range_norm=range_norm)


def _built(
    source: VggSource,
    kind: str,
    terms: Sequence[Term],
    norm: Normalisation | None,
    replicate: bool = False,
    range_norm: bool = False,
) -> tuple[PairLoss, Vgg]:
    """The sum of the terms. `range_norm`: images come as -1..1."""
    if kind not in CONVOLUTIONS:
        raise UnknownLossError(f"its features {kind!r} are not known here")
    odd = [term.layer for term in terms if term.layer not in layer_names(kind)]
    if odd:
        raise UnknownLossError(f"{kind.upper()} has no layer {odd[0]!r}")
    network = Vgg(kind, source.load(kind), [term.layer for term in terms], replicate)

    def features(image: Tensor) -> dict[str, Tensor]:
        image = (image + 1) / 2 if range_norm else image
        if norm:
            mean, deviation = (image.new_tensor(values)[:, None, None] for values in norm)
            image = (image - mean) / deviation
        found: dict[str, Tensor] = network(image)
        return found

    def loss(x: Tensor, y: Tensor) -> Tensor:
        mine, theirs = features(x), features(y.detach())
        parts = [term.weight * term.compare(mine[term.layer], theirs[term.layer]) for term in terms]
        return torch.stack(parts).sum()

    return loss, network


def _gram(features: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, C): products of channels, averaged over places and channels."""
    flat = features.flatten(2)
    return torch.bmm(flat, flat.mT) / flat[0].numel()


def _cumulative(a: Tensor, b: Tensor) -> Tensor:
    """Mean over channels of the sum over places of |A - B|, each the running share of its channel's features."""
    a, b = (one.flatten(2) / (one.sum((2, 3))[..., None] + 1e-14) for one in (a, b))
    return (a.cumsum(-1) - b.cumsum(-1)).abs().sum(-1).mean()
