"""Which phases of the schedule a log reaches into. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from autocal_cli.calibration.record import Phase
from autocal_cli.replay.record import PhaseSpan
from autocal_cli.runtime.schedule import phase_at


def phase_spans(phases: Sequence[Phase], total_iter: int | None, first: int, last: int) -> Iterator[PhaseSpan]:
    """The phases that the log reaches into; none for a run of unknown length."""
    start = first
    while total_iter is not None and start <= last:
        phase = phase_at(phases, start, total_iter)
        # The last iteration with iteration / total_iter < until; the last phase goes on past its end.
        end = last if phase is phases[-1] else min(last, math.ceil(phase.until * total_iter) - 1)
        while end < last and phase_at(phases, end + 1, total_iter) is phase:  # until * total_iter was rounded
            end += 1
        yield PhaseSpan(phase.name, start, max(start, end))
        start = max(start, end) + 1
