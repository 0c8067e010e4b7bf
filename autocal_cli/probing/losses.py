"""Which losses can be measured without their trainer: one row a type. Another loss is one function and one row."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autocal_cli.config.model import LossTerm, Value

Measured = Callable[[Tensor, Tensor], Tensor]


class UnknownLossError(Exception):
    """A loss that cannot be built here: why, in words."""


def build_loss(term: LossTerm, discriminator: nn.Module | str) -> Measured:
    """The loss as a function of the network's output and the target, both (B, C, H, W), without its weight.

    `discriminator` is the network that judges, or why there is none. Raises UnknownLossError.
    """
    name = term.type.lower().removesuffix("loss")
    if term.weight < 0.0:
        raise UnknownLossError("a negative weight swaps the target for the enlarged input")
    if name == ADVERSARIAL:
        return _adversarial(term, discriminator)
    if name not in PAIR_LOSSES:
        needs = ": it needs pretrained weights" if term.kind == "perceptual" else ""
        raise UnknownLossError(f"not known here{needs}")
    return PAIR_LOSSES[name](**_accepted(term, PAIR_LOSSES[name]))


def _adversarial(term: LossTerm, discriminator: nn.Module | str) -> Measured:
    if isinstance(discriminator, str):
        raise UnknownLossError(discriminator)
    try:
        judge = generator_loss(**_accepted(term, generator_loss))
    except ValueError as error:
        raise UnknownLossError(str(error)) from None
    return lambda output, _target: judge(discriminator(output))


def _accepted(term: LossTerm, build: Callable[..., object]) -> dict[str, Any]:
    """The config's arguments that the loss takes. Raises UnknownLossError for one that would change the loss."""
    parameters = inspect.signature(build).parameters
    given: dict[str, Any] = {}
    for name, value in term.arguments.items():
        if name in parameters:
            default = parameters[name].default
            if not _is_like(value, default):
                raise UnknownLossError(f"its {name} is {value!r}")
            given[name] = value
        elif name not in _BESIDE and value != _FIXED.get(name, ...):
            raise UnknownLossError(f"its {name} is not known here")
    return given


def _is_like(value: object, default: object) -> bool:
    """Whether a value is of the kind of an argument's default; a whole number may stand for any."""
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, type(default))


# Losses of pixels against pixels: x the network's output, y the target, both (B, C, H, W); d = x - y.


PairLoss = Callable[[Tensor, Tensor], Tensor]


def l1() -> PairLoss:
    """mean |d|"""
    return F.l1_loss


def mse() -> PairLoss:
    """mean d^2"""
    return F.mse_loss


def charbonnier(eps: float = 1e-12) -> PairLoss:
    """mean sqrt(d^2 + eps), as BasicSR and traiNNer-redux have it (Lai et al., arXiv:1704.03915, with eps^2 there)."""
    return lambda x, y: torch.sqrt((x - y) ** 2 + eps).mean()


def huber(delta: float = 1.0) -> PairLoss:
    """mean of d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) beyond (Huber, Ann. Math. Statist. 35, 1964)."""
    return lambda x, y: F.huber_loss(x, y, delta=delta)


# Losses of spectra: X and Y the Fourier transforms of the network's output x and of the target y, (B, C, H, W).


FOCAL_FACTOR = 50.0  # traiNNer-redux multiplies the published loss by this, so that it is of the size of others


def fft_l1() -> PairLoss:
    """mean |Re(X - Y)| and |Im(X - Y)|, transforms of real images and without norm, as in traiNNer-redux."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return torch.view_as_real(torch.fft.rfft2(x - y)).abs().mean()

    return loss


def focal_frequency(
    alpha: float = 1.0, ave_spectrum: bool = True, log_matrix: bool = False, batch_matrix: bool = False
) -> PairLoss:
    """50 mean(w |X - Y|^2) with w = |X - Y|^alpha over its largest, no gradient through w; orthonormal transforms.

    Jiang et al., arXiv:2012.12821; the 50, and spectra averaged over the batch (`ave_spectrum`), as traiNNer-redux has
    them by default. `log_matrix`: w of log(|X - Y|^alpha + 1). `batch_matrix`: the largest of the batch, not of each
    channel of each image.
    """

    def loss(x: Tensor, y: Tensor) -> Tensor:
        difference = torch.fft.fft2(x - y, norm="ortho")
        if ave_spectrum:
            difference = difference.mean(0, keepdim=True)
        squared = difference.real**2 + difference.imag**2
        focus = squared.detach().sqrt() ** alpha
        focus = torch.log(focus + 1.0) if log_matrix else focus
        largest = focus.amax() if batch_matrix else focus.amax((-2, -1), keepdim=True)
        focus = torch.nan_to_num(focus / largest).clamp(0.0, 1.0)
        value: Tensor = FOCAL_FACTOR * (focus * squared).mean()
        return value

    return loss


# Structural similarity as a loss: 1 - SSIM (Wang et al. 2004, IEEE TIP 13(4)), 1 - MS-SSIM (Wang et al. 2003).
#
# SSIM = l cs        l = (2 mx my + C1) / (mx^2 + my^2 + C1)        cs = (2 sxy + C2) / (sx^2 + sy^2 + C2)
# MS-SSIM = cs_1^b1 cs_2^b2 ... SSIM_5^b5        each scale half the one before, by 2x2 means
#
# with means m, variances s^2 and covariance sxy in a Gaussian window of 11 pixels, deviation 1.5; C1 = 0.01^2 and
# C2 = 0.03^2 for values 0..1. As in traiNNer-redux by default: of luma alone, clamped to 0..1, cs not below 0, and in
# MS-SSIM without l. A window larger than the image is padded with zeros.


WINDOW, DEVIATION = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003
LUMA = (0.299, 0.587, 0.114)  # of Y in YIQ


def ssim(test_y_channel: bool = True) -> PairLoss:
    """1 - mean SSIM."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        x, y = prepared(x, test_y_channel), prepared(y, test_y_channel)
        return 1.0 - _similarity(x, y, luminance=True).mean()

    return loss


def ms_ssim(test_y_channel: bool = True, include_luminance: bool = False, is_prod: bool = True) -> PairLoss:
    """1 - mean MS-SSIM over 5 scales. `is_prod`: the product above, else the mean of its factors weighed by b."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        x, y = prepared(x, test_y_channel), prepared(y, test_y_channel)
        scales = []
        for scale in range(len(EXPONENTS)):
            last = scale == len(EXPONENTS) - 1
            scales.append(_similarity(x, y, luminance=include_luminance and last))
            x, y = _halved(x), _halved(y)
        found = torch.stack(scales)
        b = found.new_tensor(EXPONENTS)[:, None]
        index = (found**b).prod(0) if is_prod else (found * b / b.sum()).sum(0)
        return 1.0 - index.mean().clamp(0.0, 1.0)

    return loss


def prepared(image: Tensor, luma: bool) -> Tensor:
    """(B, C, H, W) clamped to 0..1, as luma (B, 1, H, W) where that is wanted and the image has three channels."""
    image = image.clamp(0.0, 1.0)
    if not luma or image.shape[1] != 3:
        return image
    return (image * image.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def _halved(image: Tensor) -> Tensor:
    """Means of 2x2; an odd side is padded with zeros first, which count."""
    return F.avg_pool2d(image, 2, padding=(image.shape[2] % 2, image.shape[3] % 2))


def _similarity(x: Tensor, y: Tensor, luminance: bool) -> Tensor:
    """(B,) mean of SSIM, or of cs alone, over each image."""
    mx, my = _blur(x), _blur(y)
    variances = _blur(x * x) - mx**2 + _blur(y * y) - my**2
    cs = F.relu((2 * (_blur(x * y) - mx * my) + C2) / (variances + C2))
    if luminance:
        cs = cs * (2 * mx * my + C1) / (mx**2 + my**2 + C1)
    return cs.mean((1, 2, 3))


def _blur(image: Tensor) -> Tensor:
    """The Gaussian mean around each pixel, where the window fits; with zeros around an image smaller than it."""
    channels = image.shape[1]
    at = torch.arange(WINDOW, dtype=image.dtype, device=image.device) - WINDOW // 2
    line = torch.exp(-(at**2) / (2 * DEVIATION**2))
    line = line / line.sum()
    pad = WINDOW // 2 if image.shape[-1] < WINDOW else 0
    down = line.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    across = line.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    blurred = F.conv2d(image, down, padding=(pad, 0), groups=channels)
    return F.conv2d(blurred, across, padding=(0, pad), groups=channels)


# What the generator minimises against a discriminator: D = D(x) its judgements of the network's output, any shape.


Judgement = Callable[[Tensor], Tensor]


def generator_loss(gan_type: str = "vanilla", real_label_val: float = 1.0) -> Judgement:
    """By the name that trainers give it; `real_label_val` is t. Raises ValueError for another name.

    vanilla        mean of softplus(D) - t D, cross entropy with the label t (Goodfellow et al., arXiv:1406.2661)
    lsgan          mean of (D - t)^2                              (Mao et al., arXiv:1611.04076)
    wgan, hinge    -mean D                                        (arXiv:1701.07875; Lim and Ye, arXiv:1705.02894)
    wgan_softplus  mean of softplus(-D)                           (StyleGAN2, arXiv:1912.04958)
    """
    t = real_label_val
    known: dict[str, Judgement] = {
        "vanilla": lambda d: F.binary_cross_entropy_with_logits(d, torch.full_like(d, t)),
        "lsgan": lambda d: ((d - t) ** 2).mean(),
        "wgan": lambda d: -d.mean(),
        "hinge": lambda d: -d.mean(),
        "wgan_softplus": lambda d: F.softplus(-d).mean(),
    }
    if gan_type not in known:
        raise ValueError(f"gan_type {gan_type!r} is none of {', '.join(known)}")
    return known[gan_type]


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
PAIR_LOSSES: Mapping[str, Callable[..., PairLoss]] = MappingProxyType(
    {
        "l1": l1,
        "mse": mse,
        "l2": mse,
        "charbonnier": charbonnier,
        "huber": huber,
        "ssim": ssim,
        "mssim": ms_ssim,
        "fft": fft_l1,
        "ff": focal_frequency,
    }
)
ADVERSARIAL = "gan"

# What says nothing of the loss itself, or is so in the losses here as well.
_BESIDE = frozenset({"type", "loss_weight", "channels"})
_FIXED: Mapping[str, Value] = MappingProxyType(
    {"reduction": "mean", "color_space": "yiq", "downsample": False, "crop_border": 0, "patch_factor": 1,
     "fake_label_val": 0.0}
)  # fmt: skip
