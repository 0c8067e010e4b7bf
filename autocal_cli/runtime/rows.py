"""The losses that a scheduler has met, a row each: what is remembered of them, on the device where they live."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from autocal_cli.runtime.accumulate import StepValues
from autocal_cli.runtime.device_engine import DeviceEngine
from autocal_cli.runtime.guard import Guard, shares
from autocal_cli.runtime.host_engine import HostEngine
from autocal_cli.runtime.losses import ADVERSARIAL
from autocal_cli.runtime.ranks import average_over_ranks
from autocal_cli.runtime.roster import Roster
from autocal_cli.runtime.track import Knobs

Choice = Literal["auto", "host", "device"]


class Rows:
    """State and multipliers of all losses met so far, and the values of the step under way.

    Args:
        roster: what is known of each loss by name.
        min_weight: the floor of the multipliers.
        device: where the losses are.
        choice: "host" for Python floats, "device" for tensors and no read, "auto" for the first on the CPU alone.
    """

    def __init__(self, roster: Roster, min_weight: float, device: torch.device, choice: Choice) -> None:
        self.device = device
        self.index: dict[str, int] = {}  # name of a loss -> its row
        self.by_name: dict[str, Tensor] = {}  # multipliers, 0-dim
        self.adversarial = False  # whether a loss is
        self._roster = roster
        self._on_host = choice == "host" or (choice == "auto" and device.type == "cpu")
        floor = math.log(min_weight)
        self.engine: HostEngine | DeviceEngine = HostEngine(floor) if self._on_host else DeviceEngine(device, floor)
        self._values = StepValues(self._on_host)
        self._guard: Guard | None = None  # kept: a copy from the host would wait for the device
        self._weights = torch.empty(0)  # (L,) as configured
        self._coefficients: Tensor | None = None  # (L,) weights times multipliers
        self._log_multipliers: Any = None

    def add(self, names: Iterable[str]) -> None:
        """A row for each name, with multiplier 1."""
        for name in names:
            self.index[name] = len(self.index)
            self.engine.add(self._roster.describe(name))
        self._guard = None
        self._log_multipliers = None
        self.adversarial = any(loss.kind == ADVERSARIAL for loss in self.engine.losses)
        self._weights = torch.tensor([loss.weight for loss in self.engine.losses]).to(self.device)
        self.refresh()

    def refresh(self) -> None:
        """Makes the multiplier tensors anew where a multiplier changed."""
        logs = self.engine.log_multipliers()
        if isinstance(logs, list):
            if logs == self._log_multipliers:
                return
            multipliers = torch.tensor([math.exp(log) for log in logs], device=self.device)
        else:
            multipliers = torch.exp(logs)
        self.by_name = dict(zip(self.index, multipliers.unbind(), strict=True))
        self._log_multipliers, self._coefficients = logs, None

    def coefficients(self, names: Sequence[str]) -> Tensor:
        """Weights times multipliers of these losses, (len(names),); kept as long as no multiplier changes."""
        if self._coefficients is None:
            self._coefficients = self._weights * torch.stack(list(self.by_name.values()))
        if list(names) == list(self.index):
            return self._coefficients
        each = self._coefficients.unbind()
        return torch.stack([each[self.index[name]] for name in names])

    # -- a step ---------------------------------------------------------------------------------------------------

    def observe(self, named: Mapping[str, Tensor]) -> None:
        """Adds the raw values of one forward pass to the step under way."""
        self._values.add(named, self.index)

    def close_step(self, norms: Mapping[str, Tensor] | None, probing: bool) -> tuple[Any, Tensor | None]:
        """Ends the step under way. Returns its mean values and the gradient norms (L,), averaged over the ranks."""
        means = self._values.means(len(self.index))
        self._values = StepValues(self._on_host)
        probed = self._in_order(norms).to(self.device) if norms else None
        return average_over_ranks(means, probed, len(self.index), probing, self.device)

    def take_probe(self, norms: Tensor, knobs: Knobs, at_once: bool) -> None:
        """Takes in gradient norms (L,), and sets what the guard is to reach."""
        self.engine.take_probe(norms, knobs)
        if self._guard is None:
            self._guard = self._roster.guard(self.engine.losses, self.engine.floor).to(norms.device)
        self.engine.set_goals(self._guard.goals(self.engine.pulls()), at_once=at_once)

    def _in_order(self, norms: Mapping[str, Tensor]) -> Tensor:
        """(L,) float32, 0 for a loss that has no norm."""
        none = next(iter(norms.values())).new_zeros((), dtype=torch.float32)
        return torch.stack([norms.get(name, none) for name in self.index])

    # -- logs and checkpoints -------------------------------------------------------------------------------------

    def numbers(self) -> Tensor:
        """(2 L + 1,) multipliers, shares of the pull, number of events."""
        engine = self.engine
        logs, pull = torch.as_tensor(engine.log_multipliers()), engine.pulls()
        now = pull * torch.exp(torch.as_tensor(engine.guards()).to(pull))
        counted = torch.as_tensor(engine.logged).reshape(1)
        return torch.cat([torch.exp(logs).float(), shares(now).float(), counted.float()])

    def state(self) -> dict[str, Any]:
        """What `load` needs, with the names of the losses."""
        engine = self.engine.state() if self.index else None
        return {"losses": list(self.index), "engine": engine, "values": self._values.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes up a saved state, without the losses that are no longer configured. There must be no rows yet."""
        kept = {name: row for row, name in enumerate(state["losses"]) if not self._roster.is_gone(name, state)}
        self.add(kept)
        self.engine.load(state["engine"], list(kept.values()))
        self._values = StepValues.from_state(state["values"], list(kept.values()), self._on_host, self.device)
        self.refresh()
