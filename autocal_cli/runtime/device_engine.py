"""The engine for accelerators: one Track of vectors over all losses. No value is read on the host, so nothing waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from autocal_cli.runtime.arithmetic import TENSORS
from autocal_cli.runtime.events import ALL_LOSSES, CAUSES, EVENTS_KEPT, Event
from autocal_cli.runtime.host_engine import BACKOFF_ALARM, BACKOFF_MEMORY
from autocal_cli.runtime.losses import LossDescription
from autocal_cli.runtime.track import (
    FIELDS,
    MASKS,
    YOUNG,
    Knobs,
    Track,
    drift_signal,
    escalate,
    log_multiplier,
    move,
    observe,
    slew_guard,
    take_probe,
)


class DeviceEngine:
    """State and update of all losses on one device, in float32. The same formulas as the host's, as vectors."""

    def __init__(self, device: torch.device, floor: float) -> None:
        self.device = device
        self.floor = floor  # log(min_weight)
        self.losses: list[LossDescription] = []
        self.track = Track()
        self.frozen = torch.zeros((), device=device)
        self.backoffs = torch.zeros((), device=device)
        # rows: (iteration, loss, cause, log m before, log m after)
        self.log = torch.zeros(EVENTS_KEPT + 1, 5, device=device, dtype=torch.float64 if device.type != "mps" else None)
        self.logged = torch.zeros((), device=device, dtype=torch.int64)
        self._constants()

    def add(self, loss: LossDescription) -> None:
        fresh = Track()
        for name in FIELDS:
            kind = torch.bool if name in MASKS else torch.float32
            new = torch.tensor([getattr(fresh, name)], dtype=kind).to(self.device)
            old = getattr(self.track, name)
            setattr(self.track, name, torch.cat([old, new]) if self.losses else new)
        self.losses.append(loss)
        self._constants()

    def _constants(self) -> None:
        def column(values: list[Any], dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.tensor(values, dtype=dtype).to(self.device)

        self.weights = column([abs(loss.weight) for loss in self.losses])
        self.exponents = column([loss.exponent for loss in self.losses])
        self.drifting = column([loss.drifts for loss in self.losses], torch.bool)
        self.indices = column(list(range(len(self.losses))))

    @torch.no_grad()
    def advance(self, values: Tensor, iteration: int, k: Knobs, freeze_steps: int, slew: float | None) -> None:
        """Takes in the values of one step, (L,) rank averages, and moves every multiplier."""
        track = self.track
        frozen = self.frozen > 0.0
        before = self.log_multipliers()
        spike, diverging, broken = observe(track, values, k, TENSORS)
        alarm = spike | diverging | broken
        fresh = alarm & ~frozen
        escalate(track, alarm, fresh, k, TENSORS)
        left = torch.where(frozen, self.frozen - 1.0, self.frozen)
        self.frozen = torch.where(fresh.any(), torch.full_like(left, float(freeze_steps)), left)
        held = self.frozen > 0.0
        if not k.in_baseline:
            self._drift(k, held)
        slew_guard(track, slew, held, TENSORS)
        cause = torch.where(broken, 2.0, torch.where(diverging, 1.0, 0.0))
        self._record(fresh | broken, iteration, self.indices, cause, before, self.log_multipliers())

    def _drift(self, k: Knobs, held: Tensor) -> None:
        signal, there = drift_signal(self.track, self.exponents, TENSORS)
        heard = there & self.drifting
        mean = torch.where(heard, signal, 0.0).sum() / heard.sum().clamp(min=1)
        move(self.track, signal - mean, heard & ~held, k, TENSORS)

    def _record(self, mask: Tensor, iteration: int, loss: Tensor, cause: Tensor, before: Tensor, after: Tensor) -> None:
        """Appends the rows under the mask to a ring; the others land in a spare row behind it."""
        position = (self.logged + torch.cumsum(mask.long(), 0) - 1) % EVENTS_KEPT
        position = torch.where(mask, position, EVENTS_KEPT)
        rows = torch.stack([torch.full_like(before, float(iteration)), loss, cause, before, after], dim=1)
        self.log = self.log.index_put((position,), rows.to(self.log.dtype))
        self.logged = self.logged + mask.sum()

    @torch.no_grad()
    def take_scale(self, backed_off: Tensor, iteration: int, freeze_steps: int) -> None:
        """Counts the loss scale's back-offs; repeated ones freeze the multipliers."""
        counted = self.backoffs * BACKOFF_MEMORY + backed_off.float()
        alarm = counted > BACKOFF_ALARM
        self.backoffs = torch.where(alarm, torch.zeros_like(counted), counted)
        self.frozen = torch.where(alarm, torch.full_like(self.frozen, float(freeze_steps)), self.frozen)
        row = torch.zeros(1, device=self.device)
        self._record(
            alarm.reshape(1), iteration, row + ALL_LOSSES, row + CAUSES.index("loss-scale back-offs"), row, row
        )

    @torch.no_grad()
    def take_probe(self, norms: Tensor, k: Knobs) -> None:
        measured = torch.isfinite(norms) & (norms > 0.0)
        logs = torch.where(measured, norms, 1.0).log()
        take_probe(self.track, logs, measured, k, TENSORS)

    @torch.no_grad()
    def pulls(self) -> Tensor:
        """(L,) pulls without guard, |w_i| exp(drift_i) G_i, G_i not smoothed where it grows; 0: never probed."""
        pull = self.weights * torch.exp(self.track.drift + self.track.log_peak)
        return torch.where(self.track.probes > 0.5, pull, 0.0)

    @torch.no_grad()
    def set_goals(self, goals: Tensor, at_once: bool) -> None:
        self.track.guard_goal = goals
        self.track.guard = goals if at_once else torch.where(self.track.probes <= YOUNG, goals, self.track.guard)

    def log_multipliers(self) -> Tensor:
        log: Tensor = log_multiplier(self.track, self.floor, TENSORS)
        return log

    def guards(self) -> Tensor:
        guard: Tensor = self.track.guard
        return guard

    def read_events(self) -> list[Event]:
        """The events kept, oldest first. Waits for the device: for logs and checkpoints, not for steps."""
        logged = int(self.logged)
        rows = self.log.tolist()
        order = range(max(0, logged - EVENTS_KEPT), logged)
        return [self._event(rows[position % EVENTS_KEPT]) for position in order]

    def _event(self, row: list[float]) -> Event:
        iteration, loss, cause, before, after = row
        label = "*" if int(loss) == ALL_LOSSES else self.losses[int(loss)].label
        factors = torch.tensor([before, after]).exp().tolist()
        return Event(int(iteration), label, CAUSES[int(cause)], *factors)

    def state(self) -> dict[str, Any]:
        on_mps = self.device.type == "mps"  # which knows no float64
        columns = {name: getattr(self.track, name) for name in FIELDS}
        fields = {name: (column.cpu() if on_mps else column).double() for name, column in columns.items()}
        return {
            "tracks": fields,
            "frozen": self.frozen.clone(),
            "backoffs": self.backoffs.clone(),
        }

    def load(self, state: dict[str, Any], rows: Sequence[int]) -> None:
        """Takes a saved state; `rows` says which saved row each loss has. Events are not saved."""
        for name in FIELDS:
            saved = state["tracks"][name].tolist()
            values = [saved[row] for row in rows]
            kind = torch.bool if name in MASKS else torch.float32
            setattr(self.track, name, torch.tensor(values, dtype=torch.float64).to(kind).to(self.device))
        self.frozen = state["frozen"].float().to(self.device)
        self.backoffs = state["backoffs"].float().to(self.device)
