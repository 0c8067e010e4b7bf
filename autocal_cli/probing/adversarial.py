"""What the generator minimises against a discriminator: D = D(x) its judgements of the network's output, any shape."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

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
