"""The watch: what it names, and what it must not."""

from __future__ import annotations

import math
import random

import pytest

from autocal_cli.runtime.settings import SchedulerSettings
from autocal_cli.runtime.watch import Event, Watch

SETTINGS = SchedulerSettings.from_block({"auto_calibrate": False}, 10_000)
STEPS = 3_000


def values(kind, seed=0):
    """A loss's values: `kind` of noise around a slow fall."""
    rng = random.Random(seed)
    for step in range(STEPS):
        level = 0.1 * math.exp(-step / 4_000)
        noise = {"normal": rng.gauss(0, 0.1), "heavy": rng.gauss(0, 0.05) / max(rng.random(), 0.2), "none": 0.0}[kind]
        yield level * math.exp(noise)


def watched(rows, learning=frozenset()):
    watch = Watch(SETTINGS, 10_000)
    for step, value in enumerate(rows, 1):
        watch.take(step, {"l1": value}, learning)
    return watch


@pytest.mark.parametrize("kind", ["normal", "none"])
@pytest.mark.parametrize("seed", range(3))
def test_ordinary_noise_is_no_event(kind, seed):
    assert watched(values(kind, seed)).events == []


def test_a_spike_is_named_once():
    rows = list(values("normal"))
    rows[2_000] *= 20
    (event,) = watched(rows).events
    assert (event.iteration, event.loss) == (2_001, "l1")
    assert "spike" in event.cause


def test_a_slow_rise_is_divergence_but_not_of_an_adversarial_loss():
    rows = [value * math.exp(max(step - 1_500, 0) / 300) for step, value in enumerate(values("normal"))]
    causes = {event.cause.split()[0] for event in watched(rows).events}
    assert "divergence" in causes
    assert not watched(rows, learning=frozenset({"l1"})).events


@pytest.mark.parametrize(("loss", "line"), [("l1", "iteration 5: l1: spike; done"), ("*", "iteration 5: spike; done")])
def test_what_is_of_no_loss_alone_names_none_in_the_log(loss, line):
    assert str(Event(5, loss, "spike", "done")) == line


def test_loss_scale_that_grows_is_ordinary_and_back_offs_are_not():
    watch = Watch(SETTINGS, 10_000)
    for step, scale in enumerate([1024.0, 2048.0, 4096.0, 2048.0, 4096.0, 4096.0], 1):
        watch.take_scale(step, scale)
    assert [event.iteration for event in watch.events] == [4]


def test_health_is_said_when_it_changes_with_its_first_step():
    watch = Watch(SETTINGS, 1_000)
    states = ["unknown"] * 5 + ["healthy"] * 20 + ["blind"] * 30 + ["healthy"] * 20 + ["dominates"] * 40
    for step, health in enumerate(states, 1):
        watch.judge(step, health)
    assert [(event.iteration, event.cause) for event in watch.events] == [
        (26, "discriminator blind"),
        (56, "discriminator healthy"),
        (76, "discriminator dominates"),
    ]


def test_a_health_that_does_not_last_is_no_event():
    watch = Watch(SETTINGS, 1_000)
    for step, health in enumerate((["healthy"] * 15 + ["blind"] * 15) * 5, 1):
        watch.judge(step, health)
    assert watch.events == []


def test_events_and_averages_survive_a_checkpoint():
    rows = list(values("normal"))
    rows[1_000] *= 20
    whole = watched(rows)
    cut = watched(rows[:1_500])
    resumed = Watch(SETTINGS, 10_000)
    resumed.load_state_dict(cut.state_dict())
    for step, value in enumerate(rows[1_500:], 1_501):
        resumed.take(step, {"l1": value}, frozenset())
    assert resumed == whole
