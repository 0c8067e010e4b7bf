"""Which losses can be measured without their trainer: one row a type. Another loss is one function and one row."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from autocal_cli.config.record import LossTerm, Value
from autocal_cli.probing import adversarial, frequency, pixel, ssim

# By type in lower case and without `loss`, as trainers register them.
PAIR_LOSSES: Mapping[str, Callable[..., pixel.PairLoss]] = MappingProxyType(
    {
        "l1": pixel.l1,
        "mse": pixel.mse,
        "l2": pixel.mse,
        "charbonnier": pixel.charbonnier,
        "huber": pixel.huber,
        "ssim": ssim.ssim,
        "mssim": ssim.ms_ssim,
        "fft": frequency.fft_l1,
        "ff": frequency.focal_frequency,
    }
)
ADVERSARIAL = "gan"

# What says nothing of the loss itself, or is so in the losses here as well.
_BESIDE = frozenset({"type", "loss_weight", "channels"})
_FIXED: Mapping[str, Value] = MappingProxyType(
    {"reduction": "mean", "color_space": "yiq", "downsample": False, "crop_border": 0, "patch_factor": 1,
     "fake_label_val": 0.0}
)  # fmt: skip

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
        judge = adversarial.generator_loss(**_accepted(term, adversarial.generator_loss))
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
