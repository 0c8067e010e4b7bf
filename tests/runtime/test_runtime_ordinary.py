"""The written-out step does what the general formulas do, to the bit, or nothing."""

from __future__ import annotations

import copy
import math

from hypothesis import example, given
from hypothesis import strategies as st

from autocal_cli.runtime.arithmetic import FLOATS
from autocal_cli.runtime.ordinary import ordinary_step
from autocal_cli.runtime.track import Knobs, Track, escalate, observe

values = st.one_of(st.floats(1e-3, 10.0), st.sampled_from([0.0, -1.0, math.nan, math.inf, 1e-40, 1e20]))
tracks = st.builds(
    Track,
    count=st.sampled_from([0.0, 19.0, 20.0, 21.0, 500.0]),
    mean=st.floats(-3.0, 3.0),
    variance=st.floats(0.0, 4.0),
    linear=st.booleans(),
    cusum=st.floats(0.0, 25.0),
    drift=st.floats(-3.0, 3.0),
    good_drift=st.floats(-1.0, 1.0),
    level=st.sampled_from([0.0, 0.0, 1.0]),
    quiet=st.sampled_from([0.0, 98.0, 99.0, 600.0]),
    room=st.sampled_from([1.0, 1.0, 0.5]),
)
knobs = st.builds(
    Knobs,
    momentum=st.floats(0.5, 0.999),
    rate=st.just(0.01),
    threshold=st.just(0.05),
    log_room=st.floats(0.1, 2.0),
    spike_z=st.just(6.0),
    cusum_k=st.just(0.5),
    cusum_h=st.just(20.0),
    recovery_steps=st.just(500),
    in_baseline=st.booleans(),
)
CALM = Knobs(0.9, 0.01, 0.05, 1.0, 6.0, 0.5, 20.0, 500, False)


@given(tracks, values, knobs)
@example(Track(count=100.0, mean=-1.0, variance=0.01, quiet=99.0, drift=0.3), 0.4, CALM)
def test_it_is_the_general_step(track, value, k):
    general, before = copy.copy(track), copy.copy(track)
    alarms = observe(general, value, k, FLOATS)
    escalate(general, any(alarms), any(alarms), k, FLOATS)
    if ordinary_step(track, value, k):
        assert not any(alarms)
        assert track == general
    else:
        assert track == before


def test_most_steps_are_ordinary():
    track = Track(count=100.0, mean=math.log(0.1), variance=0.01)
    assert all(ordinary_step(track, 0.1 * 1.05 ** (step % 3 - 1), CALM) for step in range(200))
