"""DynamicLossScheduler: what a training shows, step by step, and the multiplier of its adversarial losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import torch
from torch import Tensor

from autocal_cli.errors import AutocalError
from autocal_cli.runtime.controller import Controller
from autocal_cli.runtime.losses import LossDescription, describe_loss, parts, reaches, untraced
from autocal_cli.runtime.settings import SchedulerSettings
from autocal_cli.runtime.signals import StepNumbers, errors, fidelity_of, separation, several_ranks
from autocal_cli.runtime.watch import Event, Watch, log

STATE_VERSION = 3
# What a step adds up beside its losses: mean squared errors of the trivial upscaling and of the output, S, loss scale.
TRIVIAL, OUTPUT, SEPARATION, LOSS_SCALE = ".trivial", ".output", ".separation", ".scale"
SIGNALS = {OUTPUT: "images", "input": "input", SEPARATION: "discriminator"}  # as the log calls them
HALF = (torch.float16, torch.bfloat16)
LIVENESS_STEPS = 3  # first steps in which the graph of each loss is looked at
SIGNALS_BY = 10  # steps by which every signal should have arrived
NOT_SKIPPED = "the step was not skipped: give `optimizer=` to have that done"
ANEW = "Leave it out: the scheduler then starts anew."

RawLosses = Mapping[str, Any]  # label -> raw loss (weight taken out): a 0-dim tensor, or a mapping or tuple of them


class DynamicLossScheduler:
    """Watches what the adversarial losses cost and what the discriminator still tells, and moves their weight by it.

    The objective is sum_i w_i m_i L_i with configured weights w_i, raw losses L_i and multipliers m_i, which are 1 for
    every loss that is not adversarial. Call `total` once for every forward pass; calls with the same `current_iter`
    (gradient accumulation) count as one step, within which multipliers stay. Calls under `torch.no_grad` change
    nothing.
    With several ranks in torch.distributed every rank calls it at every step.

    Args:
        losses: by label, each a module, a mapping with `type` and `loss_weight`, or a weight.
        settings: see `SchedulerSettings.from_block`.
        total_iter: length of the run in optimiser steps; None: taken as 100,000, and without phases.
        optimizer: the generator's. Its step is skipped where a loss is not finite.
        grad_scaler: to have back-offs of the loss scale named.
        scale: of the super-resolution, for fidelity where the network's input is not seen.

    Example:
        >>> scheduler = DynamicLossScheduler.from_config({"auto_calibrate": False}, {"l1": 1.0, "gan": 0.1}, 1000)
        >>> raw = {"l1": torch.tensor(0.5), "gan": torch.tensor(0.7)}
        >>> float(scheduler.total(raw, current_iter=1))
        0.5699...
    """

    def __init__(
        self,
        losses: Mapping[str, Any],
        settings: SchedulerSettings,
        total_iter: int | None = None,
        *,
        optimizer: Any = None,
        grad_scaler: Any = None,
        scale: int | None = None,
    ) -> None:
        self.settings, self.total_iter, self.scale = settings, total_iter, scale or 2
        self.grad_scaler = grad_scaler
        self.losses: dict[str, LossDescription] = {label: describe_loss(label, loss) for label, loss in losses.items()}
        self.adversarial = frozenset(label for label, loss in self.losses.items() if loss.adversarial)
        self._handle: Any = None  # of the hook on the optimiser: closes each step, skips one that is not finite
        if optimizer is not None:
            self._handle = unwrapped_optimizer(optimizer).register_step_pre_hook(self._before_step)
        self.reset()

    @classmethod
    def from_config(
        cls, block: Mapping[str, Any], losses: Mapping[str, Any], total_iter: int | None = None, **options: Any
    ) -> Self:
        """From a `dynamic_loss_scheduling` block, resolved or not. Raises AutocalError for unusable values.

        Without `total_iter` the block's `training_config.total_iterations` counts, if it is there.
        """
        run = block.get("training_config")
        length = run.get("total_iterations") if isinstance(run, Mapping) else None
        if total_iter is None and isinstance(length, int) and not isinstance(length, bool) and length > 0:
            total_iter = length
        adversarial = any(one.adversarial and one.weight for one in map(describe_loss, losses, losses.values()))
        settings = SchedulerSettings.from_block(block, total_iter, options.get("scale"), adversarial)
        return cls(losses, settings, total_iter, **options)

    def reset(self) -> None:
        """Back to the first step: multiplier 1, nothing remembered."""
        self.controller = Controller(self.settings, self.total_iter)
        self.watch = Watch(self.settings, self.controller.length)
        self._numbers = StepNumbers([TRIVIAL, OUTPUT, SEPARATION, LOSS_SCALE, *self.losses])
        self._iteration: int | None = None
        self._steps = 0  # steps closed
        self._seen: set[str] = set()  # signals and labels
        self._goals: set[Any] = set()  # graph nodes of the network's output in this pass

    @untraced
    def total(
        self,
        raw_losses: RawLosses,
        current_iter: int,
        output: Tensor | None = None,
        target: Tensor | None = None,
        input: Tensor | None = None,
    ) -> Tensor:
        """The objective, a 0-dim tensor for `backward`.

        Args:
            raw_losses: by label, without their weights.
            current_iter: number of the optimiser step, from 1.
            output: the network's, (B, C, H, W); `target` of the same shape, `input` (B, C, H / scale, W / scale).

        Raises AutocalError for a label that is not configured, ValueError without any loss.
        """
        if unknown := [label for label in raw_losses if label not in self.losses]:
            configured = ", ".join(self.losses)
            raise AutocalError(f"The loss {unknown[0]} is not configured.", fix=f"Configured are: {configured}.")
        named = {label: list(parts(label, value)) for label, value in raw_losses.items()}
        if self.settings.enabled and any(named.values()) and torch.is_grad_enabled():
            self.begin(current_iter)
            if output is not None:
                self.know_outputs([output])
            for label, tensors in named.items():
                if tensors:
                    self.observe_loss(label, tensors)
            if output is not None and target is not None:
                self.observe_images(output, target, input)
        total: Tensor | None = None
        for label, tensors in named.items():
            weight = self.losses[label].weight * (self.multiplier(label) if label in self.adversarial else 1.0)
            for part in tensors:
                term = weight * (part.float() if part.dtype in HALF else part)
                total = term if total is None else total + term
        if total is None:
            raise ValueError("There is no loss to add up.")
        if self._drops():
            return torch.zeros_like(total, requires_grad=True)  # its backward reaches no parameter
        return total

    def backward(
        self,
        raw_losses: RawLosses,
        current_iter: int,
        output: Tensor | None = None,
        target: Tensor | None = None,
        input: Tensor | None = None,
        *,
        by: Callable[[Tensor], Any] | None = None,
    ) -> Tensor:
        """`total` and its backward pass, by `by` (Accelerate's `accelerator.backward`), else through the GradScaler."""
        total = self.total(raw_losses, current_iter, output, target, input)
        if by is not None:
            by(total)
        elif self.grad_scaler is not None:
            self.grad_scaler.scale(total).backward()
        else:
            total.backward()  # type: ignore[no-untyped-call]
        return total.detach()

    @untraced
    def observe_discriminator(self, real: Any, generated: Any) -> None:
        """Takes the discriminator's logits of real and of generated images: tensors, maps, or lists of them.

        They are taken detached, in the discriminator's step or wherever both are at hand, once a pass.
        """
        if self.settings.enabled:
            self.observe_separation(separation(real, generated))

    # A step in its parts, for hooks, which see the losses one by one (attach.py).

    def observe_separation(self, value: Tensor) -> None:
        self._numbers.add(SEPARATION, value)

    def begin(self, iteration: int) -> None:
        """Says which step it is; one that is still open is closed."""
        if iteration != self._iteration:
            self.close()
            self._iteration = iteration

    def know_outputs(self, outputs: list[Tensor]) -> None:
        """The network's outputs in this pass, to which the graph of every loss should lead."""
        self._goals = {output.grad_fn for output in outputs if output.grad_fn is not None}

    def leads_to_network(self, tensors: list[Tensor]) -> bool | None:
        """Whether the graph of one of them leads to this pass's output; None where no output is known."""
        return any(reaches(part, self._goals) for part in tensors) if self._goals else None

    def observe_loss(self, label: str, tensors: list[Tensor]) -> None:
        """The raw values of one loss in a forward pass, 0-dim; they are added up."""
        if self._steps < LIVENESS_STEPS:
            self._look_alive(label, tensors)
        whole = tensors[0] if len(tensors) == 1 else torch.stack([part.detach().float() for part in tensors]).sum()
        self._numbers.add(label, whole)

    def observe_images(self, output: Tensor, target: Tensor, input: Tensor | None) -> None:
        """The output and target of a forward pass, and the network's input where it is seen."""
        found = errors(output, target, input, self.scale)
        if found is None:
            return
        if input is not None:
            self._seen.add("input")
        for name, value in zip((TRIVIAL, OUTPUT), found, strict=True):
            self._numbers.add(name, value)
        if self._numbers.device.type != "cpu" and output.requires_grad:
            output.register_hook(self._finite_gradient)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Ends the step: its numbers go on their way, those that are due are taken up, and the multiplier moves."""
        numbers = self._numbers
        if not any(label in numbers.sums for label in self.losses):
            return
        scale = getattr(self.grad_scaler, "_scale", None)
        if scale is not None:
            numbers.add(LOSS_SCALE, scale)
        self._steps += 1
        self._seen |= numbers.sums.keys()
        for iteration, means in numbers.close(self._iteration or self._steps):
            self._take(iteration, means)
        if self._steps == SIGNALS_BY:
            self._say_missing()

    def multiplier(self, label: str) -> float:
        """The multiplier of a loss as of now."""
        return self.controller.multiplier if label in self.adversarial and self.settings.enabled else 1.0

    def unfollow(self) -> None:
        """Takes the hook off the optimiser again."""
        if self._handle is not None:
            self._handle.remove()
        self._handle = None

    def _take(self, iteration: int, means: dict[str, float]) -> None:
        """The numbers of one step, as host floats."""
        values = {label: means[label] for label in self.losses if label in means}
        broken = [label for label, value in values.items() if not math.isfinite(value)]
        if broken:
            self.watch.not_finite(iteration, broken, self._what_is_done())
            return
        if LOSS_SCALE in means:
            self.watch.take_scale(iteration, means[LOSS_SCALE])
        self.watch.take(iteration, values, self.adversarial)
        f = fidelity_of(means[TRIVIAL], means[OUTPUT]) if OUTPUT in means else self._fidelity_by_losses(values)
        before = self.controller.multiplier
        moves = bool(self.adversarial) and self.settings.mode == "act"
        self.controller.advance(f, means.get(SEPARATION), iteration, moves=moves)
        self.watch.judge(iteration, self.controller.health())
        self._say_bounds(iteration, before)

    def _fidelity_by_losses(self, values: Mapping[str, float]) -> float | None:
        """-20 log10 of the summed pixel losses, half of that for squared ones; None once images were seen."""
        if OUTPUT in self._seen:
            return None
        pixel = [(self.losses[label], value) for label, value in values.items() if self.losses[label].kind == "pixel"]
        for squared, factor in ((False, -20.0), (True, -10.0)):
            found = [value for loss, value in pixel if loss.squared is squared]
            if found:
                return factor * math.log10(max(sum(found), 1e-9))
        return None

    def _what_is_done(self) -> str:
        """With a step that is not finite."""
        if self._numbers.device.type != "cpu":
            return "no gradient was sent into the network" if OUTPUT in self._seen else NOT_SKIPPED
        return "the optimiser's step was skipped" if self._handle or not several_ranks() else NOT_SKIPPED

    def _before_step(self, optimizer: Any, *_: Any) -> None:
        """The optimiser's hook: closes the step; where it is not finite no parameter has a gradient, so none moves."""
        before = self.watch.broken
        self.close()
        if self.watch.broken > before and self._numbers.device.type == "cpu":
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = None

    def _drops(self) -> bool:
        """Whether this pass is dropped here: on the CPU, with one rank, where no optimiser or GradScaler can do it."""
        if self._handle is not None or self.grad_scaler is not None or self._numbers.device.type != "cpu":
            return False
        sums = self._numbers.sums
        whole = all(math.isfinite(sums[label]) for label in self.losses if label in sums)
        return not whole and torch.is_grad_enabled() and not several_ranks()

    def _finite_gradient(self, gradient: Tensor) -> Tensor:
        sums = self._numbers.sums
        values = [sums[label] for label in self.losses if isinstance(sums.get(label), Tensor)]
        return torch.where(torch.stack(values).sum().isfinite(), gradient, 0.0) if values else gradient

    def _look_alive(self, label: str, tensors: list[Tensor]) -> None:
        """Names a loss that is in the sum and trains nothing."""
        for part in tensors:
            cause = None
            if not part.requires_grad and float(part):  # 0: a placeholder, of a loss that has not begun
                cause = "has no gradient path, so it trains nothing"
            elif part.requires_grad and self.leads_to_network([part]) is False:
                cause = "does not depend on the network's output, so it does not train the network"
            if cause and self.losses[label].weight:
                self.watch.say(self._iteration or 1, label, cause, "look at how it is computed", once=f"dead {label}")

    def _say_missing(self) -> None:
        """Says, after the first steps, what did not arrive and what that switches off."""
        at = self._iteration or self._steps
        kinds = ", ".join(f"{label} ({loss.kind})" for label, loss in self.losses.items())
        seen = ", ".join(name for key, name in SIGNALS.items() if key in self._seen) or "nothing but loss values"
        log.info("autocal: losses: %s; seen: %s", kinds, seen)
        if not self.adversarial:
            self.watch.say(at, "*", "no adversarial loss", "no weight is moved; the watch is kept", once="kinds")
            return
        for label in sorted(self.adversarial - self._seen):
            cause = "was not called for the network in the first steps"
            self.watch.say(at, label, cause, "it trains nothing, or does not yet", once=f"unmet {label}")
        if OUTPUT not in self._seen:
            pixel = any(loss.kind == "pixel" for loss in self.losses.values())
            instead = "pixel losses stand in" if pixel else "the fidelity budget is without effect"
            self.watch.say(at, "*", "output and target were not seen", instead, once="images")
        if SEPARATION not in self._seen:
            off = "a blind discriminator is not noticed, and no weight is raised"
            self.watch.say(at, "*", "no logits of a discriminator were seen", off, once="discriminator")

    def _say_bounds(self, iteration: int, before: float) -> None:
        after = self.controller.multiplier
        for key, beyond in (("max_weight", "more"), ("min_weight", "less")):
            bound = getattr(self.settings, key)
            if after != before and abs(math.log(after / bound)) < 1e-9:
                labels = sorted(self.adversarial)
                would = ", ".join(f"{self.losses[label].weight * after:.3g}" for label in labels)
                cause, done = f"the multiplier stands at {key} ({bound:g})", f"loss_weight {would} or {beyond} would do"
                self.watch.say(iteration, ", ".join(labels), cause, done, once=key)

    def get_monitoring_stats(self) -> dict[str, Any]:
        """Numbers for a log, host values of the last step taken up: nothing waits for them.

        `cost` in dB and `separation` are None until they are known; `state` says what the law does.
        """
        return {
            "iteration": self._iteration,
            "phase": self.controller.phase_at(self._iteration or 0).name,
            "multipliers": {label: self.multiplier(label) for label in self.losses},
            "cost": self.controller.cost,
            "separation": self.controller.seen_separation,
            "state": self.controller.state,
            "health": self.watch.health,
            "events": self.watch.total_events,
        }

    def events(self) -> list[Event]:
        """The newest 256 events, oldest first; they are part of the state."""
        return list(self.watch.events)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on bit for bit, as plain numbers and names. On an accelerator this waits."""
        return {
            "version": STATE_VERSION,
            "labels": list(self.losses),
            "iteration": self._iteration,
            "steps": self._steps,
            "seen": sorted(self._seen),
            "controller": self.controller.state_dict(),
            "watch": self.watch.state_dict(),
            "numbers": self._numbers.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up a saved state, or leaves everything as it is.

        Raises AutocalError for a state of another version or other losses, and for one that is damaged.
        """
        version = state.get("version") if isinstance(state, Mapping) else type(state).__name__
        if version != STATE_VERSION:
            message = f"The scheduler's state should have version {STATE_VERSION}. Found {version!r}."
            raise AutocalError(message, fix=ANEW)
        try:
            controller, watch = Controller(self.settings, self.total_iter), Watch(self.settings, self.controller.length)
            numbers = StepNumbers(self._numbers.names)
            controller.load_state_dict(state["controller"])
            watch.load_state_dict(state["watch"])
            numbers.load_state_dict(state["numbers"])
            labels, seen = list(state["labels"]), set(state["seen"])
            iteration, steps = state["iteration"], int(state["steps"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = f"The scheduler's state is damaged ({type(error).__name__}: {error})."
            raise AutocalError(message, fix=ANEW) from None
        if labels != list(self.losses):
            now, then = ", ".join(self.losses), ", ".join(labels)
            log.warning(
                "autocal: The scheduler's state is of the losses %s; this run has %s. "
                "Multiplier and averages are taken up all the same.",
                then,
                now,
            )
            numbers = StepNumbers(self._numbers.names)
        self.controller, self.watch, self._numbers = controller, watch, numbers
        self._seen, self._iteration, self._steps = seen, iteration, steps

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and deepcopy: without hooks, which stay with the original, and without graph nodes."""
        return {**self.__dict__, "_handle": None, "_goals": set(), "grad_scaler": None}


def logged(scheduler: DynamicLossScheduler) -> dict[str, float]:
    """The numbers for a trainer's log, with tags of their own; what is not known yet is left out."""
    stats = scheduler.get_monitoring_stats()
    numbers = {f"loss_multipliers/{label}": scheduler.multiplier(label) for label in sorted(scheduler.adversarial)}
    known = {f"autocal/{key}": stats[key] for key in ("cost", "separation") if stats[key] is not None}
    return {**numbers, **known, "autocal/events": float(stats["events"])}


def unwrapped_optimizer(optimizer: Any) -> Any:
    """The optimiser within Accelerate's (`optimizer`) or Lightning's (`_optimizer`). Raises AutocalError for others."""
    for name in ("optimizer", "_optimizer"):
        inner = getattr(optimizer, name, None)
        if inner is not None and hasattr(inner, "param_groups") and inner is not optimizer:
            return unwrapped_optimizer(inner)
    if not isinstance(optimizer, torch.optim.Optimizer):
        message = f"`optimizer` should be a torch optimiser. Found {type(optimizer).__name__}."
        raise AutocalError(message, fix="Give the optimiser of the network that is trained, not of the discriminator.")
    return optimizer
