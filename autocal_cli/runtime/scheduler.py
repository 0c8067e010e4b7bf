"""DynamicLossScheduler: the multipliers of a training's losses, step by step."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from autocal_cli.config.losses import UNKNOWN
from autocal_cli.runtime.accumulate import StepValues
from autocal_cli.runtime.components import SEPARATOR, components, like
from autocal_cli.runtime.device_engine import DeviceEngine
from autocal_cli.runtime.events import Event
from autocal_cli.runtime.guard import guard_goals, share_goals, shares
from autocal_cli.runtime.host_engine import HostEngine
from autocal_cli.runtime.losses import LossDescription, describe_loss, describe_losses
from autocal_cli.runtime.monitor import Monitor
from autocal_cli.runtime.probe import can_probe, gradient_norms
from autocal_cli.runtime.ranks import any_rank, average_over_ranks
from autocal_cli.runtime.schedule import AT_ONCE_UNTIL, phase_at, probe_due
from autocal_cli.runtime.settings import SchedulerSettings
from autocal_cli.runtime.track import Knobs, knobs_for

GUARD_SLEW = 0.05  # the most by which a guard changes in a step, in log-weight, once the first probes are over
STATE_VERSION = 1

_logger = logging.getLogger("autocal")

Engine = HostEngine | DeviceEngine
RawLosses = Mapping[str, Any]  # label -> raw loss (weight taken out): a 0-dim tensor, or a mapping or tuple of them


class DynamicLossScheduler:
    """Adapts the weights of a training's losses so that none comes to dominate, and so that faults cost little.

    The objective is sum_i w_i m_i L_i with configured weights w_i, raw losses L_i and the multipliers m_i given here.
    Call it once for every forward pass; calls with the same `current_iter` (gradient accumulation) count as one step,
    and the multipliers stay the same within it. With the network's `output` the gradients of the losses are probed at
    some steps (see schedule.py); without it the values alone serve.

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
        engine: Literal["auto", "host", "device"] = "auto",
    ) -> None:
        self.settings = settings
        self.total_iter = total_iter
        self.grad_scaler: Any = None  # set it to have the loss scale's back-offs watched
        self._choice = engine
        self._configured = describe_losses(losses, settings.kinds)
        self.reset()

    @classmethod
    def from_config(
        cls, block: Mapping[str, Any], losses: Mapping[str, Any], total_iter: int | None = None, **options: Any
    ) -> DynamicLossScheduler:
        """From a `dynamic_loss_scheduling` block, resolved or not. Raises AutocalError for unusable values."""
        return cls(losses, SchedulerSettings.from_block(block, total_iter), total_iter, **options)

    def reset(self) -> None:
        """Back to the first step: all multipliers 1, nothing remembered."""
        self._device, self._on_host = torch.device("cpu"), True
        self._engine: Engine = HostEngine()
        self._saved: Mapping[str, Any] | None = None  # a loaded state, until the first call tells the device
        self._index: dict[str, int] = {}
        self._steps = 0
        self._iteration: int | None = None
        self._values = StepValues(on_host=True)
        self._scale: Any = None
        self._limits: Tensor | None = None  # (L,) ceilings or wanted shares, on the engine's device
        self._log_multipliers: Any = None
        self._by_name: dict[str, Tensor] = {}
        self._said: set[str] = set()
        self._monitor = Monitor()

    def __call__(self, raw_losses: RawLosses, current_iter: int, output: Tensor | None = None) -> dict[str, Any]:
        """The multiplier of each loss, 0-dim tensors on the losses' device, in the shape in which the losses came."""
        named = {name: part for label, value in raw_losses.items() for name, part in components(label, value)}
        if named:
            self._meet(named)
            if current_iter != self._iteration:
                self._begin(named, current_iter, output)
            self._values.add(named, self._index)
        if len(named) == len(raw_losses) and self._by_name.keys() == raw_losses.keys():
            return dict(self._by_name)
        return {label: like(label, value, self._by_name) for label, value in raw_losses.items()}

    def total(self, raw_losses: RawLosses, current_iter: int, output: Tensor | None = None) -> Tensor:
        """The objective, sum_i w_i m_i L_i: a 0-dim tensor for `backward`. Raises ValueError without any loss."""
        self(raw_losses, current_iter, output)
        terms = [
            part * (self._engine.losses[self._index[name]].weight * self._by_name[name])
            for label, value in raw_losses.items()
            for name, part in components(label, value)
        ]
        if not terms:
            raise ValueError("There is no loss to add up.")
        return torch.stack([term.reshape(()) for term in terms]).sum() if len(terms) > 1 else terms[0]

    def found_inf(self, raw_losses: RawLosses) -> Tensor:
        """1.0 where a raw loss of this step is not finite on any rank, else 0.0, for fused optimisers' `found_inf`.

        Nothing is read on the host. With several ranks this costs one small all_reduce.
        """
        parts = [
            part.detach().reshape(()) for label, value in raw_losses.items() for _, part in components(label, value)
        ]
        broken = ~torch.isfinite(torch.stack([part.float() for part in parts])).all()
        return any_rank(broken.float())

    # -- one step -------------------------------------------------------------------------------------------------

    def _begin(self, named: Mapping[str, Tensor], iteration: int, output: Tensor | None) -> None:
        """Closes the step before, probes if it is time, and sets the multipliers of the new step."""
        probing = probe_due(self._steps + 1)
        norms = self._probe(named, output) if probing else None
        means = self._values.means(len(self._index))
        means, norms = average_over_ranks(means, norms, len(self._index), probing, self._device)
        if means is not None and self._iteration is not None:
            self._watch_scale(self._iteration)
            slew = None if self._steps <= AT_ONCE_UNTIL else GUARD_SLEW
            self._engine.advance(means, self._iteration, self._knobs(), self.settings.freeze_steps, slew)
        self._iteration = iteration
        self._steps += 1
        if norms is not None:
            self._take_probe(norms)
        self._values = StepValues(self._on_host)
        self._refresh()

    def _meet(self, named: Mapping[str, Tensor]) -> None:
        """Makes room for losses not met before, follows the losses to their device, and takes up a loaded state."""
        device = next(iter(named.values())).device
        if self._saved is not None or not self._index or device != self._device:
            self._move_to(device)
        if new := [name for name in named if name not in self._index]:
            self._add(new)
            self._refresh()

    def _move_to(self, device: torch.device) -> None:
        state = self._saved or (self.state_dict() if self._index else None)
        self._saved = None
        self._device = device
        self._on_host = self._choice == "host" or (self._choice == "auto" and device.type == "cpu")
        self._engine = HostEngine() if self._on_host else DeviceEngine(device)
        self._values = StepValues(self._on_host)
        self._index = {}
        if state:
            self._restore(state)

    def _add(self, names: Iterable[str]) -> None:
        for name in names:
            self._index[name] = len(self._index)
            self._engine.add(self._description(name))
        self._limits = None
        self._log_multipliers = None

    def _restore(self, state: Mapping[str, Any]) -> None:
        rows = {name: row for row, name in enumerate(state["losses"]) if not self._is_gone(name, state)}
        self._add(rows)
        self._engine.load(state["engine"], list(rows.values()))
        self._values = StepValues.from_state(state["values"], list(rows.values()), self._on_host, self._device)
        self._steps, self._iteration = state["steps"], state["iteration"]
        self._scale = None if state["scale"] is None else state["scale"].to(self._device)
        self._refresh()

    def _is_gone(self, name: str, state: Mapping[str, Any]) -> bool:
        """Whether a saved loss, or the one of which it is a component, was configured then and is no longer."""
        label = name.split(SEPARATOR)[0]
        return label in state["configured"] and label not in self._configured

    def _description(self, name: str) -> LossDescription:
        """What is known of a loss, or of the loss of which it is a component."""
        known = self._configured.get(name) or self._configured.get(name.split(SEPARATOR)[0])
        if known is None:
            known = describe_loss(name.split(SEPARATOR)[0], kind=self.settings.kinds.get(name))
        if known.kind == UNKNOWN:
            self._say(
                known.label, f"the kind of the loss {known.label} is unknown: it has no ceiling (set it by `kinds`)"
            )
        return replace(known, label=name)

    def _probe(self, named: Mapping[str, Tensor], output: Tensor | None) -> Tensor | None:
        """(L,) gradient norms in the engine's order, 0 where there is none; None where nothing can be probed."""
        if output is None:
            self._say("output", "the network's output is not given, so the losses are judged by their values alone")
            return None
        values = list(named.values())
        if not can_probe(values, output):
            return None
        found = dict(zip(named, gradient_norms(values, output), strict=True))
        return torch.stack([found.get(name, output.new_zeros((), dtype=torch.float32)) for name in self._index])

    def _take_probe(self, norms: Tensor) -> None:
        engine = self._engine
        engine.take_probe(norms, self._knobs())
        pull, floor = engine.pulls(), math.log(self.settings.min_weight)
        by_share = bool(self.settings.gradient_shares)
        if self._limits is None:  # kept: a copy from the host would wait for the device
            limit = self._wanted_share if by_share else self._ceiling
            self._limits = torch.tensor([limit(loss) for loss in engine.losses]).to(pull)
        goals = (share_goals if by_share else guard_goals)(pull, self._limits, floor)
        engine.set_goals(goals, at_once=self._steps <= AT_ONCE_UNTIL)

    def _refresh(self) -> None:
        """Makes the multiplier tensors anew where a multiplier changed."""
        logs = self._engine.log_multipliers()
        if isinstance(logs, list):
            if logs != self._log_multipliers:
                multipliers = torch.tensor([math.exp(log) for log in logs]).to(self._device).unbind()
                self._by_name = dict(zip(self._index, multipliers, strict=True))
        else:
            self._by_name = dict(zip(self._index, torch.exp(logs).unbind(), strict=True))
        self._log_multipliers = logs

    def _watch_scale(self, iteration: int) -> None:
        """Tells the engine when the loss scale of GradScaler went down."""
        scale = getattr(self.grad_scaler, "_scale", None)
        if scale is None:
            return
        before, self._scale = self._scale, scale.clone()
        if before is None:
            return
        if isinstance(self._engine, HostEngine):
            self._engine.take_scale(bool(scale < before), iteration, self.settings.freeze_steps)
        else:
            self._engine.take_scale(scale < before, iteration, self.settings.freeze_steps)

    def _knobs(self) -> Knobs:
        phase = phase_at(self.settings.phases, self._iteration or 0, self.total_iter)
        in_baseline = self._steps <= self.settings.baseline_iterations
        return knobs_for(self.settings, phase, in_baseline)

    def _ceiling(self, loss: LossDescription) -> float:
        return self.settings.ceilings.get(loss.kind, 1.0)

    def _wanted_share(self, loss: LossDescription) -> float:
        """The share wanted for a loss; the components of one loss have equal parts of it."""
        label = loss.label.split(SEPARATOR)[0]
        siblings = sum(name.split(SEPARATOR)[0] == label for name in self._index)
        wanted = self.settings.gradient_shares
        return wanted.get(loss.label, wanted.get(label, 0.0) / siblings)

    def _say(self, topic: str, message: str) -> None:
        """Says a thing once in a run."""
        if topic not in self._said:
            self._said.add(topic)
            _logger.warning("autocal: %s.", message)

    # -- for logs -------------------------------------------------------------------------------------------------

    def get_current_weights(self) -> dict[str, Tensor]:
        """The multipliers by loss (components as `label/key`), 0-dim tensors on the losses' device. Nothing is read."""
        return dict(self._by_name)

    def get_monitoring_stats(self) -> dict[str, Any]:
        """Multipliers, shares of the pull and phase, for a log.

        On the CPU as of now. Elsewhere multipliers and shares are as of the last call whose copy has arrived, so that
        nothing waits; before the first they are empty.
        """
        names = list(self._index)
        logs, pull = self._engine.log_multipliers(), self._engine.pulls()
        logs = torch.tensor(logs) if isinstance(logs, list) else logs
        guarded = pull * torch.exp(torch.as_tensor(self._guards()).to(pull))
        values = self._monitor.read(torch.stack([torch.exp(logs), shares(guarded)]).double()) if names else None
        multipliers, parts = values or ([], [])
        by_name = dict(zip(names, multipliers, strict=False))
        return {
            "iteration": self._iteration,
            "phase": phase_at(self.settings.phases, self._iteration or 0, self.total_iter).name,
            "current_weights": by_name,
            "multipliers": by_name,
            "shares": dict(zip(names, parts, strict=False)),
        }

    def events(self) -> list[Event]:
        """Every correction of this process (the newest 256 on an accelerator), oldest first. Waits for the device."""
        engine = self._engine
        return list(engine.events) if isinstance(engine, HostEngine) else engine.read_events()

    def _guards(self) -> Any:
        engine = self._engine
        return [track.guard for track in engine.tracks] if isinstance(engine, HostEngine) else engine.track.guard

    # -- checkpoints ----------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on bit for bit: tensors, numbers and names. Events are not in it."""
        if self._saved is not None:
            return dict(self._saved)
        return {
            "version": STATE_VERSION,
            "configured": list(self._configured),
            "losses": list(self._index),
            "steps": self._steps,
            "iteration": self._iteration,
            "engine": self._engine.state() if self._index else None,
            "values": self._values.state(),
            "scale": self._scale,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up a saved state; the next call says on which device.

        Losses that it lacks start anew, and those no longer configured are dropped; both are said. Raises ValueError
        for a state of another version.
        """
        if state.get("version") != STATE_VERSION:
            raise ValueError(f"The scheduler's state has version {state.get('version')!r}; expected {STATE_VERSION}.")
        self.reset()
        if state["engine"] is None:
            return
        for name in state["losses"]:
            if self._is_gone(name, state):
                self._say(name, f"the loss {name} of the saved state is no longer configured: it is dropped")
        known = {name.split(SEPARATOR)[0] for name in state["losses"]}
        for label in self._configured.keys() - known:
            self._say(label, f"the loss {label} is not in the saved state: it starts anew")
        self._saved = dict(state)
