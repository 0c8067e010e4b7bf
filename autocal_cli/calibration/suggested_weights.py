"""The weights that would give wanted shares of the pull. Pure; nothing is ever written into a config's losses.

    q_i = w_i G_i / sum_j w_j G_j        so        w_i = (q_i / q_r) (G_r / G_i) w_r

with r the loss whose weight stays: the first pixel loss, else the first that was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autocal_cli.errors import AutocalError
from autocal_cli.probing.record import LossProbe

DIGITS = 4  # significant ones of a suggested weight: shares are then right to a thousandth of themselves


def kept_loss(losses: Sequence[LossProbe]) -> LossProbe:
    """The loss whose weight stays as it is."""
    return next((loss for loss in losses if loss.kind == "pixel"), losses[0])


def suggested_weights(losses: Sequence[LossProbe], shares: Mapping[str, float]) -> dict[str, float]:
    """Weights by label with which the losses have these shares; those not named keep their proportions in the rest.

    Raises AutocalError for shares that no weights can give.
    """
    wanted = _all_shares(losses, shares)
    kept = kept_loss(losses)
    pull = kept.weight * kept.gradient / wanted[kept.label]
    weights = {loss.label: float(f"{pull * wanted[loss.label] / loss.gradient:.{DIGITS}g}") for loss in losses}
    return {**weights, kept.label: kept.weight}


def _all_shares(losses: Sequence[LossProbe], named: Mapping[str, float]) -> dict[str, float]:
    known = [loss.label for loss in losses]
    for loss in losses:
        if not loss.gradient > 0.0:
            raise AutocalError(f"{loss.label} does not pull at the output, so no weight gives it a share.")
    for label in named:
        if label not in known:
            raise AutocalError(f"No loss {label} was measured.", fix=f"Measured: {', '.join(known)}.")
    rest = 1.0 - sum(named.values())
    others = sum(loss.share for loss in losses if loss.label not in named)
    if len(named) == len(losses):
        if abs(rest) > 1e-6:
            message = f"The shares of all losses should add up to 1. Found {1.0 - rest:.4g}."
            raise AutocalError(message, fix="Leave one of them out, and it has the rest.")
        return dict(named)
    if rest <= 0.0:
        message = f"Shares should leave something to the losses not named: below 1 in all. Found {1.0 - rest:.4g}."
        raise AutocalError(message, fix="Name all losses, or smaller shares.")
    if others <= 0.0:
        raise AutocalError("The losses not named have no share to divide.", fix="Name all losses.")
    return {loss.label: named.get(loss.label, rest * loss.share / others) for loss in losses}
