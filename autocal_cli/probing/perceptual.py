"""Perceptual losses: the distance between VGG features of the network's output x and of the target y.

    L = sum over layers k of w_k c(f_k(x), f_k(y))        f_k: features of an ImageNet classifier, c: the criterion

(Johnson et al., arXiv:1603.08155.) Each function takes the trainer's own arguments; where features come from says
`features`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from autocal_cli.probing.features import CONVOLUTIONS, Vgg, VggSource, layer_names
from autocal_cli.probing.model import UnknownLossError
from autocal_cli.probing.pixel import PairLoss, criterion_of

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
