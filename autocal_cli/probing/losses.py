"""Which losses can be measured without their trainer, and how a config's loss becomes a function: one row a type."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from autocal_cli.config.model import LossTerm, Value
from autocal_cli.probing import colour, perceptual, pixel, structure
from autocal_cli.probing.adversarial import adversarial
from autocal_cli.probing.model import UnknownLossError
from autocal_cli.probing.perceptual import Pretrained, VggSource

Measured = Callable[[Tensor, Tensor], Tensor]
Builder = Callable[..., Measured]


@dataclass(frozen=True, slots=True)
class Beside:
    """What a loss may need beside its own options.

    `trainer` is the config's, by autocal's name: trainers give one name to different formulas. `discriminator` judges,
    or is why there is none. `relativistic`: the trainer's model judges outputs against targets (BasicSR's ESRGANModel).
    """

    trainer: str = ""
    discriminator: nn.Module | str = "the config names no discriminator"
    relativistic: bool = False
    vgg: VggSource = field(default_factory=VggSource)


@dataclass(frozen=True, slots=True)
class Built:
    """A loss as a function of output and target, both (B, C, H, W), without its weight.

    `note`: what must be said of the number that it gives. `macs_per_pixel`: multiply-accumulates of its pretrained
    features, forward, a pixel of one image.
    """

    loss: Measured
    note: str | None = None
    macs_per_pixel: float = 0.0


def build_loss(term: LossTerm, beside: Beside) -> Built:
    """The config's loss. Raises UnknownLossError with the reason where it cannot be built here."""
    name = name_of(term)
    if term.weight < 0.0:
        raise UnknownLossError("a negative weight swaps the target for the enlarged input")
    if name in ADVERSARIAL:
        return _adversarial(name, term, beside)
    if name in WEIGHTED_FEATURES:
        return _perceptual(name, term, beside)
    build = VARIANTS.get((beside.trainer, name)) or PAIR_LOSSES.get(name)
    if build is None:
        raise UnknownLossError(NOT_HERE.get(name, "not known here"))
    return Built(build(**accepted(term, build)), NOTES.get((beside.trainer, name)) or NOTES.get(("", name)))


def name_of(term: LossTerm) -> str:
    """In lower case and without `loss`; neosr's keep their underscore, by which they differ from others' of the name.

    >>> from autocal_cli.errors import Place
    >>> [name_of(LossTerm(type, "", 1.0, Place(""))) for type in ("MSSIMLoss", "mssim_loss")]
    ['mssim', 'mssim_']
    """
    return term.type.lower().removesuffix("loss")


def _adversarial(name: str, term: LossTerm, beside: Beside) -> Built:
    if isinstance(beside.discriminator, str):
        raise UnknownLossError(beside.discriminator)
    given = accepted(term, adversarial)
    default = {"r3gan": "r3gan", "gan_": "bce"}.get(name, "vanilla")
    loss = adversarial(beside.discriminator, beside.relativistic, **{"gan_type": default, **given})
    return Built(loss, NEOSR_INFERENCE if beside.trainer == "neosr" else None)


def _perceptual(name: str, term: LossTerm, beside: Beside) -> Built:
    build = perceptual.neosr_perceptual if name.endswith("_") else WEIGHTED_FEATURES[name]
    if name == "perceptual" and beside.trainer in ("BasicSR", "Real-ESRGAN"):
        build = perceptual.basicsr_perceptual
    built = build(beside.vgg, **accepted(term, build))
    return Built(built.loss, built.note, built.macs_per_pixel)


def accepted(term: LossTerm, build: Callable[..., object]) -> dict[str, Any]:
    """The config's arguments that the loss takes. Raises UnknownLossError for one that would change the loss."""
    parameters = inspect.signature(build).parameters
    given: dict[str, Any] = {}
    for name, value in term.arguments.items():
        if name in parameters and parameters[name].kind is not inspect.Parameter.POSITIONAL_ONLY:
            if not _is_like(value, parameters[name].default):
                raise UnknownLossError(f"its {name} is {value!r}")
            given[name] = value
        elif name not in _BESIDE and value != _FIXED.get(name, ...):
            raise UnknownLossError(f"its {name} is not known here")
    return given


def _is_like(value: object, default: object) -> bool:
    """Whether a value is of the kind of an argument's default; a whole number may stand for any, None for weights."""
    if default is None:
        return value is None or (isinstance(value, dict) and all(_is_like(one, 1.0) for one in value.values()))
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    return isinstance(value, type(default))


def gradient_norms(values: Sequence[Tensor], output: Tensor) -> Tensor:
    """G_i for every loss: the L2 norm of dL_i/d(output) of each image, averaged over the batch.

    Args:
        values: raw losses, each a 0-dim tensor of the graph that `output` stands in.
        output: (B, ...) the network's output, requiring grad.

    Returns:
        (L,) float32 on the output's device; 0 for a loss that does not depend on the output, and not finite where the
        gradient is not.

    The graph is retained and no `.grad` is touched. The loss is multiplied by the output's size first, as mean losses
    have gradients of 1/size, which half precision would round to nothing; it is divided out again.
    """
    size = float(output.numel())
    gradients = [_gradient(value, output, size) for value in values]
    per_image = [
        output.new_zeros((), dtype=torch.float32) if gradient is None else _norm(gradient) / size
        for gradient in gradients
    ]
    return torch.stack(per_image)


def _gradient(value: Tensor, output: Tensor, size: float) -> Tensor | None:
    if not value.requires_grad:
        return None
    kind = output.device.type
    with nullcontext() if kind == "meta" else torch.autocast(kind, enabled=False):  # autocast knows no meta device
        (gradient,) = torch.autograd.grad(value.float() * size, output, retain_graph=True, allow_unused=True)
    return gradient


def _norm(gradient: Tensor) -> Tensor:
    images = gradient.shape[0] if gradient.dim() > 1 else 1
    flat = gradient.detach().float().reshape(images, -1)
    norms: Tensor = torch.linalg.vector_norm(flat, dim=1)
    return norms.mean()


# By type in lower case and without `loss`, as trainers register them.
PAIR_LOSSES: Mapping[str, Builder] = MappingProxyType(
    {
        "l1": pixel.l1,
        "mse": pixel.mse,
        "l2": pixel.mse,
        "charbonnier": pixel.charbonnier,
        "huber": pixel.huber,
        "psnr": pixel.psnr,
        "chc": pixel.clipped,
        "chc_": pixel.neosr_clipped,
        "fft": pixel.fft_l1,
        "ff": pixel.focal_frequency,
        "ff_": pixel.focal_frequency,
        "laplacianpyramid": pixel.laplacian_pyramid,
        "ssim": structure.ssim,
        "mssim": structure.ms_ssim,
        "mssim_": structure.neosr_ms_ssim,
        "sobeledge": structure.sobel_edge,
        "gradientvariance": structure.gradient_variance,
        "ncc": structure.correlation,
        "ncc_": structure.correlation,
        "ldl": structure.ldl,
        "ldl_": structure.ldl,
        "color": colour.chroma,
        "average": colour.average,
        "bicubic": colour.bicubic,
        "luma": colour.luma,
        "cosim": colour.cosine,
        "hsluv": colour.hsluv,
        "consistency": colour.fork_consistency,
        "consistency_": colour.neosr_consistency,
    }
)
WEIGHTED_FEATURES: Mapping[str, Callable[..., Pretrained]] = MappingProxyType(
    {
        "perceptual": perceptual.trainner_perceptual,
        "perceptualfp16": perceptual.trainner_perceptual,
        "vgg_perceptual_": perceptual.neosr_perceptual,
    }
)
ADVERSARIAL = ("gan", "gan_", "multiscalegan", "r3gan")


def _refused(reason: str) -> Builder:
    def build(**_: object) -> Measured:
        raise UnknownLossError(reason)

    return build


FORK = "traiNNer-redux-fork"
# Of one trainer alone: the same name with another formula.
VARIANTS: Mapping[tuple[str, str], Builder] = MappingProxyType(
    {
        (FORK, "hsluv"): colour.fork_hsluv,
        (FORK, "cosim"): colour.fork_cosine,
        (FORK, "bicubic"): _refused("the fork's reduction differs and is not known here"),
    }
)
# What stands beside a number that is not quite what a training will see; of one trainer, or ("") of all.
NOTES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        (
            "",
            "ldl",
        ): "the start network is its own moving average here, so that no pixel is left out; in training those "
        "are where the network does better than its average",
        ("", "ssim"): "traiNNer-redux's SSIMLoss is the similarity itself, so that a training lowers it",
        (FORK, "cosim"): "the fork rounds the similarity, and no gradient comes through that: this loss trains nothing",
    }
)
NEOSR_INFERENCE = (
    "as if it had a gradient: neosr since 75bed7f judges the output in inference mode, and this loss trains nothing"
)
# Why some are not measured, where more can be said than that they are not known.
_JUDGES = "it compares the discriminator's features, which are not built here"
NOT_HERE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("featurematching", "ganfeat"), _JUDGES),
        **dict.fromkeys(
            ("dists", "dists_", "adists", "lpips", "perceptualanime", "contextual", "dinov2", "dinoperceptual",
             "convnextperceptual", "aesop", "fdl_", "contrastive", "linedistiller"),
            "it needs pretrained weights that autocal does not read; the trainer's own code may (--trainer DIR)",
        ),
    }
)  # fmt: skip

# What says nothing of the loss itself, or is so in the losses here as well.
_BESIDE = frozenset({"type", "loss_weight", "channels", "verbose_logging"})
_FIXED: Mapping[str, Value] = MappingProxyType(
    {"reduction": "mean", "color_space": "yiq", "downsample": False, "crop_border": 0}
)
