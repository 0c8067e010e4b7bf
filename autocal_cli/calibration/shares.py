"""The mappings of a block that are the scheduler's alone: ceilings by kind of loss, shares and kinds by loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autocal_cli.calibration.schema import SHARE
from autocal_cli.config.record import SchedulingBlock
from autocal_cli.errors import AutocalError

SHARE_KEYS = ("ceilings", "gradient_shares")


def read_shares(block: SchedulingBlock, key: str) -> dict[str, float]:
    """Shares of the pull, above 0 and at most 1. Raises AutocalError, with the place, for any other."""
    shares = by_loss(block, key)
    for name, share in shares.items():
        if not SHARE.accepts(share):
            message = f"`{key}.{name}` should be a share above 0 and at most 1. Found {share!r}."
            raise AutocalError(message, place=block.place_of((key, name)))
    if key == "gradient_shares" and sum(shares.values()) > 1.0 + 1e-9:
        message = f"`gradient_shares` should add up to at most 1. They add up to {sum(shares.values()):g}."
        raise AutocalError(message, place=block.place_of((key,)))
    return {name: float(share) for name, share in shares.items()}


def by_loss(block: SchedulingBlock, key: str) -> dict[str, Any]:
    """A mapping by loss or kind of loss; empty where it is absent or null. Raises AutocalError where it is none."""
    given = block.values.get(key)
    if given is not None and not isinstance(given, Mapping):
        raise AutocalError(f"`{key}` should be a mapping by loss.", place=block.place_of((key,)))
    return {str(name): value for name, value in (given or {}).items()}
