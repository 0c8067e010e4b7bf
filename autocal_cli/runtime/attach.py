"""attach: the scheduler through forward hooks on the loss modules, for a trainer that nobody wants to edit.

A hook sees one loss at a time, before the others of the step are known. So the multipliers of a step follow from the
steps before it, and a probe acts one step later than when the scheduler is called with all losses at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from autocal_cli.errors import AutocalError
from autocal_cli.runtime.components import components, scaled
from autocal_cli.runtime.losses import JUDGES_OF_OUTPUT, describe_loss, first_image, unwrapped
from autocal_cli.runtime.probe import can_probe, gradient_norms
from autocal_cli.runtime.scheduler import DynamicLossScheduler


def attach(
    losses: Mapping[str, Any],
    block: Mapping[str, Any],
    total_iter: int | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    *,
    grad_scaler: Any = None,
    weight_inside: bool | None = None,
    engine: Literal["auto", "host", "device"] = "auto",
) -> Attachment:
    """Scales what the losses return by the scheduler's multipliers, until `detach()`.

    Args:
        losses: the generator's loss modules by label. A plain function is exchanged in the mapping for one that is
            scaled, so the mapping must be mutable then.
        block: a `dynamic_loss_scheduling` block. One that says `enabled: false` attaches nothing.
        total_iter: length of the run in optimiser steps.
        optimizer: the generator's; its steps are counted. Without it set `Attachment.iteration` at every step, or let
            every further call of a loss count as a step.
        grad_scaler: to have back-offs of the loss scale watched.
        weight_inside: whether the losses multiply by their `loss_weight` themselves, as those of BasicSR and neosr do;
            else the trainer multiplies what they return. None: those whose `forward` reads it do.
        engine: see DynamicLossScheduler.

    Calls for the discriminator (`is_disc=True`), without gradients, and of a loss within another one are left alone.
    Raises AutocalError for a block or weight that is unusable, and for a function in a mapping that cannot change.
    """
    described = {label: _described(label, loss, weight_inside) for label, loss in losses.items()}
    scheduler = DynamicLossScheduler.from_config(block, described, total_iter, engine=engine)
    scheduler.grad_scaler = grad_scaler
    return Attachment(losses, scheduler, optimizer)


class Attachment:
    """A scheduler that is attached to losses. `scheduler` has the multipliers, statistics and events."""

    def __init__(
        self,
        losses: Mapping[str, Any],
        scheduler: DynamicLossScheduler,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> None:
        self.scheduler = scheduler
        self._iteration = 1
        self._counts_calls = optimizer is None
        self._begun: int | None = None  # the step that the scheduler is in
        self._round: dict[str, Tensor] = {}  # values of this forward pass, without their graphs
        self._probing = False
        self._norms: dict[str, Tensor] = {}  # gradient norms of this step
        self._output: Tensor | None = None
        self._waiting: dict[str, Tensor] = {}  # losses of this step that came before the output was known
        self._within = 0  # attached losses in whose forward we are, so that a loss within a loss is scaled once
        self._undo: list[Callable[[], None]] = []
        if scheduler.settings.enabled:
            self._hook_all(losses)
        if optimizer is not None:
            self._undo.append(optimizer.register_step_post_hook(self._optimizer_stepped).remove)

    @property
    def iteration(self) -> int:
        """The number of the current step, from 1. Setting it says that steps are told, not counted."""
        return self._iteration

    @iteration.setter
    def iteration(self, number: int) -> None:
        self._iteration = number
        self._counts_calls = False

    def detach(self) -> None:
        """Takes the hooks away and puts functions back: the losses are as they were. Detaching twice does nothing."""
        while self._undo:
            self._undo.pop()()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, taken between two steps."""
        self._end_round()
        return {
            "scheduler": self.scheduler.state_dict(),
            "iteration": self._iteration,
            "begun": self._begun,
            "probing": self._probing,
            "norms": dict(self._norms),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up a saved state. Raises ValueError for a state of another version."""
        self.scheduler.load_state_dict(state["scheduler"])
        self._iteration, self._begun, self._probing = state["iteration"], state["begun"], state["probing"]
        self._norms = dict(state["norms"])
        self._round, self._waiting, self._output = {}, {}, None

    # -- hooks ----------------------------------------------------------------------------------------------------

    def _hook_all(self, losses: Mapping[str, Any]) -> None:
        modules = {loss: label for label, loss in reversed(list(losses.items())) if isinstance(loss, nn.Module)}
        for loss, label in modules.items():  # under two labels: scaled once, by the first
            if any(inner in modules for inner in loss.modules() if inner is not loss):
                self._mark(loss)
            self._hook(label, loss)
        for label, loss in list(losses.items()):
            if callable(loss) and not isinstance(loss, nn.Module):
                self._exchange(label, loss, losses)

    def _mark(self, outer: nn.Module) -> None:
        """Counts in and out of a loss that has another attached one within it."""

        def enter(*_: Any) -> None:
            self._within += 1

        def leave(*_: Any) -> None:
            self._within -= 1

        self._undo.append(outer.register_forward_pre_hook(enter).remove)
        self._undo.append(outer.register_forward_hook(leave, always_call=True).remove)

    def _hook(self, label: str, loss: nn.Module) -> None:
        is_disc = _asks_for_discriminator(unwrapped(loss).forward)

        def scale(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
            return output if self._within or is_disc(args, kwargs) else self._scaled(label, args, output)

        self._undo.append(loss.register_forward_hook(scale, with_kwargs=True).remove)

    def _exchange(self, label: str, loss: Callable[..., Any], losses: Mapping[str, Any]) -> None:
        if not isinstance(losses, MutableMapping):
            message = f"The loss {label} is a function, and a function has no hooks."
            raise AutocalError(message, fix="Give the losses as a dict, or make it an nn.Module.")
        is_disc = _asks_for_discriminator(loss)

        def scaled_loss(*args: Any, **kwargs: Any) -> Any:
            self._within += 1
            try:
                output = loss(*args, **kwargs)
            finally:
                self._within -= 1
            return output if self._within or is_disc(args, kwargs) else self._scaled(label, args, output)

        for name, value in vars(loss).items() if hasattr(loss, "__dict__") else ():
            setattr(scaled_loss, name, value)  # trainers read `loss_weight` from it
        losses[label] = scaled_loss
        self._undo.append(lambda: losses.__setitem__(label, loss))

    # -- one loss of one step -------------------------------------------------------------------------------------

    def _scaled(self, label: str, args: tuple[Any, ...], value: Any) -> Any:
        """What the trainer gets for a loss. Nothing is done where there is no gradient, as in validation."""
        named = dict(components(label, value))
        if not torch.is_grad_enabled() or not any(part.requires_grad for part in named.values()):
            return value
        if self._round.keys() & named.keys():
            self._end_round()
            self._iteration += int(self._counts_calls)
        if self._begun != self._iteration:
            self._begin(named)
        self.scheduler.meet(named)
        if self._probing:
            self._probe(label, args, named)
        self._round.update((name, part.detach()) for name, part in named.items())
        return scaled(label, value, {name: self.scheduler.multiplier(name) for name in named})

    def _begin(self, named: Mapping[str, Tensor]) -> None:
        """Begins a step: what was seen in the one before makes its multipliers."""
        self._end_round()
        self.scheduler.meet(named)
        probing = self.scheduler.probes_next()
        self.scheduler.begin(self._iteration, self._probing, self._norms or None)
        self._begun, self._probing, self._norms = self._iteration, probing, {}

    def _end_round(self) -> None:
        """A forward pass is over: its graph, of which the output and what waits are part, is spent."""
        if self._round:
            self.scheduler.add(self._round)
        if self._waiting:
            self.scheduler.say_unprobed()
        self._round, self._waiting, self._output = {}, {}, None

    def _probe(self, label: str, args: tuple[Any, ...], named: Mapping[str, Tensor]) -> None:
        """Measures gradients in the first forward pass of a step, as soon as the network's output is known."""
        self._waiting |= {name: part for name, part in named.items() if name not in self._norms}
        if self._output is None:
            self._output = self._network_output(label, args)
        values = list(self._waiting.values())
        if self._output is not None and can_probe(values, self._output):
            self._norms |= zip(self._waiting, gradient_norms(values, self._output), strict=True)
            self._waiting = {}

    def _network_output(self, label: str, args: tuple[Any, ...]) -> Tensor | None:
        return first_image(args) if self.scheduler.kind_of(label) in JUDGES_OF_OUTPUT else None

    def _optimizer_stepped(self, *_: Any) -> None:
        self._iteration += 1


def _described(label: str, loss: Any, weight_inside: bool | None) -> dict[str, Any]:
    """Type and weight of a loss; a weight that the loss applies itself is part of its value, and so 1 here."""
    inner = unwrapped(loss)
    if weight_inside is None:
        weight_inside = "loss_weight" in _names_read(getattr(inner, "forward", inner))
    name = getattr(inner, "__name__", None) or type(inner).__name__
    return {"type": name, "loss_weight": 1.0 if weight_inside else describe_loss(label, loss).weight}


def _names_read(function: Any) -> tuple[str, ...]:
    """The attributes that a Python function reads, without running it."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_names if code else ()


def _asks_for_discriminator(forward: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], bool]:
    """Tells from the arguments of a call whether it is for the discriminator: the parameter `is_disc`."""
    try:
        parameters = list(inspect.signature(forward).parameters)
    except (TypeError, ValueError):
        parameters = []
    place = parameters.index("is_disc") if "is_disc" in parameters else None

    def asks(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        return bool(kwargs.get("is_disc", args[place] if place is not None and len(args) > place else False))

    return asks
