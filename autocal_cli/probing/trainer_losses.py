"""Losses of a trainer's own checkout, measured in a process of their own: whatever they do costs that process alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autocal_cli.config.record import LossTerm
from autocal_cli.network.sources import Checkout
from autocal_cli.probing.measure import Series

LIMIT = 300.0  # seconds for all of them, the import of the trainer included; chosen: imports of 20 were seen


def trainer_series(
    checkout: Checkout, terms: Mapping[str, LossTerm], batches: Sequence[tuple[Tensor, Tensor]]
) -> dict[str, Series | str]:
    """By label the values and gradients of a loss over (output, target) batches, or why there are none."""
    losses = {label: dict(term.arguments) for label, term in terms.items()}
    job = {"folder": str(checkout.folder), "package": checkout.kind.package, "losses": losses}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        torch.save(list(batches), folder / "batches.pt")
        ended = _run(folder)
        result = folder / "result.json"
        found: dict[str, Any] = json.loads(result.read_text("utf-8")) if result.exists() else {}
    missing = {"reason": f"the process of the trainer's losses {ended}"}
    return {label: _series(found.get(label, missing)) for label in terms}


def _run(folder: Path) -> str:
    """Runs the process to its end; returns how it ended, in words."""
    package = Path(__file__).resolve().parents[2]
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(package))))
    command = [sys.executable, "-P", "-m", "autocal_cli.probing.trainer_process", str(folder)]
    try:
        ran = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"took more than {LIMIT:g} seconds"
    return f"ended (exit code {ran.returncode})"


def _series(entry: Mapping[str, Any]) -> Series | str:
    return str(entry["reason"]) if "reason" in entry else Series(entry["values"], entry["gradients"])
