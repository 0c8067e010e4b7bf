"""What follows from the step count alone, so that every rank knows it without asking: probes and phases."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autocal_cli.calibration.model import Phase

# (up to this step, every so many steps). Source: section 7 of the project's design. Measured (benchmarks/RESULTS.md,
# "Probes and slew"): from step 100 on, every 5 to 25 steps cannot be told apart, every 100 are too few.
PROBES = ((10, 1), (100, 5), (1000, 25), (math.inf, 100))
# With an adversarial loss. While its discriminator learnt, its gradient grew 33-fold in 100 steps, which probes every
# 25 steps saw too late (benchmarks/RESULTS.md). From step 1,000 on: chosen, so that probes stay cheap.
PROBES_ADVERSARIAL = ((10, 1), (100, 5), (1000, 10), (math.inf, 25))
AT_ONCE_UNTIL = 100  # up to here the guard acts at once: at an adversarial weight of 5.0 all was lost within 70 steps


def probe_due(step: int, adversarial: bool = False) -> bool:
    """Whether the gradients are probed at this step: often at first, then more rarely; see above for `adversarial`."""
    every = next(every for until, every in (PROBES_ADVERSARIAL if adversarial else PROBES) if step <= until)
    return step % every == 0


def phase_at(phases: Sequence[Phase], step: int, total_iter: int | None) -> Phase:
    """The phase of a step; a run of unknown length is always in the one that changes nothing, else the first."""
    if total_iter is None:
        return next((phase for phase in phases if phase.rate == phase.range == 1.0), phases[0])
    progress = step / total_iter
    return next((phase for phase in phases if progress < phase.until), phases[-1])
