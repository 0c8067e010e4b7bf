"""Which phases of the schedule a log reaches into. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from autocal_cli.calibration.record import Phase
from autocal_cli.replay.record import PhaseSpan
from autocal_cli.runtime.schedule import phase_at


def phase_spans(phases: Sequence[Phase], total_iter: int | None, first: int, last: int) -> Iterator[PhaseSpan]:
    """The phases from iteration `first` to `last`, in order; none for a run of unknown length."""
    start = first
    while total_iter is not None and start <= last:
        number = phases.index(phase_at(phases, start, total_iter))
        rest = range(start, last + 1)
        end = start + bisect_right(rest, number, key=lambda step: phases.index(phase_at(phases, step, total_iter)))
        yield PhaseSpan(phases[number].name, start, end - 1)
        start = end
