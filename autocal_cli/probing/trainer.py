"""Losses of a trainer's own checkout, measured in a process of their own: whatever they do costs that process alone."""

from __future__ import annotations

import inspect
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from autocal_cli.config.model import LossTerm, NetworkOptions
from autocal_cli.network.measure import reason_of
from autocal_cli.network.sources import Checkout
from autocal_cli.network.subprocess.worker import (
    import_architectures,
    look_up,
    registries_of,
)
from autocal_cli.probing.losses import gradient_norms
from autocal_cli.probing.model import Series

LIMIT = 300.0  # seconds for all of them, the import of the trainer included; chosen: imports of 20 were seen


def trainer_series(
    checkout: Checkout,
    terms: Mapping[str, LossTerm],
    judge: NetworkOptions | None,
    scale: int,
    seed: int,
    batches: Sequence[tuple[Tensor, Tensor]],
) -> dict[str, Series | str]:
    """By label the values and gradients of the trainer's own loss over (output, target) batches, or why there are none.

    `judge` is the discriminator that its own code shall build for adversarial losses, with random weights by the seed.
    """
    job = {
        "folder": str(checkout.folder),
        "package": checkout.kind.package,
        "home": checkout.kind.home,
        "registries": list(checkout.kind.registries),
        "scale": scale if checkout.kind.scale_at_import else None,
        "seed": seed,
        "losses": {label: dict(term.arguments) for label, term in terms.items()},
        "judged": [label for label, term in terms.items() if term.kind == "adversarial"],
        "discriminator": {**judge.arguments, "type": judge.type} if judge else None,
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        torch.save(list(batches), folder / "batches.pt")
        ended = _run(folder)
        result = folder / "result.json"
        found: dict[str, Any] = json.loads(result.read_text("utf-8")) if result.exists() else {}
    missing = {"reason": f"the process of the trainer's losses {ended}"}
    entries = {label: found.get(label, missing) for label in terms}
    return {
        label: str(entry["reason"]) if "reason" in entry else Series(entry["values"], entry["gradients"])
        for label, entry in entries.items()
    }


def _run(folder: Path) -> str:
    """Runs the process to its end; returns how it ended, in words."""
    package = Path(__file__).resolve().parents[2]
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(package))))
    nowhere = subprocess.DEVNULL
    try:
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "autocal_cli.probing.trainer", str(folder)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=nowhere,
            stdout=nowhere,
            stderr=nowhere,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"took more than {LIMIT:g} seconds"
    return f"ended (exit code {ran.returncode})"


# The process in which a trainer's losses run: `python -m autocal_cli.probing.trainer FOLDER`.
#
# FOLDER holds job.json and batches.pt, pairs of the network's outputs and the targets. What each loss
# gave is written to FOLDER/result.json after every loss, so that one that ends this process costs itself alone. Nothing
# is downloaded.


WEIGHTS = ("loss_weight", "perceptual_weight")  # taken out: some trainers multiply by it inside the loss
NO_DOWNLOAD = "it needs weights that are not on this machine, and autocal downloads nothing"
AVERAGED = "output_ema"  # the argument of traiNNer-redux's LDL for what the moving average of the network puts out


def main() -> None:
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text("utf-8"))
    batches = torch.load(folder / "batches.pt", weights_only=True)
    socket.socket.connect = _refuse  # type: ignore[method-assign]
    socket.getaddrinfo = _refuse
    if job["scale"]:  # neosr reads it from its command line; --input spares it the options file
        sys.argv = ["autocal", "--input", "none", "--scale", str(job["scale"])]
    failed, _ = import_architectures(Path(job["folder"]), job["package"], "losses", "_loss.py", job["home"])
    registries = registries_of(job["home"] or job["package"], ["LOSS_REGISTRY"])
    result: dict[str, Any] = {}
    for label, options in sorted(job["losses"].items(), key=lambda loss: loss[0] in job["judged"]):  # those last
        try:
            judge = _discriminator(job) if label in job["judged"] else None
            result[label] = _measured(registries, options, batches, judge, failed)
        except BaseException as error:
            result[label] = {"reason": NO_DOWNLOAD if NO_DOWNLOAD in str(error) else reason_of(error)}
        (folder / "result.json").write_text(json.dumps(result), "utf-8")


def _discriminator(job: Mapping[str, Any]) -> torch.nn.Module:
    """The trainer's own, with random weights by the seed. Raises whatever its constructor does."""
    options = dict(job["discriminator"])
    import_architectures(Path(job["folder"]), job["package"], home=job["home"])
    type = options.pop("type")
    build = look_up(registries_of(job["home"] or job["package"], job["registries"]), type)
    if build is None:
        raise LookupError(f"the trainer has no discriminator {type}")
    torch.manual_seed(job["seed"])
    built: torch.nn.Module = build(**options)
    return built.requires_grad_(False)


def _refuse(*_: object, **__: object) -> NoReturn:
    raise OSError(NO_DOWNLOAD)


def _measured(
    registries: Sequence[Any],
    options: Mapping[str, Any],
    batches: Sequence[tuple[Tensor, Tensor]],
    judge: torch.nn.Module | None,
    failed: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    build = look_up(registries, options["type"])
    if build is None:
        return {"reason": f"the trainer has no {options['type']}" + (f" ({failed[-1][1]})" if failed else "")}
    arguments = {name: value for name, value in options.items() if name != "type"}
    arguments |= {name: 1.0 for name in WEIGHTS if name in arguments}
    loss = build(**arguments)
    averaged = AVERAGED in inspect.signature(getattr(loss, "forward", loss)).parameters
    values, gradients = [], []
    for output, target in batches:
        leaf = output.clone().requires_grad_()
        if judge is not None:
            value = _total(loss(judge(leaf), True, is_disc=False))
        elif averaged:
            value = _total(loss(leaf, leaf.detach(), target))
        else:
            value = _total(loss(leaf, target))
        values.append(value.item())
        gradients.append(gradient_norms([value], leaf).item())
    return {"values": values, "gradients": gradients}


def _total(found: Any) -> Tensor:
    """The loss of one step: trainers add up what a loss returns as a tuple or by component; either may be None.

    Of components traiNNer-redux counts those above 0.
    """
    if isinstance(found, Mapping):
        found = [part for part in found.values() if part is not None and bool((part > 0).all())]
    if isinstance(found, tuple | list):
        return torch.stack([part.mean() for part in found if isinstance(part, Tensor)]).sum()
    value: Tensor = found.mean()
    return value


if __name__ == "__main__":
    main()
