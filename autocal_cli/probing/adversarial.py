"""What the generator minimises against a discriminator: D(x) its judgements of the network's output, D(y) of targets.

Forms by the names that trainers give them; t is `real_label_val`:

    vanilla        mean of softplus(D) - t D, cross entropy with the label t  (Goodfellow et al., arXiv:1406.2661)
    lsgan, ls      mean of (D - t)^2                                         (Mao et al., arXiv:1611.04076)
    wgan, hinge    -mean D                              (arXiv:1701.07875; Lim and Ye, arXiv:1705.02894)
    wgan_softplus  mean of softplus(-D)                                      (StyleGAN2, arXiv:1912.04958)
    bce, mse       vanilla and lsgan, as neosr names them; huber: the Huber loss of D - t

Relativistic (Jolicoeur-Martineau, arXiv:1807.00734), as BasicSR's ESRGANModel has it: half the sum of the form on
D(x) - mean D(y) for real, and on D(y) - mean D(x) for generated. `r3gan` is the fork's relativistic hinge:
half of mean relu(1 + D(y) - mean D(x)) + mean relu(1 - D(x) + mean D(y)).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from autocal_cli.probing.model import UnknownLossError
from autocal_cli.probing.pixel import PairLoss

Form = Callable[[Tensor, float], Tensor]  # of judgements and the label that is wanted of them


def _cross_entropy(d: Tensor, t: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(d, torch.full_like(d, t))


def _squared(d: Tensor, t: float) -> Tensor:
    return ((d - t) ** 2).mean()


def _huber(d: Tensor, t: float) -> Tensor:
    return F.huber_loss(d, torch.full_like(d, t))


def _wasserstein(d: Tensor, t: float) -> Tensor:
    return -d.mean() if t > 0 else d.mean()


def _softplus(d: Tensor, t: float) -> Tensor:
    return F.softplus(-d if t > 0 else d).mean()


def _hinge(d: Tensor, _t: float) -> Tensor:
    return -d.mean()  # of the generator, whatever label


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "vanilla": _cross_entropy,
        "bce": _cross_entropy,
        "lsgan": _squared,
        "ls": _squared,
        "mse": _squared,
        "huber": _huber,
        "wgan": _wasserstein,
        "wgan_softplus": _softplus,
        "hinge": _hinge,
    }
)
LABELLED = ("vanilla", "bce", "lsgan", "ls", "mse", "huber")  # t is a number; in the others real or generated


def adversarial(
    judge: nn.Module,
    relativistic: bool,
    /,
    gan_type: str = "vanilla",
    real_label_val: float = 1.0,
    fake_label_val: float = 0.0,
    r1_weight: float = 0.0,  # noqa: ARG001  of the discriminator's step alone
    r2_weight: float = 0.0,  # noqa: ARG001
) -> PairLoss:
    """The generator's loss against `judge`. Raises UnknownLossError for another form."""
    if gan_type in ("r3gan", "relativistic_hinge"):
        return _relativistic_hinge(judge)
    if gan_type not in FORMS:
        raise UnknownLossError(f"its gan_type {gan_type!r} is none of {', '.join(FORMS)}, r3gan")
    form = FORMS[gan_type]
    real, generated = (real_label_val, fake_label_val) if gan_type in LABELLED else (1.0, 0.0)
    if not relativistic:
        return lambda x, _y: form(judge(x), real)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        of_real, of_output = judge(y).detach(), judge(x)
        return (form(of_real - of_output.mean(), generated) + form(of_output - of_real.mean(), real)) / 2

    return loss


def _relativistic_hinge(judge: nn.Module) -> PairLoss:
    def loss(x: Tensor, y: Tensor) -> Tensor:
        of_real, of_output = judge(y).detach(), judge(x)
        real = F.relu(1.0 + of_real - of_output.mean()).mean()
        return 0.5 * (real + F.relu(1.0 - of_output + of_real.mean()).mean())

    return loss
