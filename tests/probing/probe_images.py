"""Images and weights that are the same everywhere: by formula, without random numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SIDE = 48


def pair() -> tuple[Tensor, Tensor]:
    """What a network may put out, partly beyond 0..1, and its target: (2, 3, 48, 48), with grey, black and white."""
    at = torch.arange(SIDE, dtype=torch.float64)
    i, j = at[:, None], at[None, :]
    targets, outputs = [], []
    for b in range(2):
        for c in range(3):
            smooth = torch.sin(0.13 * (1 + b) * i + 0.7 * c) * torch.cos(0.09 * (1 + c) * j)
            target = (0.5 + 0.45 * smooth + 0.05 * torch.sin(1.9 * i + 2.3 * j)).clamp(0.0, 1.0)
            output = target + 0.08 * torch.sin(0.9 * i - 1.1 * j + c + 2 * b)
            target[:4, :4], output[:4, :4] = 0.5, 0.52  # grey
            target[-4:, :4], output[-4:, :4] = 0.01, 0.02  # black
            target[:4, -4:], output[:4, -4:] = 0.99, 0.98  # white
            target[-4:, -4:] = 0.5  # a grey target with a coloured output
            targets.append(target)
            outputs.append(output)
    shape = (2, 3, SIDE, SIDE)
    return torch.stack(outputs).reshape(shape).float(), torch.stack(targets).reshape(shape).float()


def spread(count: int, seed: int) -> Tensor:
    """(count,) evenly spread over -0.5..0.5, in integer arithmetic."""
    numbers = (torch.arange(count, dtype=torch.int64) + 1 + 1009 * seed) * 48271 % 65521
    return ((numbers.double() + 0.5) / 65521 - 0.5).float()


def fill(network: nn.Module) -> None:
    """Parameters by formula, in the order of the network's own: those of a matrix of the size that keeps variance."""
    with torch.no_grad():
        for seed, parameter in enumerate(network.parameters()):
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 12
            values = spread(parameter.numel(), seed).reshape(parameter.shape)
            parameter.copy_(values * (24 / fan_in) ** 0.5)


def vgg_weights(kernels: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Weights for a VGG by torchvision's names, of these shapes by name."""
    found = {}
    for seed, (name, shape) in enumerate(sorted(kernels.items())):
        count = torch.Size(shape).numel()
        size = (24 / (count / shape[0])) ** 0.5 if len(shape) > 1 else 0.1
        found[name] = spread(count, seed).reshape(shape) * size
    return found
