"""What the scheduler remembers of a loss, and the formulas that move it. Written once for floats and for tensors.

    v = log L                         (L itself once it was ever negative)
    s <- s + alpha d                  d = v - s, at most 3 deviations; alpha = 1 - momentum, 1/n in the first steps
    z = d / sigma                     sigma: deviation of d, over a longer memory
    C <- max(0, C + min(z, 6) - k)    one-sided CUSUM
    r = log(G_base / G)               where the gradient G at the network's output is probed, else
    r = a (b - s)                     b: mean of v over the baseline; a: by kind of loss
    drift += rate clip(softshrink(target - drift, threshold), -1, 1)      target = r - mean of r over all that drift
    log m = max(drift + guard, log min_weight)

Source: section 7 of the project's design; memory and floors are chosen, untested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from autocal_cli.calibration.model import Phase
from autocal_cli.runtime.arithmetic import Arithmetic, Number
from autocal_cli.runtime.settings import SchedulerSettings

TINY = 1e-30  # values below count as this before the logarithm
HUGE = 1e15  # what is larger counts as not finite: its square would leave float32
WINSOR = 3.0  # deviations by which one step may move the mean
CUSUM_CLIP = 6.0  # so that one spike alone is no divergence
WARM_UP = 20  # observed steps before a deviation means anything
DEVIATION_MOMENTUM = 0.99
DEVIATION_FLOOR = 0.01  # of a log-loss, or of a linear loss's size: a constant loss must not alarm at its first breath
GOOD_AFTER = 100  # quiet steps after which the multipliers count as good
YOUNG = 10  # probes of a loss up to which its guard acts at once, whenever it joins (chosen, untested)
PROBE_MEMORY = 0.3  # weight of a new probe in the smoothed log-gradient


@dataclass(slots=True)
class Track:
    """The state of one loss (floats and bools), or of all losses (tensors of one shape)."""

    count: Number = 0.0
    mean: Number = 0.0
    variance: Number = 0.0
    linear: Number = False
    cusum: Number = 0.0
    base_sum: Number = 0.0
    base_count: Number = 0.0
    log_gradient: Number = 0.0
    log_peak: Number = 0.0
    probes: Number = 0.0
    base_gradient_sum: Number = 0.0
    base_probes: Number = 0.0
    drift: Number = 0.0
    good_drift: Number = 0.0
    guard: Number = 0.0
    guard_goal: Number = 0.0
    level: Number = 0.0
    quiet: Number = 0.0
    room: Number = 1.0


FIELDS = tuple(field.name for field in fields(Track))
MASKS = frozenset({"linear"})


@dataclass(frozen=True, slots=True)
class Knobs:
    """What one step needs of settings and phase. `log_room`: the largest |drift|, phase included."""

    momentum: float
    rate: float
    threshold: float
    log_room: float
    spike_z: float
    cusum_k: float
    cusum_h: float
    recovery_steps: int
    in_baseline: bool


def knobs_for(settings: SchedulerSettings, phase: Phase, in_baseline: bool) -> Knobs:
    """The calibrated numbers as the phase changes them."""
    return Knobs(
        momentum=settings.momentum,
        rate=settings.adaptation_rate * phase.rate,
        threshold=settings.adaptation_threshold,
        log_room=math.log(settings.max_weight) * phase.range,
        spike_z=settings.spike_z,
        cusum_k=settings.cusum_k,
        cusum_h=settings.cusum_h,
        recovery_steps=settings.recovery_steps,
        in_baseline=in_baseline,
    )


def observe(t: Track, value: Number, k: Knobs, a: Arithmetic) -> tuple[Number, Number, Number]:
    """Takes in a raw loss value. Returns the masks spike, divergence, not finite. What is not finite is left out."""
    finite = a.both(a.finite(value), abs(value) < HUGE)
    turned = a.both(a.both(finite, value < 0.0), a.no(t.linear))  # crosses zero for the first time: start anew
    t.linear = a.either(t.linear, turned)
    seen = a.both(finite, a.either(a.both(t.linear, value != 0.0), value > 0.0))  # 0: absent, or nothing to learn
    v = a.where(t.linear, value, a.log(a.least(value, TINY)))
    n = a.where(turned, 1.0, t.count + 1.0)
    warm, first = n > WARM_UP, n < 1.5
    d = a.where(seen, v - t.mean, 0.0)
    floor = a.where(t.linear, DEVIATION_FLOOR * (abs(t.mean) + TINY), DEVIATION_FLOOR)
    sigma = a.sqrt(t.variance)
    sigma = a.where(sigma < floor, floor, sigma)
    z = a.where(warm, d / sigma, 0.0)
    reach = WINSOR * sigma
    d = a.where(warm, a.clamp(d, -reach, reach), d)
    alpha = a.least(1.0 / n, 1.0 - k.momentum)
    alpha_variance = a.least(1.0 / n, 1.0 - DEVIATION_MOMENTUM)
    squared = a.where(first, 0.0, d * d)
    t.count = a.where(seen, n, t.count)
    t.mean = a.where(seen, t.mean + alpha * d, t.mean)
    variance = a.where(first, 0.0, t.variance)
    t.variance = a.where(seen, variance + alpha_variance * (squared - variance), t.variance)
    cusum = a.least(t.cusum + a.clamp(z, -CUSUM_CLIP, CUSUM_CLIP) - k.cusum_k, 0.0)
    diverging = a.both(seen, cusum > k.cusum_h)
    t.cusum = a.where(diverging, 0.0, a.where(seen, cusum, t.cusum))
    if k.in_baseline:
        usable = a.both(seen, a.no(t.linear))
        t.base_sum = t.base_sum + a.where(usable, v, 0.0)
        t.base_count = t.base_count + a.where(usable, 1.0, 0.0)
    return a.both(seen, z > k.spike_z), diverging, a.no(finite)


def escalate(t: Track, alarm: Number, fresh: Number, k: Knobs, a: Arithmetic) -> None:
    """Answers alarms. `fresh`: an alarm while nothing is frozen.

    The first one freezes; the second within recovery_steps halves the loss's room; from the third on its drift returns
    to where it last was good.
    """
    t.quiet = a.where(alarm, 0.0, t.quiet + 1.0)
    t.level = a.where(fresh, t.level + 1.0, a.where(t.quiet >= k.recovery_steps, 0.0, t.level))
    halved = a.both(fresh, t.level >= 2.0)
    recovered = t.room + 0.5 / k.recovery_steps
    t.room = a.where(halved, 0.5 * t.room, a.where(t.quiet > 0.0, a.where(recovered > 1.0, 1.0, recovered), t.room))
    room = k.log_room * t.room
    t.drift = a.clamp(a.where(a.both(fresh, t.level >= 3.0), t.good_drift, t.drift), -room, room)
    t.good_drift = a.where(t.quiet >= GOOD_AFTER, t.drift, t.good_drift)


def take_probe(t: Track, log_gradient: Number, measured: Number, k: Knobs, a: Arithmetic) -> None:
    """Takes in the log of a loss's gradient norm; nothing where it was not `measured`."""
    fresh = a.both(measured, t.probes < 0.5)
    smoothed = t.log_gradient + PROBE_MEMORY * (log_gradient - t.log_gradient)
    t.log_gradient = a.where(measured, a.where(fresh, log_gradient, smoothed), t.log_gradient)
    # The guard must not lag behind a discriminator that learns: log_peak = max(newest, smoothed).
    peak = a.where(log_gradient > t.log_gradient, log_gradient, t.log_gradient)
    t.log_peak = a.where(measured, peak, t.log_peak)
    t.probes = t.probes + a.where(measured, 1.0, 0.0)
    in_base = measured if k.in_baseline else a.both(measured, t.base_probes < 0.5)
    t.base_gradient_sum = t.base_gradient_sum + a.where(in_base, log_gradient, 0.0)
    t.base_probes = t.base_probes + a.where(in_base, 1.0, 0.0)


def drift_signal(t: Track, exponent: Number, a: Arithmetic) -> tuple[Number, Number]:
    """r, and whether there is one: by the gradient where it was probed, else by the value."""
    probed = t.base_probes > 0.5
    by_gradient = t.base_gradient_sum / a.least(t.base_probes, 1.0) - t.log_gradient
    valued = a.both(t.base_count > 0.5, a.no(t.linear))
    by_value = exponent * (t.base_sum / a.least(t.base_count, 1.0) - t.mean)
    return a.where(probed, by_gradient, by_value), a.either(probed, valued)


def move(t: Track, target: Number, moves: Number, k: Knobs, a: Arithmetic) -> None:
    """Moves the drift towards its target where it `moves`, and keeps it within its room."""
    room = k.log_room * t.room
    gap = target - t.drift
    beyond = a.least(abs(gap) - k.threshold, 0.0)  # softshrink: what exceeds the dead band
    step = k.rate * a.where(beyond > 1.0, 1.0, beyond)
    t.drift = a.clamp(t.drift + a.where(moves, a.where(gap < 0.0, -step, step), 0.0), -room, room)


def log_multiplier(t: Track, floor: float, a: Arithmetic) -> Number:
    """log m; `floor` is log(min_weight), below which drift and guard together take nothing."""
    return a.least(t.drift + t.guard, floor)


def slew_guard(t: Track, slew: float | None, held: Number, a: Arithmetic) -> None:
    """Moves the guard towards its goal by at most `slew` (None: at once); while `held` it only tightens."""
    change = t.guard_goal - t.guard
    if slew is not None:
        change = a.clamp(change, -slew, slew)
    t.guard = t.guard + a.where(a.both(held, change > 0.0), 0.0, change)
