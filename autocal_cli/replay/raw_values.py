"""Logged values -> raw values: the weights divided out. Pure."""

from __future__ import annotations

from autocal_cli.replay.record import MULTIPLIER_PREFIX, OWN_PREFIX, LoggedLoss, LoggedPoint


def raw_value(point: LoggedPoint, loss: LoggedLoss) -> float | None:
    """The raw value of a loss at a point, None where it was not logged.

    The trainers log w_i L_i; under a scheduler that logs its multiplier m_i, w_i m_i L_i. Of means over several
    steps the quotient is the mean of L_i only as far as m_i stood still between two points.
    """
    logged = point.values.get(loss.logged)
    if logged is None:
        return None
    own = point.values.get(f"{OWN_PREFIX}{loss.name}", 1.0)
    multiplier = point.values.get(f"{MULTIPLIER_PREFIX}{loss.label}", own)
    return logged / (loss.weight * (multiplier if multiplier > 0.0 else 1.0))
