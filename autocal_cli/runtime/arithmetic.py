"""The few functions in which the scheduler's formulas are written, for two kinds of number.

`FLOATS` works on the Python floats of one loss: on the CPU a value can be read for nothing, and this is several times
faster than torch on tiny tensors. `TENSORS` works on a vector over all losses and never reads a value, so that an
accelerator is never waited for. The formulas (track.py) are the same text for both.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor

Number = Any  # a float (or bool), or a tensor over the losses


class Arithmetic(Protocol):
    """Elementwise functions; masks are bools, or boolean tensors."""

    def where(self, mask: Number, one: Number, other: Number) -> Number: ...
    def both(self, one: Number, other: Number) -> Number: ...
    def either(self, one: Number, other: Number) -> Number: ...
    def no(self, mask: Number) -> Number: ...
    def clamp(self, value: Number, low: Number, high: Number) -> Number: ...
    def least(self, value: Number, low: float) -> Number: ...
    def log(self, value: Number) -> Number: ...
    def sqrt(self, value: Number) -> Number: ...
    def finite(self, value: Number) -> Number: ...


class _Floats:
    @staticmethod
    def where(mask: Number, one: Number, other: Number) -> Number:
        return one if mask else other

    @staticmethod
    def both(one: Number, other: Number) -> Number:
        return one and other

    @staticmethod
    def either(one: Number, other: Number) -> Number:
        return one or other

    @staticmethod
    def no(mask: Number) -> Number:
        return not mask

    @staticmethod
    def clamp(value: Number, low: Number, high: Number) -> Number:
        return low if value < low else high if value > high else value

    @staticmethod
    def least(value: Number, low: float) -> Number:
        return low if value < low else value

    log = staticmethod(math.log)
    sqrt = staticmethod(math.sqrt)
    finite = staticmethod(math.isfinite)


class _Tensors:
    @staticmethod
    def where(mask: Tensor, one: Number, other: Number) -> Tensor:
        return torch.where(mask, one, other)

    @staticmethod
    def both(one: Tensor, other: Tensor) -> Tensor:
        return one & other

    @staticmethod
    def either(one: Tensor, other: Tensor) -> Tensor:
        return one | other

    @staticmethod
    def no(mask: Tensor) -> Tensor:
        return ~mask

    @staticmethod
    def clamp(value: Tensor, low: Number, high: Number) -> Tensor:
        return torch.clamp(value, low, high)

    @staticmethod
    def least(value: Tensor, low: float) -> Tensor:
        return torch.clamp(value, min=low)

    @staticmethod
    def log(value: Tensor) -> Tensor:
        return torch.log(value)

    @staticmethod
    def sqrt(value: Tensor) -> Tensor:
        return torch.sqrt(value)

    @staticmethod
    def finite(value: Tensor) -> Tensor:
        return torch.isfinite(value)


FLOATS: Arithmetic = _Floats()
TENSORS: Arithmetic = _Tensors()
