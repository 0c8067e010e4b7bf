"""DynamicLossScheduler: the multipliers of a training's losses, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor

from autocal_cli.runtime.components import components, like, named_parts
from autocal_cli.runtime.events import Event
from autocal_cli.runtime.host_engine import HostEngine
from autocal_cli.runtime.losses import LossDescription, describe_losses
from autocal_cli.runtime.monitor import Monitor
from autocal_cli.runtime.probe import can_probe, gradient_norms
from autocal_cli.runtime.ranks import any_rank
from autocal_cli.runtime.roster import Roster
from autocal_cli.runtime.rows import Choice, Rows
from autocal_cli.runtime.schedule import AT_ONCE_UNTIL, phase_at, probe_due
from autocal_cli.runtime.settings import SchedulerSettings, run_length
from autocal_cli.runtime.track import Knobs, knobs_for

# The most by which a guard changes in a step, in log-weight, once the first probes are over. Measured
# (benchmarks/RESULTS.md, "Probes and slew"): 0.05 and faster cannot be told apart, 0.01 is too slow.
GUARD_SLEW = 0.05
STATE_VERSION = 1

RawLosses = Mapping[str, Any]  # label -> raw loss (weight taken out): a 0-dim tensor, or a mapping or tuple of them


class DynamicLossScheduler:
    """Adapts the weights of a training's losses so that none comes to dominate, and so that faults cost little.

    The objective is sum_i w_i m_i L_i with configured weights w_i, raw losses L_i and the multipliers m_i given here.
    Call it once for every forward pass; calls with the same `current_iter` (gradient accumulation) count as one step,
    and the multipliers stay the same within it. With the network's `output` the gradients of the losses are probed at
    some steps (see schedule.py); without it the values alone serve. Calls under `torch.no_grad` change nothing. With
    several ranks in torch.distributed every rank calls it at every step, with the same losses.

    Args:
        losses: by label, each a module, a mapping with `type` and `loss_weight`, or a weight.
        settings: see `SchedulerSettings.from_block`.
        total_iter: length of the run in optimiser steps, for the phases; None: no phases.
        engine: "host" computes with Python floats (reads the losses, which costs nothing on the CPU), "device" with
            tensors and without any read. "auto" takes the first for losses on the CPU, the second elsewhere.

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
        engine: Choice = "auto",
    ) -> None:
        self.settings = settings
        self.total_iter = total_iter
        self.grad_scaler: Any = None  # set it to have the loss scale's back-offs watched
        self._choice = engine
        self._knobs_of: dict[tuple[str, bool], Knobs] = {}  # by phase and whether the baseline is being taken
        self._roster = Roster(describe_losses(losses, settings.kinds), settings)
        self.reset()

    @classmethod
    def from_config(
        cls, block: Mapping[str, Any], losses: Mapping[str, Any], total_iter: int | None = None, **options: Any
    ) -> Self:
        """From a `dynamic_loss_scheduling` block, resolved or not. Raises AutocalError for unusable values.

        Without `total_iter` the block's `training_config.total_iterations` counts, if it is there.
        """
        if total_iter is None:
            total_iter = run_length(block)
        return cls(losses, SchedulerSettings.from_block(block, total_iter), total_iter, **options)

    def reset(self) -> None:
        """Back to the first step: all multipliers 1, nothing remembered."""
        self._saved: Mapping[str, Any] | None = None  # a loaded state, until the first call tells the device
        self._rows = self._rows_on(torch.device("cpu"))
        self._steps = 0
        self._newcomers = False  # whether a loss was met since the last step began
        self._iteration: int | None = None
        self._scale: Any = None
        self._monitor = Monitor()

    def __call__(self, raw_losses: RawLosses, current_iter: int, output: Tensor | None = None) -> dict[str, Any]:
        """The multiplier of each loss, 0-dim tensors on the losses' device, in the shape in which the losses came."""
        named = named_parts(raw_losses)
        if named:
            self.meet(named)
        if named and torch.is_grad_enabled():  # else a validation, which asks only
            if current_iter != self._iteration:
                probing = self.probes_next()
                self.begin(current_iter, probing, self._probe(named, output) if probing else None)
            self.add(named)
        by_name = self._rows.by_name
        if len(named) == len(raw_losses) and by_name.keys() == raw_losses.keys():
            return dict(by_name)
        return {label: like(label, value, by_name) for label, value in raw_losses.items()}

    def total(self, raw_losses: RawLosses, current_iter: int, output: Tensor | None = None) -> Tensor:
        """The objective, sum_i w_i m_i L_i: a 0-dim tensor for `backward`. Raises ValueError without any loss."""
        self(raw_losses, current_iter, output)
        named = named_parts(raw_losses)
        if not named:
            raise ValueError("There is no loss to add up.")
        values = torch.stack([part if part.dim() == 0 else part.reshape(()) for part in named.values()])
        return (values * self._rows.coefficients(list(named))).sum()

    def found_inf(self, raw_losses: RawLosses) -> Tensor:
        """1.0 where a raw loss of this step is not finite on any rank, else 0.0, for fused optimisers' `found_inf`.

        Nothing is read on the host. With several ranks this costs one small all_reduce.
        """
        parts = [
            part.detach().reshape(()) for label, value in raw_losses.items() for _, part in components(label, value)
        ]
        broken = ~torch.isfinite(torch.stack([part.float() for part in parts])).all()
        return any_rank(broken.float())

    # -- one step in its parts, for forward hooks (attach.py), which see the losses one by one ---------------------

    def meet(self, named: Mapping[str, Tensor]) -> None:
        """Makes room for losses not met before, follows the losses to their device, and takes up a loaded state."""
        device = next(iter(named.values())).device
        if self._saved is not None or not self._rows.index or device != self._rows.device:
            self._move_to(device)
        if new := [name for name in named if name not in self._rows.index]:
            self._rows.add(new)
            self._newcomers = True

    def probes_next(self) -> bool:
        """Whether the gradients are to be measured in the step that would begin now: by schedule, or a loss is new."""
        due = self._newcomers or probe_due(self._steps + 1, self._rows.adversarial)
        return due and self.settings.enabled

    def begin(self, iteration: int, probing: bool, norms: Mapping[str, Tensor] | None) -> None:
        """Closes the step before with the values added to it, and sets the multipliers of the new one.

        Args:
            iteration: the number of the step that begins.
            probing: whether gradients were to be measured, on all ranks alike.
            norms: the norms found (0-dim, see probe.py) by name; None where nothing could be probed on this rank.
        """
        if not self.settings.enabled:
            self._iteration = iteration
            return
        rows = self._rows
        means, probed = rows.close_step(norms, probing)
        if means is not None and self._iteration is not None:
            self._watch_scale(self._iteration)
            slew = None if self._steps <= AT_ONCE_UNTIL else GUARD_SLEW
            rows.engine.advance(means, self._iteration, self._knobs(), self.settings.freeze_steps, slew)
        self._iteration, self._newcomers = iteration, False
        self._steps += 1
        if probed is not None:
            rows.take_probe(probed, self._knobs(), at_once=self._steps <= AT_ONCE_UNTIL)
        rows.refresh()

    def add(self, named: Mapping[str, Tensor]) -> None:
        """Adds the raw values of one forward pass to the step; the losses were met."""
        if self.settings.enabled:
            self._rows.observe(named)

    def describe_losses(self) -> list[LossDescription]:
        """What is known of every configured loss."""
        return [self._roster.describe(label) for label in self._roster.configured]

    def kind_of(self, label: str) -> str:
        """The kind of a configured loss, see config/losses.py."""
        return self._roster.configured[label].kind

    def multiplier(self, name: str) -> Tensor:
        """The multiplier of a loss that was met."""
        return self._rows.by_name[name]

    def _rows_on(self, device: torch.device) -> Rows:
        return Rows(self._roster, self.settings.min_weight, device, self._choice)

    def _move_to(self, device: torch.device) -> None:
        state = self._saved or (self.state_dict() if self._rows.index else None)
        self._saved = None
        self._rows = self._rows_on(device)
        if state:
            self._rows.load(state)
            self._steps, self._iteration, self._newcomers = state["steps"], state["iteration"], state["newcomers"]
            self._scale = None if state["scale"] is None else state["scale"].to(device)

    def _probe(self, named: Mapping[str, Tensor], output: Tensor | None) -> dict[str, Tensor] | None:
        """Gradient norms by name; None where nothing can be probed."""
        values = list(named.values())
        if output is None:
            self.say_unprobed()
        if output is None or not can_probe(values, output):
            return None
        return dict(zip(named, gradient_norms(values, output), strict=True))

    def say_unprobed(self) -> None:
        """Says, once in a run, that nothing can be probed."""
        message = "the network's output is not known, so the losses are judged by their values alone"
        self._roster.say("output", message)

    def _watch_scale(self, iteration: int) -> None:
        """Tells the engine when the loss scale of GradScaler went down."""
        scale = getattr(self.grad_scaler, "_scale", None)
        if scale is None:
            return
        before, self._scale = self._scale, scale.clone()
        if before is None:
            return
        engine = self._rows.engine
        if isinstance(engine, HostEngine):
            engine.take_scale(bool(scale < before), iteration, self.settings.freeze_steps)
        else:
            engine.take_scale(scale < before, iteration, self.settings.freeze_steps)

    def _knobs(self) -> Knobs:
        phase = phase_at(self.settings.phases, self._iteration or 0, self.total_iter)
        key = phase.name, self._steps <= self.settings.baseline_iterations
        if key not in self._knobs_of:
            self._knobs_of[key] = knobs_for(self.settings, phase, in_baseline=key[1])
        return self._knobs_of[key]

    # -- for logs -------------------------------------------------------------------------------------------------

    def get_current_weights(self) -> dict[str, Tensor]:
        """The multipliers by loss (components as `label/key`), 0-dim tensors on the losses' device. Nothing is read."""
        return dict(self._rows.by_name)

    def get_monitoring_stats(self) -> dict[str, Any]:
        """Multipliers, shares of the pull, phase and number of events, for a log.

        On the CPU as of now. Elsewhere the numbers are as of the last call whose copy has arrived, so that nothing
        waits; before the first there are none.
        """
        rows = self._rows
        names, read = self._monitor.read(list(rows.index), rows.numbers) if rows.index else ([], [])
        by_name = dict(zip(names, read, strict=False))
        return {
            "iteration": self._iteration,
            "phase": phase_at(self.settings.phases, self._iteration or 0, self.total_iter).name,
            "current_weights": by_name,
            "multipliers": by_name,
            "shares": dict(zip(names, read[len(names) :], strict=False)),
            "events": int(read[-1]) if read else 0,
        }

    def events(self) -> list[Event]:
        """The newest 256 corrections of this process, oldest first. On an accelerator this waits for the device."""
        return self._rows.engine.read_events()

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on bit for bit: tensors, numbers and names. Events are not in it."""
        if self._saved is not None:
            return dict(self._saved)
        return {
            "version": STATE_VERSION,
            "configured": list(self._roster.configured),
            "steps": self._steps,
            "iteration": self._iteration,
            "newcomers": self._newcomers,
            "scale": self._scale,
            **self._rows.state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up a saved state; the next call says on which device.

        Losses that it lacks start anew, and those no longer configured are dropped; both are said. Raises ValueError
        for a state of another version.
        """
        if state.get("version") != STATE_VERSION:
            raise ValueError(f"The scheduler's state has version {state.get('version')!r}; expected {STATE_VERSION}.")
        self.reset()
        if state["engine"] is not None:
            self._roster.compare(state)
            self._saved = dict(state)
