"""The law with a part taken away, for controller.py: a part is worth what the run loses without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch

from autocal_cli.runtime import controller

NEVER = 1e9
PARTS: Mapping[str, tuple[str, Mapping[str, float]]] = {  # what is gone, and the constants of the law that say so
    "raise": ("a weight that does nothing is not raised", {"CHEAP": -NEVER}),
    "return": ("a lowered weight does not come back towards 1", {"RETURN_SPEED": 0.0}),
    "separation": ("a blind discriminator lowers nothing", {"BLIND": -NEVER}),
    "budget": ("lost fidelity lowers nothing", {}),
    "awake": ("a fresh discriminator counts as one that has learned", {"WAKE_STEPS": 0, "WAKE_SHARE": 0.0}),
    "length": (
        "no speed is bounded by the length of the run",
        {"TENFOLD_DOWN": 0.0, "DOWN_STEPS": 1e-9, "TENFOLD_UP": 1e-9},
    ),
    "noise": ("averages remember as long as momentum says", {"LONGEST": 0.0, "LONGEST_STEPS": 0.0, "STEADY": 0.0}),
    "hardest": ("a fall far outside is no faster than one at the edge", {"HARDEST": 1.0}),
    "quick": ("a tenfold fall takes at least 100 steps in place of 30", {"DOWN_STEPS": 100.0}),
    "falling": ("falls also while the cost falls already; nothing comes back", {"SLOWER": 1.0}),
}


@contextmanager
def without(part: str, budget: float) -> Iterator[float]:
    """Takes a part of the law away; yields the fidelity budget in dB to run with.

    Without "budget" it is one that no cost reaches, and what else is measured in budgets stays where it was in dB.
    """
    gone = dict(PARTS[part][1])
    if part == "budget":
        gone = {name: getattr(controller, name) * budget / NEVER for name in ("CHEAP", "CALM", "NOISE")}
        budget = NEVER
    with patch.multiple(controller, **gone):
        yield budget
