"""What the scheduler needs to know of each loss, and how the values that losses return are taken apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from autocal_cli.config.losses import UNKNOWN, loss_kind
from autocal_cli.errors import AutocalError

COMPARE_IMAGES = ("pixel", "structure", "colour", "frequency", "perceptual")  # called with output and target
SQUARED = frozenset({"mse", "l2"})  # whose value is a square of the pixels' distance

Function = TypeVar("Function")


def untraced(function: Function) -> Function:
    """A function that torch.compile leaves alone, as it is."""
    return torch.compiler.disable(function)  # type: ignore[no-any-return, no-untyped-call]


@dataclass(frozen=True, slots=True)
class LossDescription:
    """One loss: its kind (config/losses.py) and its configured weight, of either sign."""

    label: str
    kind: str
    weight: float
    squared: bool = False

    @property
    def adversarial(self) -> bool:
        return self.kind == "adversarial"


def describe_loss(label: str, loss: Any) -> LossDescription:
    """What is known of a loss.

    It is a module (its class name and `loss_weight` are read; wrappers with a `loss_module`, and those of torch.compile
    and DDP, are looked through), a mapping with `type` and `loss_weight`, or a bare weight, whose label has to say the
    kind (`l_g_gan`). Raises AutocalError for a weight that is no number.
    """
    name = label.removeprefix("l_g_")
    if isinstance(loss, Mapping):
        type_name, weight = str(loss.get("type", label)), loss.get("loss_weight", 1.0)
    elif isinstance(loss, int | float):
        type_name, weight = name, loss
    else:
        inner = unwrapped(loss)
        type_name = getattr(inner, "__name__", None) or type(inner).__name__
        weight = getattr(loss, "loss_weight", getattr(inner, "loss_weight", 1.0))
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
        raise AutocalError(f"The weight of the loss {label} should be a number. Found {weight!r}.")
    kind = known if (known := loss_kind(type_name)) != UNKNOWN else loss_kind(name)
    return LossDescription(label, kind, float(weight), type_name.lower().removesuffix("loss") in SQUARED)


def unwrapped(loss: Any) -> Any:
    """The loss itself within a wrapper of a trainer (`loss_module`), torch.compile (`_orig_mod`) or DDP (`module`)."""
    parallel = isinstance(loss, nn.DataParallel | nn.parallel.DistributedDataParallel)
    for name in ("loss_module", "_orig_mod", *(["module"] if parallel else [])):
        inner = getattr(loss, name, None)
        if callable(inner):
            return unwrapped(inner)
    return loss


def parts(label: str, value: Any) -> Iterator[Tensor]:
    """The tensors of one loss, which may be a mapping, tuple or list of them. None and bare numbers are no parts.

    Raises TypeError for a tensor of several elements and for anything else.
    """
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise TypeError(f"The loss {label} should be a single number. Found shape {tuple(value.shape)}.")
        yield value if value.dim() == 0 else value.reshape(())
    elif isinstance(value, Mapping | tuple | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from parts(label, part)
    elif value is not None and not isinstance(value, int | float):
        raise TypeError(f"The loss {label} should be a tensor, a mapping or a tuple. Found {type(value).__name__}.")


def tensors_in(value: Any) -> list[Tensor]:
    """Those of a network's output."""
    if isinstance(value, Mapping | tuple | list):
        inner = value.values() if isinstance(value, Mapping) else value
        return [x for part in inner for x in tensors_in(part)]
    return [value] if isinstance(value, Tensor) else []


def mapped(function: Any, value: Any) -> Any:
    """A loss of the same shape with `function` applied to each of its tensors."""
    if isinstance(value, Mapping):
        items = {key: mapped(function, part) for key, part in value.items()}
        return items if type(value) is dict else type(value)(items)  # type: ignore[call-arg]
    if isinstance(value, tuple | list):
        row = [mapped(function, part) for part in value]
        return type(value)(*row) if hasattr(value, "_fields") else type(value)(row)
    return function(value) if isinstance(value, Tensor) else value


def reaches(loss: Tensor, goals: set[Any], limit: int = 20_000) -> bool:
    """Whether the graph of `loss` leads to one of the graph nodes `goals`. Walks it, and runs nothing."""
    waiting: list[Any] = [loss.grad_fn]
    seen: set[Any] = set()
    while waiting and len(seen) < limit:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if node in goals:
            return True
        seen.add(node)
        waiting += [inner for inner, _ in node.next_functions]
    return bool(waiting)  # too large a graph to say: taken to lead there
