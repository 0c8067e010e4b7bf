"""Which losses can be measured without their trainer, and how a config's loss becomes a function: one row a type."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autocal_cli.config.model import LossTerm
from autocal_cli.probing import colour, formulas, perceptual
from autocal_cli.probing.formulas import PairLoss
from autocal_cli.probing.model import UnknownLossError
from autocal_cli.probing.perceptual import VggSource


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

    loss: PairLoss
    note: str | None = None
    macs_per_pixel: float = 0.0


def build_loss(term: LossTerm, beside: Beside) -> Built:
    """The config's loss. Raises UnknownLossError with the reason where it cannot be built here."""
    name = name_of(term)
    if term.weight < 0.0:
        raise UnknownLossError("a negative weight swaps the target for the enlarged input")
    if name in ADVERSARIAL:
        if isinstance(beside.discriminator, str):
            raise UnknownLossError(beside.discriminator)
        options = {"gan_type": ADVERSARIAL[name], **accepted(term, adversarial)}
        judged = partial(adversarial, judge=beside.discriminator, relativistic=beside.relativistic, **options)
        return Built(judged, NEOSR_INFERENCE if beside.trainer == "neosr" else None)
    if name in PERCEPTUAL:
        build = PERCEPTUAL[name]
        if name == "perceptual" and beside.trainer in ("BasicSR", "Real-ESRGAN"):
            build = perceptual.basicsr_perceptual
        loss, network = build(beside.vgg, **accepted(term, build))
        return Built(loss, macs_per_pixel=network.macs_per_pixel)
    if (beside.trainer, name) == (FORK, "bicubic"):
        raise UnknownLossError("the fork's reduction differs and is not known here")
    formula = VARIANTS.get((beside.trainer, name)) or PAIR_LOSSES.get(name)
    if formula is None:
        raise UnknownLossError(NOT_HERE.get(name, "not known here"))
    note = NOTES.get((beside.trainer, name)) or NOTES.get(("", name))
    return Built(partial(formula, **accepted(term, formula)), note)


def name_of(term: LossTerm) -> str:
    """In lower case and without `loss`; neosr's keep their underscore, by which they differ from others' of the name.

    >>> from autocal_cli.errors import Place
    >>> [name_of(LossTerm(type, "", 1.0, Place(""))) for type in ("MSSIMLoss", "mssim_loss")]
    ['mssim', 'mssim_']
    """
    return term.type.lower().removesuffix("loss")


def accepted(term: LossTerm, build: Callable[..., object]) -> dict[str, Any]:
    """The config's arguments that the loss takes. Raises UnknownLossError for one that would change the loss."""
    parameters = inspect.signature(build, eval_str=True).parameters
    given: dict[str, Any] = {}
    for name, value in term.arguments.items():
        if name in parameters and parameters[name].default is not inspect.Parameter.empty:
            kind = parameters[name].annotation
            if not _is_a(value, kind):
                choices = f", none of {', '.join(map(str, get_args(kind)))}" if get_origin(kind) is Literal else ""
                raise UnknownLossError(f"its {name} is {value!r}{choices}")
            given[name] = value
        elif name not in _BESIDE and value != _FIXED.get(name, ...):
            raise UnknownLossError(f"its {name} is not known here")
    return given


def _is_a(value: object, kind: Any) -> bool:
    """Whether a value is of an argument's kind; a whole number may stand for any number, weights may be left out."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind in (bool, int, str):
        return type(value) is kind
    return value is None or (isinstance(value, dict) and all(_is_a(one, float) for one in value.values()))


def gradient_norms(values: Sequence[Tensor], output: Tensor) -> Tensor:
    """G_i for every loss: the L2 norm of dL_i/d(output) of each image, averaged over the batch.

    Args:
        values: raw losses, each a 0-dim tensor of the graph that `output` stands in. The graph is retained.
        output: (B, ...) the network's output, requiring grad.

    Returns:
        (L,) float32; 0 for a loss that does not depend on the output, and not finite where the gradient is not.

    The loss is multiplied by the output's size and that divided out again: mean losses have gradients of 1/size, which
    a trainer's loss in half precision would round to nothing.
    """
    norms, size = [], float(output.numel())
    for value in values:
        gradient = None
        if value.requires_grad:
            (gradient,) = torch.autograd.grad(value.float() * size, output, retain_graph=True, allow_unused=True)
        gradient = torch.zeros_like(output) if gradient is None else gradient
        norms.append(torch.linalg.vector_norm(gradient.flatten(1), dim=1).mean() / size)
    return torch.stack(norms)


# By type in lower case and without `loss`, as trainers register them.
PAIR_LOSSES: Mapping[str, PairLoss] = MappingProxyType(
    {
        "l1": formulas.l1,
        "mse": formulas.mse,
        "l2": formulas.mse,
        "charbonnier": formulas.charbonnier,
        "huber": formulas.huber,
        "chc": formulas.clipped,
        "chc_": formulas.neosr_clipped,
        "fft": formulas.fft_l1,
        "ff": formulas.focal_frequency,
        "ff_": formulas.focal_frequency,
        "ssim": formulas.ssim,
        "mssim": formulas.ms_ssim,
        "mssim_": formulas.neosr_ms_ssim,
        "sobeledge": formulas.sobel_edge,
        "ldl": formulas.ldl,
        "ldl_": formulas.ldl,
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
FORK = "traiNNer-redux-fork"
# Of one trainer alone: the same name with another formula.
VARIANTS: Mapping[tuple[str, str], PairLoss] = MappingProxyType(
    {(FORK, "hsluv"): partial(colour.hsluv, white_either=True), (FORK, "cosim"): colour.fork_cosine}
)
PERCEPTUAL: Mapping[str, Callable[..., tuple[PairLoss, perceptual.Vgg]]] = MappingProxyType(
    {
        "perceptual": perceptual.trainner_perceptual,
        "perceptualfp16": perceptual.trainner_perceptual,
        "vgg_perceptual_": perceptual.neosr_perceptual,
    }
)
ADVERSARIAL = MappingProxyType({"gan": "vanilla", "gan_": "bce", "multiscalegan": "vanilla", "r3gan": "r3gan"})
# What stands beside a number that is not quite what a training will see; of one trainer, or ("") of all.
NOTES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("", "ldl"): "the start network is its own moving average here, so that no pixel is left out; in training "
        "those are where the network does better than its average",
        ("", "ssim"): "traiNNer-redux's SSIMLoss is the similarity itself, so that a training lowers it",
        (FORK, "cosim"): "the fork rounds the similarity, and no gradient comes through that: this loss trains nothing",
    }
)
NEOSR_INFERENCE = (
    "as if it had a gradient: neosr since 75bed7f judges the output in inference mode, and this loss trains nothing"
)
# Why some are not measured, where more can be said than that they are not known.
NOT_HERE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("featurematching", "ganfeat"), "it compares the discriminator's features, which are not built here"
        ),
        **dict.fromkeys(
            (
                *("dists", "dists_", "adists", "lpips", "perceptualanime", "contextual", "dinov2", "dinoperceptual"),
                *("convnextperceptual", "aesop", "fdl_", "contrastive", "linedistiller"),
            ),
            "it needs pretrained weights that autocal does not read; the trainer's own code may (--trainer DIR)",
        ),
    }
)
# What says nothing of the generator's loss, or is so in the losses here as well; the schedules of the fork's wrapper,
# beside which a loss is measured as it is at its full weight.
_BESIDE = frozenset(
    {"type", "loss_weight", "channels", "verbose_logging", "r1_weight", "r2_weight", "start_iter", "target_iter"}
    | {"target_weight", "disable_after", "schedule_type", "warn_on_unused", "loss_decay", "loss_decay_inflection"}
)
_FIXED = MappingProxyType(
    {
        **{"reduction": "mean", "color_space": "yiq", "downsample": False, "crop_border": 0},
        **{"antialiased": False, "patchloss": False, "ipk": False},  # of perceptual losses; neosr's have no gradient
    }
)

GanType = Literal[
    "vanilla", "bce", "lsgan", "ls", "mse", "huber", "wgan", "wgan_softplus", "hinge", "r3gan", "relativistic_hinge"
]


def adversarial(
    x: Tensor,
    y: Tensor,
    /,
    judge: nn.Module,
    relativistic: bool,
    gan_type: GanType = "vanilla",
    real_label_val: float = 1.0,
    fake_label_val: float = 0.0,
) -> Tensor:
    """What the generator minimises; `judge` gives D(x) of the network's output, D(y) of targets.

    `relativistic` (Jolicoeur-Martineau, arXiv:1807.00734), as BasicSR's ESRGANModel has it: half the sum of the form on
    D(x) - mean D(y) for real, and on D(y) - mean D(x) for generated. `r3gan` is the fork's relativistic hinge:
    half of mean relu(1 + D(y) - mean D(x)) + mean relu(1 - D(x) + mean D(y)).
    """
    hinge = gan_type in ("r3gan", "relativistic_hinge")
    if not (hinge or relativistic):
        return _wanted(gan_type, judge(x), real_label_val, True)
    of_real, of_output = judge(y).detach(), judge(x)  # the target first, as in the trainer: a norm moves at each step
    if hinge:
        real = F.relu(1.0 + of_real - of_output.mean()).mean()
        return 0.5 * (real + F.relu(1.0 - of_output + of_real.mean()).mean())
    generated = _wanted(gan_type, of_real - of_output.mean(), fake_label_val, False)
    return (generated + _wanted(gan_type, of_output - of_real.mean(), real_label_val, True)) / 2


def _wanted(gan_type: GanType, d: Tensor, t: float, real: bool) -> Tensor:
    """The form on judgements d that shall be taken for real or for generated, with the label t where it has labels."""
    match gan_type:
        case "vanilla" | "bce":  # cross entropy (Goodfellow et al., arXiv:1406.2661)
            return F.binary_cross_entropy_with_logits(d, torch.full_like(d, t))
        case "lsgan" | "ls" | "mse":  # Mao et al., arXiv:1611.04076
            return ((d - t) ** 2).mean()
        case "huber":
            return F.huber_loss(d, torch.full_like(d, t))
        case "wgan":  # arXiv:1701.07875
            return -d.mean() if real else d.mean()
        case "wgan_softplus":  # StyleGAN2, arXiv:1912.04958
            return F.softplus(-d if real else d).mean()
        case _:  # hinge: of the generator -mean D, whatever the label (Lim and Ye, arXiv:1705.02894)
            return -d.mean()
