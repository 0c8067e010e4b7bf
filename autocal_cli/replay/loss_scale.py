"""The logged loss scale of GradScaler, as something that the scheduler can watch in GradScaler's place."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_ROUNDING = 1e-3  # of log2: the text logs have five digits


class LoggedScale:
    """Follows the logged scale by powers of two, at most one down a step.

    GradScaler halves its scale at a back-off and doubles it in quiet times. A logged mean lies between the two
    powers, and rounds up: a scale that fell within the interval shows at the next point. Of what went down and up
    again between two points nothing is left.
    """

    def __init__(self) -> None:
        self._scale: Tensor | None = None  # what the scheduler reads; the power serves, since it only compares
        self._power: int | None = None
        self._goal = 0

    def hear(self, logged: float | None) -> None:
        """Takes in the scale at a logged point."""
        if logged is None or not (math.isfinite(logged) and logged > 0.0):
            return
        self._goal = math.ceil(math.log2(logged) - _ROUNDING)
        if self._power is None:
            self._power = self._goal

    def step(self) -> None:
        """One step of training: down by at most one power, up at once."""
        if self._power is not None:
            self._power = max(self._goal, self._power - 1)
            self._scale = torch.tensor(float(self._power))
