"""The step in which nothing happens, written out for floats: most steps of a run, at a third of the time.

The formulas are `observe` and `escalate` of track.py, to the bit, without what is known beforehand: the
value is sound, the loss is judged by its logarithm, was seen often enough, and is under no correction.
"""

from __future__ import annotations

import math

from autocal_cli.runtime.track import (
    CUSUM_CLIP,
    DEVIATION_FLOOR,
    DEVIATION_MOMENTUM,
    GOOD_AFTER,
    HUGE,
    TINY,
    WARM_UP,
    WINSOR,
    Knobs,
    Track,
)

_DEVIATION_ALPHA = 1.0 - DEVIATION_MOMENTUM


def ordinary_step(t: Track, value: float, k: Knobs) -> bool:
    """Takes in a value if the step is ordinary; else changes nothing and returns False."""
    if not TINY <= value < HUGE or k.in_baseline or t.count < WARM_UP or t.linear or t.level or t.room != 1.0:
        return False
    d = math.log(value) - t.mean
    sigma = math.sqrt(t.variance)
    if sigma < DEVIATION_FLOOR:
        sigma = DEVIATION_FLOOR
    z = d / sigma
    cusum = t.cusum + (-CUSUM_CLIP if z < -CUSUM_CLIP else CUSUM_CLIP if z > CUSUM_CLIP else z) - k.cusum_k
    if z > k.spike_z or cusum > k.cusum_h:
        return False
    reach = WINSOR * sigma
    d = -reach if d < -reach else reach if d > reach else d
    t.count = n = t.count + 1.0
    alpha, slowest = 1.0 / n, 1.0 - k.momentum
    t.mean += (slowest if alpha < slowest else alpha) * d
    t.variance += (_DEVIATION_ALPHA if alpha < _DEVIATION_ALPHA else alpha) * (d * d - t.variance)
    t.cusum = 0.0 if cusum < 0.0 else cusum
    t.quiet += 1.0
    room = k.log_room
    t.drift = -room if t.drift < -room else room if t.drift > room else t.drift
    if t.quiet >= GOOD_AFTER:
        t.good_drift = t.drift
    return True
