"""The law on numbers alone: what it does to the multiplier when fidelity and separation are so and so."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.runtime.controller import Controller
from autocal_cli.runtime.settings import SchedulerSettings

LENGTH = 2_000
SETTINGS = SchedulerSettings.from_block(
    {
        "auto_calibrate": False, "momentum": 0.9, "adaptation_rate": 0.01, "adaptation_threshold": 0.04,
        "max_weight": 10.0, "baseline_iterations": 50, "fidelity_budget": 1.0,
    },
    LENGTH,
)  # fmt: skip


def run(fidelity, separation, steps=LENGTH, settings=SETTINGS, **options):
    """Signals by step, each a number, None, or a function of the step."""
    controller = Controller(settings, LENGTH)
    for step in range(1, steps + 1):
        signals = [signal(step) if callable(signal) else signal for signal in (fidelity, separation)]
        controller.advance(*signals, step, **options)
    return controller


HEALTHY = [
    ("within the budget, a discriminator that sees", lambda step: 2.0 if step < 60 else 1.5, 0.6),
    ("cheap, but the discriminator is nearly fooled", 2.0, 0.45),
    ("rising fidelity, as from scratch, in the early phase", lambda step: min(step, 200) / 100, 0.48),
    ("no signal at all", None, None),
    ("fidelity alone, nothing lost", 2.0, None),
    ("a discriminator that has just begun", 2.0, lambda step: 0.0 if step < 150 else 0.45),
]


@pytest.mark.parametrize(("what", "fidelity", "separation"), HEALTHY, ids=[row[0] for row in HEALTHY])
def test_a_healthy_run_is_left_alone_to_the_bit(what, fidelity, separation):
    assert run(fidelity, separation).multiplier == 1.0, what


def test_what_costs_more_than_the_budget_is_lowered():
    controller = run(lambda step: 2.0 if step < 60 else 0.7, 0.6, 300)
    assert controller.multiplier < 0.7
    assert controller.state == "lowering"


def test_a_blind_discriminator_lowers():
    assert run(2.0, lambda step: 0.6 if step < 100 else 0.1, 300).multiplier < 0.7


def test_a_discriminator_that_never_woke_lowers_after_a_while():
    assert run(2.0, 0.0, 150).multiplier == 1.0
    assert run(2.0, 0.0, 400).multiplier < 0.7


def test_no_lowering_while_fidelity_comes_back():
    fallen = run(lambda step: 2.0 if step < 60 else 0.0, 0.6, 150)
    for step in range(151, 176):  # until the averages have turned
        fallen.advance(0.02 * (step - 150), 0.6, step)
    before = fallen.log_multiplier
    for step in range(176, 196):
        fallen.advance(0.02 * (step - 150), 0.6, step)
    assert fallen.log_multiplier == before < 0.0
    assert fallen.state == "recovering"


def test_what_costs_nothing_is_raised_once_the_early_phase_is_over():
    assert run(2.0, 0.9, LENGTH // 10 - 1).multiplier == 1.0
    assert run(2.0, 0.9, LENGTH // 5).multiplier > 1.2


def test_raising_stops_at_max_weight_and_takes_a_tenth_of_the_run_for_tenfold():
    assert run(2.0, 0.9).multiplier == pytest.approx(SETTINGS.max_weight)
    fast = replace(SETTINGS, adaptation_rate=0.5)
    assert run(2.0, 0.9, LENGTH // 5, fast).multiplier <= 10.0 * 1.01


def test_a_lowered_multiplier_comes_back_no_further_than_1():
    calm = run(lambda step: 2.0 if not 60 <= step < 120 else 0.7, lambda step: 0.6 if step < 200 else 0.45)
    assert 0.3 < calm.multiplier <= 1.0
    assert calm.multiplier > run(lambda step: 2.0 if not 60 <= step < 120 else 0.7, 0.6, 160).multiplier


def test_beyond_three_decibels_the_length_of_the_run_does_not_slow_it_down():
    slow = replace(SETTINGS, adaptation_rate=0.05)
    long_run = Controller(slow, 1_000_000)
    for step in range(1, 160):
        long_run.advance(2.0 if step < 60 else -3.0, 0.6, step)
    within = Controller(slow, 1_000_000)
    for step in range(1, 160):
        within.advance(2.0 if step < 60 else 0.0, 0.6, step)
    assert long_run.multiplier < 1e-3
    assert within.multiplier > 0.9


def test_listening_only_moves_nothing():
    controller = run(lambda step: 2.0 if step < 60 else -5.0, 0.0, moves=False)
    assert controller.multiplier == 1.0
    assert controller.health() == "collapsed"


@given(st.lists(st.tuples(st.floats(-30, 10), st.floats(-1, 1)), min_size=1, max_size=60))
def test_the_multiplier_stays_within_its_bounds_and_a_resumed_law_goes_on(signals):
    settings = replace(SETTINGS, adaptation_rate=0.9, min_weight=0.2, max_weight=3.0)
    whole, cut = Controller(settings, 50), Controller(settings, 50)
    for step, (fidelity, separation) in enumerate(signals, 1):
        if step == len(signals) // 2:
            saved = cut.state_dict()
            cut = Controller(settings, 50)
            cut.load_state_dict(saved)
        assert 0.2 - 1e-9 <= whole.advance(fidelity, separation, step) <= 3.0 + 1e-9
        cut.advance(fidelity, separation, step)
    assert cut == whole


def test_what_is_not_finite_is_not_listened_to():
    assert (
        run(
            lambda step: math.nan if step % 7 == 0 else 2.0, lambda step: math.inf if step % 5 == 0 else 0.45
        ).multiplier
        == 1.0
    )


def test_in_a_long_run_a_discriminator_that_is_blind_for_tens_of_steps_is_no_reason_and_one_that_stays_blind_is():
    def separation(step):
        return 0.0 if step % 1_000 < 40 or step > 6_000 else 0.6

    long_run = Controller(SETTINGS, 400_000)
    for step in range(1, 6_001):
        long_run.advance(2.0 if step < 60 else 1.5, separation(step), step)
    assert long_run.multiplier == 1.0
    for step in range(6_001, 9_001):
        long_run.advance(1.5, separation(step), step)
    assert long_run.multiplier < 0.7
