"""`--suggest-weights l1=0.6,gan=0.1`: shares of the pull by the label of a loss, from the command line."""

from __future__ import annotations

from autocal_cli.calibration.schema import SHARE
from autocal_cli.errors import AutocalError


def parse_shares(text: str) -> dict[str, float]:
    """Raises AutocalError for what is no such list, or no share above 0 and up to 1.

    >>> parse_shares("l1=0.6, gan=0.1")
    {'l1': 0.6, 'gan': 0.1}
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        label, equals, number = (piece.strip() for piece in part.partition("="))
        share = _number(number)
        if not (label and equals and share is not None and SHARE.accepts(share)) or label in shares:
            message = f"--suggest-weights {text}: expected each loss once with its share, {SHARE.told}."
            raise AutocalError(message, fix="For example: --suggest-weights l1=0.6,gan=0.1")
        shares[label] = share
    return shares


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
