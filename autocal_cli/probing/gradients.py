"""The probe: the norm of every loss's gradient at the network's output."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor


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


def can_probe(values: Sequence[Tensor], output: Tensor | None) -> bool:
    """Whether there is a graph between some loss and the output (in validation there is none)."""
    return (
        output is not None
        and output.requires_grad
        and torch.is_grad_enabled()
        and any(value.requires_grad for value in values)
    )


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
