"""The process in which a trainer's losses run: `python -m autocal_cli.probing.trainer_process FOLDER`.

FOLDER holds job.json (the trainer's `folder` and `package`, and the `losses` by label with type and arguments) and
batches.pt, pairs of the network's outputs and the targets. What each loss gave is written to FOLDER/result.json after
every loss, so that one that ends this process costs itself alone. Nothing is downloaded.
"""

from __future__ import annotations

import importlib
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from autocal_cli.network.trainer_import import bare_package, look_up, reason_of, registries_of
from autocal_cli.runtime.probe import gradient_norms

WEIGHTS = ("loss_weight", "perceptual_weight")  # taken out: some trainers multiply by it inside the loss


def main() -> None:
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text("utf-8"))
    batches = torch.load(folder / "batches.pt", weights_only=True)
    socket.socket.connect = _refuse  # type: ignore[method-assign]
    socket.getaddrinfo = _refuse
    unimported = _import_losses(Path(job["folder"]), job["package"])
    registries = registries_of(job["package"], ["LOSS_REGISTRY"])
    result: dict[str, Any] = {}
    for label, options in job["losses"].items():
        try:
            result[label] = _measured(registries, options, batches, unimported)
        except BaseException as error:
            result[label] = {"reason": reason_of(error)}
        (folder / "result.json").write_text(json.dumps(result), "utf-8")


def _refuse(*_: object, **__: object) -> NoReturn:
    raise OSError("it needs a download, and autocal downloads nothing")


def _import_losses(folder: Path, package: str) -> str | None:
    """Registers all losses: together as the trainer does it, else one by one. Returns why one failed, or None."""
    sys.path.insert(0, str(folder))
    try:
        importlib.import_module(f"{package}.losses")
        return None
    except BaseException as error:
        reason = reason_of(error)
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
    for part in ("", ".losses", ".archs"):
        bare_package(package + part, (folder / package).joinpath(part.strip(".")))
    for file in sorted((folder / package / "losses").glob("*_loss.py")):
        try:
            importlib.import_module(f"{package}.losses.{file.stem}")
        except BaseException as error:
            reason = reason_of(error)
    return reason


def _measured(
    registries: Sequence[Any],
    options: Mapping[str, Any],
    batches: Sequence[tuple[Tensor, Tensor]],
    unimported: str | None,
) -> dict[str, Any]:
    build = look_up(registries, options["type"])
    if build is None:
        return {"reason": f"the trainer has no {options['type']}" + (f" ({unimported})" if unimported else "")}
    arguments = {name: value for name, value in options.items() if name != "type"}
    arguments |= {name: 1.0 for name in WEIGHTS if name in arguments}
    loss = build(**arguments)
    values, gradients = [], []
    for output, target in batches:
        leaf = output.clone().requires_grad_()
        value = _total(loss(leaf, target))
        values.append(value.item())
        gradients.append(gradient_norms([value], leaf).item())
    return {"values": values, "gradients": gradients}


def _total(found: Any) -> Tensor:
    """The loss of one step: trainers add up what a loss returns as a tuple or by component; either may be None."""
    if isinstance(found, Mapping):
        found = tuple(found.values())
    if isinstance(found, tuple | list):
        return torch.stack([part.mean() for part in found if isinstance(part, Tensor)]).sum()
    value: Tensor = found.mean()
    return value


if __name__ == "__main__":
    main()
