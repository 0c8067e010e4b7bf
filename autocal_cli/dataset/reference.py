"""Raw metrics -> scores: the percentile of a value among a fixed reference of natural photographs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autocal_cli.dataset.metric_numbers import METRIC_VERSION
from autocal_cli.dataset.record import METRIC_NAMES
from autocal_cli.errors import AutocalError, Place
from autocal_cli.packaged import preset_text

TABLE = "reference_quantiles.toml"
QUANTILES = 101  # minimum, 1%, ..., 99%, maximum

Table = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reference:
    """The quantiles of each metric over the reference photographs: float64 (3, 101), rows in order of METRIC_NAMES."""

    quantiles: Table

    def score(self, raw: Table) -> Table:
        """Raw values (N, 3) -> scores (N, 3) in 0..1; 0.5 is an ordinary photograph."""
        columns = [percentile(raw[:, i], self.quantiles[i]) for i in range(len(METRIC_NAMES))]
        return np.stack(columns, axis=1)


def percentile(values: Table, quantiles: Table) -> Table:
    """Where values (N,) stand among ascending quantiles (Q,): 0..1, linear between, in the middle of equal ones."""
    first = np.searchsorted(quantiles, values, side="left")
    after = np.searchsorted(quantiles, values, side="right")
    upper = first.clip(1, len(quantiles) - 1)
    below, above = quantiles[upper - 1], quantiles[upper]
    gap = np.where(above > below, above - below, 1.0)
    between = np.where(first == len(quantiles), upper, upper - 1 + ((values - below) / gap).clip(0.0, 1.0))
    rank = np.where(after > first, (first + after - 1) / 2, between)
    return np.asarray(rank / (len(quantiles) - 1), dtype=np.float64)


def load_reference() -> Reference:
    """The reference that comes with autocal. Raises AutocalError when its file does not fit this version's metrics."""
    return parse_reference(preset_text(TABLE))


def parse_reference(text: str) -> Reference:
    """The reference in a TOML text. Raises AutocalError saying what is wrong with it."""
    try:
        table = tomllib.loads(text)
        _require(table["metric_version"] == METRIC_VERSION, f"metric_version should be {METRIC_VERSION}")
        return Reference(np.stack([_row(table["quantiles"], name) for name in METRIC_NAMES]))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise AutocalError(f"not a table of reference quantiles: {error}.", place=Place(TABLE)) from error


def _row(quantiles: Mapping[str, Any], name: str) -> Table:
    row = np.asarray(quantiles[name], dtype=np.float64)
    _require(row.shape == (QUANTILES,), f"{name} should have {QUANTILES} quantiles")
    _require(bool(np.isfinite(row).all() and (np.diff(row) >= 0).all()), f"{name} should be finite and ascending")
    return row


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
