"""What a probe measured, as it stands in the record of a resolved block, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from autocal_cli.calibration.restored import restored
from autocal_cli.config.record import Value
from autocal_cli.probing.record import LossProbe, ProbeFingerprint, Unmeasured


def probe_entry(probe: ProbeFingerprint) -> dict[str, Value]:
    """Plain data; what was not measured is there only where there is any."""
    entry = asdict(probe)
    entry["losses"] = list(entry["losses"])
    entry["unmeasured"] = list(entry["unmeasured"])
    return entry if entry["unmeasured"] else {key: value for key, value in entry.items() if key != "unmeasured"}


def probe_from(entry: Mapping[str, Any]) -> ProbeFingerprint:
    """Raises TypeError, KeyError or the like for an entry that was never written so."""
    told = {
        **entry,
        "losses": tuple(restored(LossProbe, loss) for loss in entry["losses"]),
        "unmeasured": tuple(restored(Unmeasured, loss) for loss in entry.get("unmeasured", ())),
    }
    return restored(ProbeFingerprint, told)
