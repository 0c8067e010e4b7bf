"""What the scheduler needs to know of each loss: its label, its kind and its configured weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from autocal_cli.config.losses import UNKNOWN, loss_kind
from autocal_cli.errors import AutocalError

# Exponents a_i of the value drift r_i = a_i (b_i - s_i): how the gradient of a loss falls with its value.
# L1-like: its gradient does not fall. MSE-like: gradient ~ sqrt(value). Source: measured when the project was designed
# (over 900 steps L1 fell to 0.36 of its value, its gradient to 1.00; MSE to 0.16 and 0.39).
_MSE_LIKE = frozenset({"mse", "l2", "psnr"})
MSE_EXPONENT = 0.5
ADVERSARIAL = "adversarial"
# Kinds of loss whose first argument is the network's output.
JUDGES_OF_OUTPUT = frozenset({"pixel", "structure", "frequency", "colour", "perceptual"})


@dataclass(frozen=True, slots=True)
class LossDescription:
    """One loss. `weight` is its configured weight, of either sign; `exponent` drives the drift where nothing probes.

    Adversarial losses never drift: their gradient rightly grows while the discriminator learns.
    """

    label: str
    kind: str
    weight: float
    exponent: float = 0.0

    @property
    def drifts(self) -> bool:
        return self.kind != ADVERSARIAL


def describe_losses(losses: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, LossDescription]:
    """Descriptions by label.

    A loss may be given as a module (its class name and `loss_weight` are read; wrappers with a `loss_module`, and those
    of torch.compile and DDP, are looked through), as a mapping with `type` and `loss_weight`, or as a bare weight.
    `kinds` overrides the kind by label. Raises AutocalError for a weight that is no number.
    """
    return {label: describe_loss(label, loss, kinds.get(label)) for label, loss in losses.items()}


def describe_loss(label: str, loss: Any = None, kind: str | None = None) -> LossDescription:
    """One description; without a loss the label has to say the kind (`l_g_gan`)."""
    if isinstance(loss, Mapping):
        type_name, weight = str(loss.get("type", label)), loss.get("loss_weight", 1.0)
    elif loss is None or isinstance(loss, int | float):
        type_name, weight = label.removeprefix("l_g_"), 1.0 if loss is None else loss
    else:
        inner = unwrapped(loss)
        type_name, weight = type(inner).__name__, getattr(loss, "loss_weight", getattr(inner, "loss_weight", 1.0))
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
        raise AutocalError(f"The weight of the loss {label} should be a number. Found {weight!r}.")
    found = kind or loss_kind(type_name)
    if found == UNKNOWN:
        found = kind or loss_kind(label.removeprefix("l_g_"))
    name = type_name.lower().removesuffix("loss")
    return LossDescription(label, found, float(weight), MSE_EXPONENT if name in _MSE_LIKE else 0.0)


def unwrapped(loss: Any) -> Any:
    """The loss itself within a wrapper of a trainer (`loss_module`), torch.compile (`_orig_mod`) or DDP (`module`)."""
    parallel = isinstance(loss, nn.DataParallel | nn.parallel.DistributedDataParallel)
    for name in ("loss_module", "_orig_mod", *(["module"] if parallel else [])):
        inner = getattr(loss, name, None)
        if callable(inner):
            return unwrapped(inner)
    return loss


def first_image(args: Sequence[Any]) -> Tensor | None:
    """The network's output among the arguments of a loss that judges it: the first, if a gradient flows through it."""
    return args[0] if args and isinstance(args[0], Tensor) and args[0].requires_grad else None
