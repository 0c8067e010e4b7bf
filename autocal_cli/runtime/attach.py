"""attach: the scheduler through hooks on the losses and the network, for a trainer that nobody wants to edit.

A loss's call brings what the law listens to: one that compares images brings output and target, an adversarial one
called for the discriminator brings its logits, and the network's call brings the input. What losses return stays as it
is, logs included: the multiplier acts on the gradient of an adversarial loss, and on nothing while it is 1. In the call
shape of traiNNer-redux's fork, which multiplies itself, the same hooks only listen.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from autocal_cli.errors import AutocalError
from autocal_cli.runtime.losses import COMPARE_IMAGES, mapped, parts, tensors_in, untraced, unwrapped
from autocal_cli.runtime.scheduler import ANEW, DynamicLossScheduler, unwrapped_optimizer
from autocal_cli.runtime.signals import maps, separation_of_calls

MARK = "_autocal_attached"
MOST_WAITING = 8  # logits of real images, of as many scales
PASSES_WITHOUT_STEP = 200  # forward passes after which an optimiser that never stepped is the wrong one


def attach(
    losses: Mapping[str, Any],
    block: Mapping[str, Any],
    total_iter: int | None = None,
    network: nn.Module | None = None,
    optimizer: Any = None,
    *,
    grad_scaler: Any = None,
    scale: int | None = None,
) -> Attachment:
    """Has the adversarial losses scaled and everything watched, until `detach()`.

    Args:
        losses: the generator's losses by label, each an nn.Module.
        block: a `dynamic_loss_scheduling` block. One that says `enabled: false` attaches nothing.
        total_iter: length of the run in optimiser steps.
        network: the generator; its calls bring the input, and its output tells the generator's losses from the
            discriminator's where those do not say `is_disc`.
        optimizer: the generator's. Its steps are counted, and skipped where a loss is not finite. Without it set
            `Attachment.iteration` at every step, or let every further call of a loss count as a step.
        grad_scaler, scale: see DynamicLossScheduler.

    Raises AutocalError for a block or weight that is unusable, for losses that are attached already, for an adversarial
    loss of which nothing would say for whom it is called, and for a function, which has no hooks.
    """
    scheduler = DynamicLossScheduler.from_config(
        block, losses, total_iter, optimizer=optimizer, grad_scaler=grad_scaler, scale=scale
    )
    return Attachment(losses, scheduler, network, optimizer)


def create_dynamic_loss_scheduler(losses: Mapping[str, Any], config: Mapping[str, Any]) -> ForkScheduler | None:
    """A scheduler for `scheduler(raw_losses, current_iter) -> {label: multiplier}`; None where `enabled` is false.

    Swapping the fork's import for this one suffices: images and logits are caught on their way into the losses.

    Args:
        losses: the generator's loss modules by label, with `loss_weight`; the trainer multiplies by it.
        config: the `dynamic_loss_scheduling` block; `training_config.total_iterations` is the length of the run.

    Raises AutocalError for values that cannot be used, as `attach` does.
    """
    if config.get("enabled") is False:
        return None
    scheduler = ForkScheduler.from_config(config, losses)
    scheduler.attachment = Attachment(losses, scheduler, None, None, scales=False)
    return scheduler


def damaged() -> AutocalError:
    return AutocalError("The scheduler's state is damaged.", fix=ANEW)


class ForkScheduler(DynamicLossScheduler):
    """One multiplier a label, for the fork's call site, once a forward pass."""

    attachment: Attachment | None = None  # a copy has none
    _next = 1  # the step that the next pass belongs to

    def __call__(self, raw_losses: Mapping[str, Any], current_iter: int) -> dict[str, float]:
        """The multipliers of this pass. The losses were met already, as part of the step that the last call named."""
        self._follow(current_iter + 1)
        return {label: self.multiplier(label) for label in raw_losses}

    def _follow(self, step: int) -> None:
        self._next = step
        if self.attachment is not None:
            self.attachment.iteration = step

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "next": self._next}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        try:
            following = int(state["next"])
        except (KeyError, TypeError, ValueError):
            raise damaged() from None
        super().load_state_dict(state)
        self._follow(following)

    def get_monitoring_stats(self) -> dict[str, Any]:
        """As the scheduler's, with the keys that the fork reads."""
        stats = super().get_monitoring_stats()
        return {"enabled": True, "current_weights": stats["multipliers"], **stats}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "attachment": None}


class Hook:
    """A hook that copies and pickles of its module leave behind: those are watched by nobody."""

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        self.function = function

    @untraced
    def __call__(self, *args: Any) -> Any:
        return self.function(*args) if self.function is not None else None

    def __reduce__(self) -> tuple[type[Hook], tuple[()]]:
        return Hook, ()


class ScaledGradient(torch.autograd.Function):
    """The identity, whose gradient is multiplied by a number."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, multiplier: float) -> Tensor:
        ctx.multiplier = multiplier
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.multiplier, None


class Attachment:
    """A scheduler that is attached to losses. `scheduler` has the multipliers, statistics and events."""

    def __init__(
        self,
        losses: Mapping[str, Any],
        scheduler: DynamicLossScheduler,
        network: nn.Module | None,
        optimizer: Any,
        *,
        scales: bool = True,
    ) -> None:
        self.scheduler = scheduler
        self._scales = scales and scheduler.settings.mode == "act"
        self._iteration = 1
        self._counts = "calls" if optimizer is None else "steps"  # what the iteration counts; or it is "told"
        self._passes: int | None = 0  # without a step of the optimiser; None once it has stepped
        self._called: set[str] = set()  # losses of this pass
        self._images_seen = False  # in this pass
        self._optimizer: Any = None if optimizer is None else unwrapped_optimizer(optimizer)
        self._scaled_steps: Mapping[int, Any] = {}  # a GradScaler's record of this step, by optimiser
        self._depth = 0  # attached losses in whose forward we are: a loss within a loss is part of it
        self._input: Tensor | None = None
        self._real: list[Any] = []  # logits of real images that wait for those of generated ones
        self._undo: list[Callable[[], None]] = []
        if not scheduler.settings.enabled:
            return
        self._check(losses, network)
        for label, loss in losses.items():
            self._hook(label, loss)
        if network is not None:
            hook = network.register_forward_hook(Hook(self._network_called), with_kwargs=True)
            self._undo.append(hook.remove)
        if self._optimizer is not None:
            self._undo.append(self._optimizer.register_step_post_hook(self._stepped).remove)

    @property
    def iteration(self) -> int:
        """The number of the current step, from 1. Setting it says that steps are told, not counted."""
        return self._iteration

    @iteration.setter
    def iteration(self, number: int) -> None:
        self._iteration, self._counts = number, "told"

    def detach(self) -> None:
        """Takes the hooks away and puts functions back: the losses are as they were. Detaching twice does nothing."""
        while self._undo:
            self._undo.pop()()
        self.scheduler.unfollow()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, taken between two steps."""
        self._end_skipped_step()
        return {
            "scheduler": self.scheduler.state_dict(),
            "iteration": self._iteration,
            "called": sorted(self._called) if self._counts == "calls" else [],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up a saved state. Raises AutocalError for one that is damaged or of another version."""
        try:
            scheduler, iteration, called = state["scheduler"], int(state["iteration"]), set(state["called"])
        except (KeyError, TypeError, ValueError):
            raise damaged() from None
        self.scheduler.load_state_dict(scheduler)
        self._iteration, self._called = iteration, called

    def _check(self, losses: Mapping[str, Any], network: nn.Module | None) -> None:
        for label, loss in losses.items():
            if getattr(loss, MARK, None) == id(loss):  # a copy has the mark of another
                message = f"The loss {label} is attached to a scheduler already, and would be scaled twice."
                raise AutocalError(message, fix="detach() the first one.")
            if not isinstance(loss, nn.Module):
                message = f"The loss {label} should be an nn.Module, which has hooks. Found {type(loss).__name__}."
                raise AutocalError(message, fix="Make it a module, or call the scheduler yourself.")
            if self.scheduler.losses[label].adversarial and network is None and "is_disc" not in _parameters(loss):
                message = f"The loss {label} has no parameter `is_disc`, so nothing says for whom it is called."
                raise AutocalError(message, fix="Give `network=`, the network that is trained.")

    def _hook(self, label: str, loss: nn.Module) -> None:
        names = _parameters(loss)

        def enter(*_: Any) -> None:
            self._depth += 1

        def leave(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> Any:
            self._depth -= 1
            if self._depth or value is None or not torch.is_grad_enabled():
                return None
            numbered = (str(number) for number in range(len(names), len(args)))
            given = {**dict(zip([*names, *numbered], args, strict=False)), **kwargs}
            return self._returned(label, given, value, says_for_whom="is_disc" in names)

        self._undo += [
            loss.register_forward_pre_hook(Hook(enter)).remove,
            loss.register_forward_hook(Hook(leave), with_kwargs=True, always_call=True).remove,
            lambda: loss.__dict__.pop(MARK, None),
        ]
        loss.__dict__[MARK] = id(loss)

    def _network_called(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if torch.is_grad_enabled():
            self._input = next((x for x in (*args, *kwargs.values()) if isinstance(x, Tensor) and x.dim() == 4), None)
            self.scheduler.know_outputs(tensors_in(output))

    def _returned(self, label: str, given: Mapping[str, Any], value: Any, *, says_for_whom: bool) -> Any:
        """What the trainer gets for a loss that was called with the arguments `given`."""
        again = torch._C._current_graph_task_id() != -1  # a checkpoint that is run again, within a backward pass
        tensors = list(parts(label, value))
        for_generator = True
        if label in self.scheduler.adversarial:
            leads = self.scheduler.leads_to_network(tensors) if "is_disc" not in given else not given["is_disc"]
            for_generator = says_for_whom if leads is None else leads
        if not for_generator:
            if not again:
                self._observe_logits(given)
            return value
        if not again and tensors:
            self._observe(label, given, tensors)
        multiplier = self.scheduler.multiplier(label)
        if multiplier == 1.0 or not self._scales:
            return value

        def scaled(part: Tensor) -> Any:
            return ScaledGradient.apply(part, multiplier) if part.requires_grad else part  # type: ignore[no-untyped-call]

        return mapped(scaled, value)

    def _observe(self, label: str, given: Mapping[str, Any], tensors: list[Tensor]) -> None:
        self._end_skipped_step()
        if label in self._called:
            self._end_pass(stepped=self._counts == "calls")
            self._count_pass()
        if not self._called:
            self._scaled_steps = getattr(self.scheduler.grad_scaler, "_per_optimizer_states", {})
        self._called.add(label)
        scheduler = self.scheduler
        scheduler.begin(self._iteration)
        scheduler.observe_loss(label, tensors)
        loss = scheduler.losses[label]
        if not self._images_seen and loss.kind in COMPARE_IMAGES and loss.weight > 0.0:
            images = output_and_target(given)
            if images is not None:
                self._images_seen = True
                scheduler.observe_images(*images, self._input)

    def _end_pass(self, *, stepped: bool) -> None:
        self._called, self._images_seen = set(), False
        self._iteration += stepped

    def _observe_logits(self, given: Mapping[str, Any]) -> None:
        """Pairs the logits of real and of generated images, which come in calls of their own, by their shape."""
        logits = next((x for x in given.values() if maps(x)), None)
        real = given.get("target_is_real", next((x for x in given.values() if isinstance(x, bool)), None))
        if logits is None or not isinstance(real, bool):
            return
        if real:
            self._real = [*self._real, logits.detach() if isinstance(logits, Tensor) else maps(logits)][-MOST_WAITING:]
            return
        for at, waiting in enumerate(self._real):
            found = separation_of_calls(waiting, logits)
            if found is not None:
                del self._real[at]
                self.scheduler.observe_separation(found)
                return

    def _end_skipped_step(self) -> None:
        """A GradScaler that skips a step calls no hook of the optimiser; its record says that it had its turn.

        The record ends with the next `update`: torch asks for one after the steps of all optimisers, not for several.
        """
        key = id(self._optimizer)
        if self._called and key in self._scaled_steps and self._scaled_steps[key]["stage"].name == "STEPPED":
            self._end_pass(stepped=self._counts == "steps")

    def _count_pass(self) -> None:
        if self._counts != "steps" or self._passes is None:
            return
        self._passes += 1
        if self._passes > PASSES_WITHOUT_STEP:
            message = f"The optimizer has not stepped in {self._passes} forward passes: it is not the generator's."
            raise AutocalError(message, fix="Give the optimizer of the network that these losses train.")

    def _stepped(self, *_: Any) -> None:
        self._passes = None
        self._end_pass(stepped=self._counts == "steps")


def _parameters(loss: Any) -> list[str]:
    inner = unwrapped(loss)
    try:
        signature = inspect.signature(inner.forward if isinstance(inner, nn.Module) else inner)
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for kind in kinds for name, parameter in signature.parameters.items() if parameter.kind is kind]


def output_and_target(given: Mapping[str, Any]) -> tuple[Tensor, Tensor] | None:
    """The image through which a gradient flows, and the first other one of its shape."""
    images = [x for x in given.values() if isinstance(x, Tensor) and x.dim() == 4]
    output = next((x for x in images if x.requires_grad), None)
    others = (x for x in images if output is not None and x is not output and x.shape == output.shape)
    target = next(others, None)
    return None if output is None or target is None else (output, target)
