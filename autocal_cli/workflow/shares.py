"""`--suggest-weights l1=0.6,gan=0.1`: shares of the pull, from the command line, and the weights that give them."""

from __future__ import annotations

from collections.abc import Mapping

from autocal_cli.calibration.schema import Field
from autocal_cli.calibration.suggested_weights import suggested_weights
from autocal_cli.errors import AutocalError
from autocal_cli.probing.record import ProbeFingerprint

# Of the pull on the network's output at the probe.
SHARE = Field("number", 0.0, 1.0, open_low=True)


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


def suggest(probe: ProbeFingerprint | None, shares: Mapping[str, float] | None) -> dict[str, float] | None:
    """Weights by label; None where none are asked for. Raises AutocalError where nothing was probed."""
    if shares is None:
        return None
    if probe is None or not probe.losses:
        raise AutocalError("--suggest-weights needs what a probe measures, and there is none.", fix="Add --probe 20.")
    return suggested_weights(probe.losses, shares)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
