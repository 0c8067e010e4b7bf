"""DynamicLossScheduler: what a training shows, step by step, and the multiplier of its adversarial losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import torch
from torch import Tensor

from autocal_cli.errors import AutocalError
from autocal_cli.runtime.controller import Controller
from autocal_cli.runtime.distributed import Arrivals, several_ranks, summed_over_ranks
from autocal_cli.runtime.losses import LossDescription, describe_losses, parts, reaches, untraced
from autocal_cli.runtime.settings import SchedulerSettings, run_length
from autocal_cli.runtime.signals import errors, fidelity_of, separation
from autocal_cli.runtime.watch import Event, Watch, log

STATE_VERSION = 2
HALF = (torch.float16, torch.bfloat16)
LIVENESS_STEPS = 3  # first steps in which the graph of each loss is looked at
SIGNALS_BY = 10  # steps by which every signal should have arrived
NOT_SKIPPED = "the step was not skipped: give `optimizer=` to have that done"
SKIPPED = "the optimiser's step was skipped"

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
        self.losses: dict[str, LossDescription] = describe_losses(losses)
        self.adversarial = frozenset(label for label, loss in self.losses.items() if loss.adversarial)
        self._handle: Any = None
        self._skips = False
        self.reset()
        if optimizer is not None:
            self.follow(optimizer)

    @classmethod
    def from_config(
        cls, block: Mapping[str, Any], losses: Mapping[str, Any], total_iter: int | None = None, **options: Any
    ) -> Self:
        """From a `dynamic_loss_scheduling` block, resolved or not. Raises AutocalError for unusable values.

        Without `total_iter` the block's `training_config.total_iterations` counts, if it is there.
        """
        if total_iter is None:
            total_iter = run_length(block)
        return cls(losses, SchedulerSettings.from_block(block, total_iter, options.get("scale")), total_iter, **options)

    def reset(self) -> None:
        """Back to the first step: multiplier 1, nothing remembered."""
        self.controller = Controller(self.settings, self.total_iter)
        self.watch = Watch(self.settings, self.controller.length)
        self._arrivals = Arrivals()
        self._iteration: int | None = None
        self._steps = 0  # steps closed
        self._device = torch.device("cpu")
        self._seen = {"images": False, "input": False, "discriminator": False}
        self._met: set[str] = set()  # labels
        self._goals: set[Any] = set()  # graph nodes of the network's output, in the first steps
        self._clear()

    def _clear(self) -> None:
        self._sums: dict[str, Any] = {}  # of this step: a float or tensor by label
        self._counts: dict[str, int] = {}
        self._errors: list[Any] = [0.0, 0.0, 0]  # of the trivial upscaling, of the output, passes
        self._separations: list[Any] = [0.0, 0]  # sum, count

    # -- a step, for who has all losses at hand ---------------------------------------------------------------------

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
        named = self._observe(raw_losses, current_iter, output, target, input)
        total: Tensor | None = None
        for label, tensors in named.items():
            weight = self.losses[label].weight
            if label in self.adversarial:
                weight *= self.multiplier(label)
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
    def __call__(
        self,
        raw_losses: RawLosses,
        current_iter: int,
        output: Tensor | None = None,
        target: Tensor | None = None,
        input: Tensor | None = None,
    ) -> dict[str, float]:
        """The multiplier of each loss, for who adds up himself. Arguments as in `total`."""
        self._observe(raw_losses, current_iter, output, target, input)
        return {label: self.multiplier(label) for label in raw_losses}

    @untraced
    def observe_discriminator(self, real: Any, generated: Any) -> None:
        """Takes the discriminator's logits of real and of generated images: tensors, maps, or lists of them.

        They are taken detached, in the discriminator's step or wherever both are at hand, once a pass.
        """
        if self.settings.enabled:
            self.observe_separation(separation(real, generated))

    def observe_separation(self, value: Tensor) -> None:
        self._seen["discriminator"] = True
        total, count = self._separations
        self._separations = [_added(total, self._number(value)), count + 1]

    # -- a step in its parts, for hooks, which see the losses one by one (attach.py) ----------------------------------

    def begin(self, iteration: int) -> None:
        """Says which step it is; one that is still open is closed."""
        if iteration != self._iteration:
            self.close()
            self._iteration = iteration

    def observe_images(self, output: Tensor, target: Tensor, input: Tensor | None) -> None:
        """The output and target of a forward pass, and the network's input where it is seen."""
        found = errors(output, target, input, self.scale)
        if found is None:
            return
        self._seen["images"] = True
        self._seen["input"] = self._seen["input"] or input is not None
        theirs, ours, passes = self._errors
        self._errors = [_added(theirs, self._number(found[0])), _added(ours, self._number(found[1])), passes + 1]
        self.guard(output)

    def observe_loss(self, label: str, tensors: list[Tensor]) -> None:
        """The raw values of one loss in a forward pass."""
        if self._steps < LIVENESS_STEPS:
            self._look_alive(label, tensors)
        value = self._number(tensors[0])
        for part in tensors[1:]:
            value = value + self._number(part)
        self._sums[label] = value + self._sums[label] if label in self._sums else value
        self._counts[label] = self._counts.get(label, 0) + 1

    def know_output(self, output: Tensor) -> None:
        """The network's output, to which the graph of every loss should lead."""
        if self._steps < LIVENESS_STEPS and output.grad_fn is not None:
            self._goals = {output.grad_fn}

    def guard(self, output: Tensor) -> None:
        """On an accelerator: a step that is not finite sends no gradient into the network. Nothing waits for it."""
        if self._device.type != "cpu" and output.requires_grad:
            output.register_hook(self._finite_gradient)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Ends the step: its numbers go on their way, those that are due are taken up, and the multiplier moves."""
        if not self._sums:
            return
        sums, met = self._sums.get, self._counts.get
        scale = self._loss_scale() if self.grad_scaler is not None else 0.0
        values = [*self._errors[:2], self._separations[0], scale, *[sums(label, 0.0) for label in self.losses]]
        counts = [self._errors[2], self._separations[1], *[met(label, 0) for label in self.losses]]
        several = several_ranks()
        if several:
            values += map(float, counts)
        self._met |= self._sums.keys()
        row = summed_over_ranks(values, self._device, several)
        self._steps += 1
        self._clear()
        for due, (iteration, known) in self._arrivals.send(row, [self._iteration or self._steps, counts]):
            self._take(due, iteration, known)
        if self._steps == SIGNALS_BY:
            self._say_missing()

    def multiplier(self, label: str) -> float:
        """The multiplier of a loss as of now."""
        return self.controller.multiplier if label in self.adversarial and self.settings.enabled else 1.0

    def follow(self, optimizer: Any) -> None:
        """Closes each step when the optimiser steps, and keeps it from stepping where a loss is not finite.

        Raises AutocalError where it is no optimiser.
        """
        plain = unwrapped_optimizer(optimizer)
        self._handle = plain.register_step_pre_hook(self._before_step)
        self._skips = True

    def unfollow(self) -> None:
        """Takes the hook off the optimiser again."""
        if self._handle is not None:
            self._handle.remove()
        self._handle, self._skips = None, False

    # -- inside -------------------------------------------------------------------------------------------------------

    def _observe(
        self, raw: RawLosses, iteration: int, output: Tensor | None, target: Tensor | None, low: Tensor | None
    ) -> dict[str, list[Tensor]]:
        named: dict[str, list[Tensor]] = {}
        first: Tensor | None = None
        for label, value in raw.items():
            if label not in self.losses:
                configured = ", ".join(self.losses)
                raise AutocalError(f"The loss {label} is not configured.", fix=f"Configured are: {configured}.")
            single = isinstance(value, Tensor) and value.dim() == 0
            named[label] = [value] if single else [part.reshape(()) for _, part in parts(label, value)]
            if first is None and named[label]:
                first = named[label][0]
        if not self.settings.enabled or first is None or not torch.is_grad_enabled():
            return named
        self._device = first.device
        self.begin(iteration)
        if output is not None:
            self.know_output(output)
        for label, tensors in named.items():
            if tensors:
                self.observe_loss(label, tensors)
        if output is not None and target is not None:
            self.observe_images(output, target, low)
        return named

    def on_device(self, tensor: Tensor) -> None:
        """Where the losses are."""
        self._device = tensor.device

    def _number(self, value: Tensor) -> Any:
        """A value to add up: a float on the CPU, else a detached float32 tensor, of which nothing is read."""
        return value.item() if self._device.type == "cpu" else value.detach().reshape(()).float()

    def _loss_scale(self) -> Any:
        scale = getattr(self.grad_scaler, "_scale", None)
        return 0.0 if scale is None else self._number(scale)

    def _take(self, row: list[float], iteration: int, counts: list[int]) -> None:
        """The numbers of one step, as host floats."""
        labels = list(self.losses)
        values = row[4 : 4 + len(labels)]
        ranks = 1.0
        if len(row) > 4 + len(labels):
            counts = [round(count) for count in row[4 + len(labels) :]]
            ranks = float(torch.distributed.get_world_size()) if several_ranks() else 1.0
        images, separations = counts[0], counts[1]
        means = {label: value / count for label, value, count in zip(labels, values, counts[2:], strict=True) if count}
        if not all(map(math.isfinite, means.values())):
            broken = [label for label, value in means.items() if not math.isfinite(value)]
            self.watch.not_finite(iteration, broken, self._what_is_done())
            return
        if row[3]:
            self.watch.take_scale(iteration, row[3] / ranks)
        self.watch.take(iteration, means, self.adversarial)
        f = fidelity_of(row[0] / images, row[1] / images) if images else self._fidelity_by_losses(means)
        s = row[2] / separations if separations else None
        before = self.controller.multiplier
        moves = bool(self.adversarial) and self.settings.mode == "act"
        self.controller.advance(f, s, iteration, moves=moves)
        self.watch.judge(iteration, self.controller.health())
        self._say_bounds(iteration, before)

    def _fidelity_by_losses(self, means: Mapping[str, float]) -> float | None:
        """-20 log10 of the summed pixel losses, half of that for squared ones; None once images were seen."""
        if self._seen["images"]:
            return None
        for squared, factor in ((False, -20.0), (True, -10.0)):
            pixel = [
                means[label]
                for label, loss in self.losses.items()
                if loss.kind == "pixel" and loss.squared is squared and label in means
            ]
            if pixel:
                return factor * math.log10(max(sum(pixel), 1e-9))
        return None

    def _what_is_done(self) -> str:
        if self._device.type != "cpu":
            return "no gradient was sent into the network" if self._seen["images"] else NOT_SKIPPED
        return SKIPPED if self._skips or not several_ranks() else NOT_SKIPPED

    def _before_step(self, optimizer: Any, *_: Any) -> None:
        """The optimiser's hook: closes the step; where it is not finite no parameter has a gradient, so none moves."""
        before = self.watch.broken
        self.close()
        if self.watch.broken > before and self._device.type == "cpu":
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = None

    def _drops(self) -> bool:
        """Whether this pass is dropped here: on the CPU, with one rank, where no optimiser or GradScaler can do it."""
        if self._skips or self.grad_scaler is not None or self._device.type != "cpu":
            return False
        whole = all(map(math.isfinite, self._sums.values()))
        return not whole and torch.is_grad_enabled() and not several_ranks()

    def _finite_gradient(self, gradient: Tensor) -> Tensor:
        whole = [value for value in self._sums.values() if isinstance(value, Tensor)]
        if not whole:
            return gradient
        return torch.where(torch.stack(whole).sum().isfinite(), gradient, 0.0)

    def _look_alive(self, label: str, tensors: list[Tensor]) -> None:
        """Names a loss that is in the sum and trains nothing."""
        iteration = self._iteration or 1
        for part in tensors:
            if self.losses[label].weight == 0.0 or (not part.requires_grad and not float(part)):
                continue  # a placeholder: a loss that has not begun
            if not part.requires_grad:
                cause = "has no gradient path, so it trains nothing"
            elif self._goals and not reaches(part, self._goals):
                cause = "does not depend on the network's output, so it does not train the network"
            else:
                continue
            self.watch.say_once(f"dead {label}", iteration, label, cause, "look at how it is computed")

    def _say_missing(self) -> None:
        """Says, after the first steps, what did not arrive and what that switches off."""
        at = self._iteration or self._steps
        kinds = ", ".join(f"{label} ({loss.kind})" for label, loss in self.losses.items())
        seen = ", ".join(name for name, here in self._seen.items() if here) or "nothing but loss values"
        log.info("autocal: losses: %s; seen: %s", kinds, seen)
        if not self.adversarial:
            self.watch.say_once("kinds", at, "*", "no adversarial loss", "no weight is moved; the watch is kept")
            return
        for label in sorted(self.adversarial - self._met):
            cause = "was not called for the network in the first steps"
            self.watch.say_once(f"unmet {label}", at, label, cause, "it trains nothing, or does not yet")
        if not self._seen["images"]:
            pixel = any(loss.kind == "pixel" for loss in self.losses.values())
            instead = "pixel losses stand in" if pixel else "the fidelity budget is without effect"
            self.watch.say_once("images", at, "*", "output and target were not seen", instead)
        if not self._seen["discriminator"]:
            off = "a blind discriminator is not noticed, and no weight is raised"
            self.watch.say_once("discriminator", at, "*", "no logits of a discriminator were seen", off)

    def _say_bounds(self, iteration: int, before: float) -> None:
        after = self.controller.multiplier
        for key, bound in (("max_weight", self.settings.max_weight), ("min_weight", self.settings.min_weight)):
            if after != before and abs(math.log(after / bound)) < 1e-9:
                would = ", ".join(f"{self.losses[x].weight * after:.3g}" for x in sorted(self.adversarial))
                said = f"the multiplier stands at {key} ({bound:g})"
                self.watch.say_once(
                    key, iteration, ", ".join(sorted(self.adversarial)), said, f"loss_weight {would} would do"
                )

    # -- for logs -----------------------------------------------------------------------------------------------------

    def describe_losses(self) -> list[LossDescription]:
        """What is known of every configured loss."""
        return list(self.losses.values())

    def get_current_weights(self) -> dict[str, float]:
        """The multipliers by label."""
        return {label: self.multiplier(label) for label in self.losses}

    def get_monitoring_stats(self) -> dict[str, Any]:
        """Numbers for a log, host values of the last step taken up: nothing waits for them.

        `cost` in dB and `separation` are None until they are known; `state` says what the law does.
        """
        weights = self.get_current_weights()
        return {
            "iteration": self._iteration,
            "phase": self.controller.phase_at(self._iteration or 0),
            "current_weights": weights,
            "multipliers": weights,
            "cost": self.controller.cost,
            "separation": self.controller.seen_separation,
            "state": self.controller.state,
            "health": self.watch.health,
            "events": self.watch.total_events,
        }

    def events(self) -> list[Event]:
        """The newest 256 events, oldest first; they are part of the state."""
        return list(self.watch.events)

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on bit for bit, as plain numbers and names. On an accelerator this waits."""
        return {
            "version": STATE_VERSION,
            "labels": list(self.losses),
            "iteration": self._iteration,
            "steps": self._steps,
            "seen": dict(self._seen),
            "met": sorted(self._met),
            "controller": self.controller.state_dict(),
            "watch": self.watch.state_dict(),
            "arrivals": self._arrivals.state(),
            "open": {
                "sums": {label: float(value) for label, value in self._sums.items()},
                "counts": dict(self._counts),
                "errors": [float(value) for value in self._errors[:2]] + [self._errors[2]],
                "separations": [float(self._separations[0]), self._separations[1]],
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up a saved state, or leaves everything as it is.

        Raises AutocalError for a state of another version or other losses, and for one that is damaged.
        """
        if not isinstance(state, Mapping) or state.get("version") != STATE_VERSION:
            found = state.get("version") if isinstance(state, Mapping) else type(state).__name__
            raise AutocalError(
                f"The scheduler's state should have version {STATE_VERSION}. Found {found!r}.",
                fix="Leave it out: the scheduler then starts anew.",
            )
        try:
            controller, watch = Controller(self.settings, self.total_iter), Watch(self.settings, self.controller.length)
            arrivals = Arrivals()
            controller.load_state_dict(state["controller"])
            watch.load_state_dict(state["watch"])
            arrivals.load(state["arrivals"])
            opened, seen, labels = state["open"], dict(state["seen"]), list(state["labels"])
            met = set(state["met"])
            now = (state["iteration"], int(state["steps"]))
            parts_of = (
                dict(opened["sums"]),
                dict(opened["counts"]),
                list(opened["errors"]),
                list(opened["separations"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = f"The scheduler's state is damaged ({type(error).__name__}: {error})."
            raise AutocalError(message, fix="Leave it out: the scheduler then starts anew.") from None
        if labels != list(self.losses):
            message = (
                f"The scheduler's state is of the losses {', '.join(labels)}; this run has {', '.join(self.losses)}."
            )
            log.warning("autocal: %s Multiplier and averages are taken up all the same.", message)
            parts_of = ({}, {}, [0.0, 0.0, 0], [0.0, 0])
            arrivals = Arrivals()
        self.controller, self.watch, self._arrivals = controller, watch, arrivals
        self._met = met
        self._seen, (self._iteration, self._steps) = seen, now
        self._sums, self._counts, self._errors, self._separations = parts_of

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and deepcopy: without hooks, which stay with the original, and without graph nodes."""
        state = {**self.__dict__, "_handle": None, "_skips": False, "_goals": set(), "grad_scaler": None}
        saved = self.state_dict()["open"]
        state |= {f"_{name}": saved[name] for name in ("sums", "counts", "errors", "separations")}
        arrivals = Arrivals()
        arrivals.load(self._arrivals.state())
        state["_arrivals"] = arrivals
        return state


def _added(total: Any, value: Any) -> Any:
    """total + value; nothing is launched for the first value of a step."""
    return value if isinstance(total, float) and total == 0.0 else total + value


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
