"""The scheduler within an unmodified trainer: attached once its model is built, saved, resumed and logged with it.

Only one name of the trainer is replaced, `build_model` of its package `models`; everything else is set on the model
that it returns. What is relied on is written down in `TrainerShape`, and missed with one clear line.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from autocal_cli.errors import AutocalError
from autocal_cli.runtime.attach import Attachment, attach
from autocal_cli.runtime.scheduler import logged
from autocal_cli.runtime.watch import EVENTS_KEPT, Event

UNSCHEDULED = "`autocal run --allow-unscheduled SCRIPT ...` trains without the scheduler."  # the fix for another shape
METHODS = ("optimize_parameters", "save_training_state", "resume_training", "get_current_log")
STATE_SUFFIX = ".autocal"  # beside `<iteration>.state`; the trainers read every file that ends in `.state`
EVENTS_FILE = "events.autocal.jsonl"  # in the experiment's folder; `autocal diagnose` reads it


@dataclass(frozen=True, slots=True)
class TrainerShape:
    """A trainer: its package, which also names its logger, and where a model of it keeps the generator's losses."""

    name: str
    package: str
    losses: Callable[[Any], Mapping[str, Any]]


def _criteria(model: Any) -> dict[str, Any]:
    """BasicSR: `cri_pix`, `cri_perceptual`, `cri_gan`, ... are attributes of the model."""
    found = {name.removeprefix("cri_"): value for name, value in vars(model).items() if name.startswith("cri_")}
    return {f"l_g_{name}": loss for name, loss in found.items() if isinstance(loss, nn.Module)}


TRAINERS = (
    TrainerShape("traiNNer-redux", "traiNNer", lambda model: getattr(model, "losses", {})),
    TrainerShape("BasicSR", "basicsr", _criteria),
)


def schedule_models(
    shape: TrainerShape,
    block: Mapping[str, Any],
    total_iter: int | None,
    on_built: Callable[[Any, str | None], None],
) -> None:
    """Has the scheduler attached to every model that the trainer builds from now on.

    Args:
        shape: the trainer, whose package can be imported.
        block: a `dynamic_loss_scheduling` block.
        total_iter: length of the run in optimiser steps.
        on_built: called with each model, and with the reason where it cannot be scheduled.

    Raises AutocalError where the trainer is not of that shape.
    """
    try:
        models: Any = importlib.import_module(f"{shape.package}.models")
    except ImportError as error:
        message = f"{shape.name} cannot be imported: {error}."
        raise AutocalError(message, fix="Start it without autocal to see what it lacks.") from None
    build = getattr(models, "build_model", None)
    if not callable(build):
        message = f"{shape.package}.models has no build_model, so this {shape.name} is not of a shape known here."
        raise AutocalError(message, fix=UNSCHEDULED)

    def build_model(*args: Any, **options: Any) -> Any:
        model = build(*args, **options)
        reason = misfit(shape, model)
        if reason is None:
            ScheduledModel(model, shape, block, total_iter)
        on_built(model, reason)
        return model

    for name, module in list(sys.modules.items()):  # `from basicsr.models import build_model` may have been run already
        if name.partition(".")[0] == shape.package and getattr(module, "build_model", None) is build:
            module.build_model = build_model  # type: ignore[attr-defined]


def misfit(shape: TrainerShape, model: Any) -> str | None:
    """Why a model cannot be scheduled, or None."""
    kind = f"{shape.name}'s {type(model).__name__}"
    missing = next((name for name in METHODS if not callable(getattr(model, name, None))), None)
    if missing:
        return f"{kind} has no {missing}, so it is not of a shape known here."
    losses = shape.losses(model)
    return None if isinstance(losses, Mapping) and losses else f"{kind} has no losses where they are expected."


class ScheduledModel:
    """What stands around a trainer's model: each method is called in place of the model's own, with that one within."""

    def __init__(self, model: Any, shape: TrainerShape, block: Mapping[str, Any], total_iter: int | None) -> None:
        self.model = model
        self.log = logging.getLogger(shape.package)
        scale = option(model.opt, "scale")
        self.attachment: Attachment = attach(
            shape.losses(model),
            block,
            total_iter,
            network=getattr(model, "net_g", None),
            optimizer=getattr(model, "optimizer_g", None),
            grad_scaler=getattr(model, "scaler_g", None),
            scale=scale if isinstance(scale, int) else None,
        )
        for name in METHODS:
            setattr(model, name, partial(getattr(self, name), getattr(model, name)))
        self._listen()
        described = self.attachment.scheduler.losses.values()
        self.log.info("autocal: watching %s.", ", ".join(f"{loss.label} ({loss.kind})" for loss in described))

    def _listen(self) -> None:
        """What autocal logs goes to the trainer's logger, its events to a file too, on the first process."""
        own, folder = logging.getLogger("autocal"), option(self.model.opt, "path", "experiments_root")
        for handler in own.handlers[:]:
            if isinstance(handler, _Forwarding | _EventLines):  # of a model before this one
                own.removeHandler(handler)
        own.addHandler(_Forwarding(self.log))
        if folder and not _rank():
            own.addHandler(_EventLines(Path(folder).absolute() / EVENTS_FILE))

    def optimize_parameters(self, inner: Callable[..., Any], current_iter: int, *rest: Any, **named: Any) -> Any:
        """traiNNer-redux raises `current_iter` with the last of several accumulated passes: the others belong to it."""
        applies = named.get("apply_gradient", rest[1] if len(rest) > 1 else True)
        self.attachment.iteration = current_iter if applies else current_iter + 1
        return inner(current_iter, *rest, **named)

    def save_training_state(self, inner: Callable[..., Any], epoch: int, current_iter: int, *rest: Any) -> Any:
        """Ours first: once the trainer's own state is there, the checkpoint is complete. Every rank saves its own."""
        folder = option(self.model.opt, "path", "training_states")
        if folder and current_iter >= 0:
            path = Path(folder) / f"{current_iter}{_suffix()}"
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(path.name + ".part")
            torch.save(self.attachment.state_dict(), unfinished)
            unfinished.replace(path)
        return inner(epoch, current_iter, *rest)

    def resume_training(self, inner: Callable[..., Any], resume_state: Mapping[str, Any], *rest: Any) -> Any:
        result = inner(resume_state, *rest)
        folder, source = (option(self.model.opt, "path", key) for key in ("training_states", "resume_state"))
        state = Path(source) if source else Path(folder or ".") / f"{resume_state['iter']}.state"
        beside = (state.with_suffix(suffix) for suffix in (_suffix(), STATE_SUFFIX))
        path = next((path for path in beside if path.exists()), None)
        done = f"the scheduler starts anew: {state} has no state of it beside it"
        if path:
            try:
                self.attachment.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
                done = f"the scheduler goes on from {path}"
            except Exception as error:  # a damaged file raises anything
                said = f"{type(error).__name__}: {error}".splitlines()[0]
                done = f"the scheduler starts anew: {path} cannot be read ({said})"
        logging.getLogger("autocal").warning("autocal: %s", Event(resume_state["iter"], "*", "resumed", done))
        return result

    def get_current_log(self, inner: Callable[..., Any], *args: Any) -> dict[str, Any]:
        """The trainer's log, whose values stay what they were, with multiplier, cost and separation."""
        return {**inner(*args), **logged(self.attachment.scheduler)}


class _Forwarding(logging.Handler):
    """Hands the scheduler's notices to the trainer's logger."""

    def __init__(self, to: logging.Logger) -> None:
        super().__init__()
        self._to = to

    def emit(self, record: logging.LogRecord) -> None:
        self._to.handle(record)


class _EventLines(logging.Handler):
    """Appends each event as a line of JSON to a file; what cannot be written yet waits for the next event."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._waiting: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        event = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if not isinstance(event, Event):
            return
        self._waiting.append(json.dumps(asdict(event)) + "\n")
        try:
            with self._path.open("ab+") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(end - 1, 0))
                if file.read() not in (b"", b"\n"):  # a process was killed, or the disk was full, in a line
                    file.write(b"\n")
                file.write("".join(self._waiting).encode("utf-8"))
            self._waiting.clear()
        except OSError:
            del self._waiting[:-EVENTS_KEPT]  # the folder is not there, or the disk is full


def option(options: Any, *keys: str) -> Any:
    """A value of a trainer's options, which are dicts or structs."""
    for key in keys:
        options = options.get(key) if isinstance(options, Mapping) else getattr(options, key, None)
    return options


def _rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def _suffix() -> str:
    return f".rank{_rank()}{STATE_SUFFIX}" if _rank() else STATE_SUFFIX
