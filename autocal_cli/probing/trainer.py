"""Losses of a trainer's own checkout, measured in a process of their own: whatever they do costs that process alone."""

from __future__ import annotations

import inspect
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from autocal_cli.config.model import LossTerm, NetworkOptions
from autocal_cli.network.measure import reason_of
from autocal_cli.network.sources import Checkout
from autocal_cli.network.subprocess.client import ForeignProcess, trainer_spec
from autocal_cli.network.subprocess.worker import Reply, Source, open_trainer, serve
from autocal_cli.probing.losses import gradient_norms
from autocal_cli.probing.model import Series, UnknownLossError

LIMIT = 300.0  # seconds for one of them; chosen


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
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "batches.pt")
        torch.save(list(batches), file)
        discriminator = {**judge.arguments, "type": judge.type} if judge else None
        spec = {"batches": str(file), "seed": seed, "discriminator": discriminator, **trainer_spec(checkout, scale)}
        process = ForeignProcess(spec, LIMIT, sys.maxsize, "autocal_cli.probing.trainer")
        try:
            order = sorted(terms, key=lambda label: terms[label].kind == "adversarial")  # those last
            return {label: _asked(process, terms[label]) for label in order}
        finally:
            process.close()


def _asked(process: ForeignProcess, term: LossTerm) -> Series | str:
    *_, last = process.measure(options=dict(term.arguments), judged=term.kind == "adversarial")
    return Series(last["values"], last["gradients"]) if last["event"] == "measured" else str(last["reason"])


# The process in which a trainer's losses run: `python -m autocal_cli.probing.trainer`. Nothing is downloaded.


WEIGHTS = ("loss_weight", "perceptual_weight")  # taken out: some trainers multiply by it inside the loss
NO_DOWNLOAD = "it needs weights that are not on this machine, and autocal downloads nothing"
AVERAGED = "output_ema"  # the argument of traiNNer-redux's LDL for what the moving average of the network puts out


@dataclass(slots=True)
class Losses(Source):
    """A trainer's losses, with what they are to measure."""

    spec: Mapping[str, Any] = field(default_factory=dict)
    batches: Sequence[tuple[Tensor, Tensor]] = ()


def open_losses(spec: Mapping[str, Any]) -> Losses:
    socket.socket.connect = _refuse  # type: ignore[method-assign]
    socket.getaddrinfo = _refuse
    source = open_trainer({**spec, "registries": ["LOSS_REGISTRY"]}, "losses", "_loss.py")
    batches = torch.load(spec["batches"], weights_only=True)
    return Losses(source.find, [], source.unimported, source.missing, spec=spec, batches=batches)


def measure_loss(source: Losses, job: Mapping[str, Any], reply: Reply) -> None:
    try:
        judge = _discriminator(source.spec) if job["judged"] else None
        values, gradients = _measured(source, job["options"], judge)
    except UnknownLossError as error:
        reply("failed", reason=str(error))
    except BaseException as error:
        reply("failed", reason=NO_DOWNLOAD if NO_DOWNLOAD in str(error) else reason_of(error))
    else:
        reply("measured", values=values, gradients=gradients)


def _discriminator(spec: Mapping[str, Any]) -> torch.nn.Module:
    """The trainer's own, with random weights by the seed. Raises whatever its constructor does."""
    options = dict(spec["discriminator"])
    type = options.pop("type")
    target = open_trainer(spec).find(type)
    if target is None:
        raise LookupError(f"the trainer has no discriminator {type}")
    torch.manual_seed(spec["seed"])
    built: torch.nn.Module = target.call(**options)
    return built.requires_grad_(False)


def _refuse(*_: object, **__: object) -> NoReturn:
    raise OSError(NO_DOWNLOAD)


def _measured(
    source: Losses, options: Mapping[str, Any], judge: torch.nn.Module | None
) -> tuple[list[float], list[float]]:
    known = source.find(options["type"])
    if known is None:
        failed = f" ({source.unimported[-1][1]})" if source.unimported else ""
        raise UnknownLossError(f"the trainer has no {options['type']}{failed}")
    arguments = {name: value for name, value in options.items() if name != "type"}
    arguments |= {name: 1.0 for name in WEIGHTS if name in arguments}
    torch.manual_seed(source.spec["seed"])  # some draw at random, and neosr seeds by the clock
    loss = known.call(**arguments)
    averaged = AVERAGED in inspect.signature(getattr(loss, "forward", loss)).parameters
    values, gradients = [], []
    for output, target in source.batches:
        leaf = output.clone().requires_grad_()
        if judge is not None:
            value = _total(loss(judge(leaf), True, is_disc=False))
        elif averaged:
            value = _total(loss(leaf, leaf.detach(), target))
        else:
            value = _total(loss(leaf, target))
        values.append(value.item())
        gradients.append(gradient_norms([value], leaf).item())
    return values, gradients


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
    serve(open_losses, measure_loss)
