"""The engine for the CPU: one Track of Python floats a loss."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from autocal_cli.runtime.arithmetic import FLOATS
from autocal_cli.runtime.events import CAUSES, EVENTS_KEPT, Event
from autocal_cli.runtime.losses import LossDescription
from autocal_cli.runtime.ordinary import ordinary_step
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

BACKOFF_MEMORY = 0.99  # a step; three back-offs within about a hundred steps are a signal, one is ordinary
BACKOFF_ALARM = 2.5


class HostEngine:
    """State and update of all losses on the host. Values are floats; nothing here waits for a device."""

    def __init__(self, floor: float) -> None:
        self.floor = floor  # log(min_weight)
        self.losses: list[LossDescription] = []
        self.tracks: list[Track] = []
        self.frozen = 0
        self.backoffs = 0.0
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.logged = 0

    def add(self, loss: LossDescription) -> None:
        self.losses.append(loss)
        self.tracks.append(Track())

    def advance(self, values: Sequence[float], iteration: int, k: Knobs, freeze_steps: int, slew: float | None) -> None:
        """Takes in the values of one step (rank averages; 0: not seen) and moves every multiplier."""
        frozen = self.frozen > 0
        alarmed: list[tuple[int, str, float]] = []
        for index, track in enumerate(self.tracks):
            if ordinary_step(track, values[index], k):
                continue
            spike, diverging, broken = observe(track, values[index], k, FLOATS)
            alarm = spike or diverging or broken
            if alarm and (broken or not frozen):
                cause = CAUSES[2] if broken else CAUSES[1] if diverging else CAUSES[0]
                alarmed.append((index, cause, log_multiplier(track, self.floor, FLOATS)))
            escalate(track, alarm, alarm and not frozen, k, FLOATS)
        if alarmed and not frozen:
            self.frozen = freeze_steps
        elif frozen:
            self.frozen -= 1
        held = self.frozen > 0
        if not (k.in_baseline or held):
            self._drift(k)
        for track in self.tracks:
            if track.guard != track.guard_goal:
                slew_guard(track, slew, held, FLOATS)
        for index, cause, before in alarmed:
            after = math.exp(log_multiplier(self.tracks[index], self.floor, FLOATS))
            self._record(Event(iteration, self.losses[index].label, cause, math.exp(before), after))

    def _record(self, event: Event) -> None:
        self.events.append(event)
        self.logged += 1

    def _drift(self, k: Knobs) -> None:
        """Moves each drifting loss towards its signal, relative to the mean of all that drift."""
        signals = [
            (track, *drift_signal(track, loss.exponent, FLOATS))
            for track, loss in zip(self.tracks, self.losses, strict=True)
            if loss.drifts
        ]
        heard = [signal for _, signal, there in signals if there]
        mean = sum(heard) / len(heard) if heard else 0.0
        for track, signal, there in signals:
            move(track, signal - mean, there, k, FLOATS)

    def take_scale(self, backed_off: bool, iteration: int, freeze_steps: int) -> None:
        """Counts the loss scale's back-offs; repeated ones freeze the multipliers."""
        self.backoffs = self.backoffs * BACKOFF_MEMORY + float(backed_off)
        if self.backoffs > BACKOFF_ALARM:
            self.backoffs = 0.0
            self.frozen = freeze_steps
            self._record(Event(iteration, "*", CAUSES[3], 1.0, 1.0))

    def take_probe(self, norms: Tensor, k: Knobs) -> None:
        for track, norm in zip(self.tracks, norms.tolist(), strict=True):
            measured = math.isfinite(norm) and norm > 0.0
            take_probe(track, math.log(norm) if measured else 0.0, measured, k, FLOATS)

    def pulls(self) -> Tensor:
        """(L,) pulls without guard, |w_i| exp(drift_i) G_i, G_i not smoothed where it grows; 0: never probed."""
        return torch.tensor(
            [
                abs(loss.weight) * math.exp(track.drift + track.log_peak) if track.probes else 0.0
                for track, loss in zip(self.tracks, self.losses, strict=True)
            ]
        )

    def set_goals(self, goals: Tensor, at_once: bool) -> None:
        for track, goal in zip(self.tracks, goals.tolist(), strict=True):
            track.guard_goal = goal
            if at_once or track.probes <= YOUNG:
                slew_guard(track, None, False, FLOATS)

    def log_multipliers(self) -> list[float]:
        return [log_multiplier(track, self.floor, FLOATS) for track in self.tracks]

    def guards(self) -> list[float]:
        return [track.guard for track in self.tracks]

    def read_events(self) -> list[Event]:
        return list(self.events)

    def state(self) -> dict[str, Any]:
        fields = {
            name: torch.tensor([float(getattr(track, name)) for track in self.tracks], dtype=torch.float64)
            for name in FIELDS
        }
        return {"tracks": fields, "frozen": torch.tensor(self.frozen), "backoffs": torch.tensor(self.backoffs).double()}

    def load(self, state: dict[str, Any], rows: Sequence[int]) -> None:
        """Takes a saved state; `rows` says which saved row each loss has. Events are not saved."""
        columns = {name: state["tracks"][name].tolist() for name in FIELDS}
        for index, row in enumerate(rows):
            for name, column in columns.items():
                setattr(self.tracks[index], name, bool(column[row]) if name in MASKS else column[row])
        self.frozen = int(state["frozen"])
        self.backoffs = float(state["backoffs"])
