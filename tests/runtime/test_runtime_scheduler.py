"""The public class: resume, accumulation, shapes of losses, devices, settings."""

from __future__ import annotations

import io
import math

import pytest
import torch
from runtime_runs import BLOCK, feed, new, noisy

from autocal_cli.errors import AutocalError
from autocal_cli.runtime.scheduler import DynamicLossScheduler
from autocal_cli.runtime.settings import SchedulerSettings, run_length

ROWS = noisy(160, seed=5, probed=True, trend=1.0)
ROWS[70] |= {"mse": 9.0}
ROWS[72] |= {"gan": math.nan}


@pytest.mark.parametrize("cut", [0, 1, 7, 20, 71, 75, 100, 159])
def test_resumed_equals_uninterrupted_bit_for_bit(engine, cut):
    whole = feed(new(engine, total_iter=200), ROWS)
    first = new(engine, total_iter=200)
    feed(first, ROWS[:cut])
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = new(engine, total_iter=200)
    second.load_state_dict(torch.load(file, weights_only=True))
    second.load_state_dict(second.state_dict())  # before the first call: handed on as it is
    assert feed(second, ROWS[cut:], cut + 1) == whole[cut:]


def test_resumed_within_an_accumulated_step(engine):
    def run(cut: bool):
        scheduler = new(engine)
        for iteration, row in enumerate(ROWS[:60], 1):
            feed(scheduler, [row], iteration)
            if cut and iteration == 40:
                state = scheduler.state_dict()
                scheduler = new(engine)
                scheduler.load_state_dict(state)
            last = feed(scheduler, [{**row, "pixel": 0.3}], iteration)
        return last

    assert run(True) == run(False)


def test_two_calls_with_one_iteration_are_one_step(engine):
    twice, once = new(engine), new(engine)
    for iteration, row in enumerate(noisy(120, trend=3.0), 1):
        halves = [{name: value * share for name, value in row.items()} for share in (0.5, 1.5)]
        first, second = (feed(twice, [half], iteration)[0] for half in halves)
        assert first == second == pytest.approx(feed(once, [row], iteration)[0], rel=1e-4)
    assert twice.state_dict()["steps"] == 120


def test_calls_without_gradients_change_nothing(engine):
    """A validation between two steps, also of losses never met."""
    plain, validated = new(engine), new(engine)
    for iteration, row in enumerate(ROWS[:60], 1):
        one, other = feed(plain, [row], iteration), feed(validated, [row], iteration)
        with torch.no_grad():
            found = validated({"pixel": torch.tensor(9.0), "mse": torch.tensor(9.0)}, iteration + 1)
        assert one == other
        assert float(found["pixel"]) == one[0]["pixel"]
    with torch.no_grad():
        assert new(engine)({"pixel": torch.tensor(1.0)}, 1) == {"pixel": 1.0}


@pytest.mark.parametrize(
    ("training_config", "length"),
    [({"total_iterations": 500}, 500), ({"total_iterations": "500"}, None), ({}, None), (None, None), (7, None)],
)
def test_the_length_of_the_run_may_stand_in_the_block(training_config, length):
    block = {"auto_calibrate": False, "training_config": training_config}
    assert run_length(block) == length


def test_a_loss_first_met_in_the_second_pass_or_later(engine):
    scheduler = new(engine)
    assert feed(scheduler, [{"pixel": 0.1}]) == [{"pixel": 1.0}]
    assert feed(scheduler, [{"pixel": 0.1, "mse": 0.2}]) == [{"pixel": 1.0, "mse": 1.0}]
    assert feed(scheduler, [{"gan": 0.1}], 2) == [{"gan": 1.0}]
    assert scheduler.state_dict()["losses"] == ["pixel", "mse", "gan"]


def test_mappings_and_tuples_keep_their_shape(engine):
    scheduler = new(engine)
    raw = {"pixel": torch.tensor(0.1), "mse": {"a": torch.tensor(0.2), "b": None}, "gan": (torch.tensor(0.3), None)}
    found = scheduler(raw, 1)
    assert found["mse"].keys() == {"a", "b"}
    assert found["gan"][1] is None
    assert scheduler.get_current_weights().keys() == {"pixel", "mse/a", "gan/0"}
    assert float(scheduler.total(raw, 1)) == pytest.approx(0.1 + 0.5 * 0.2 + 0.1 * 0.3)
    with pytest.raises(TypeError, match="gan"):
        scheduler({"gan": "text"}, 2)


def test_total_keeps_the_sign_of_a_weight(engine):
    assert float(new(engine, {"pixel": -2.0}).total({"pixel": torch.tensor(0.5)}, 1)) == -1.0


def test_no_value_is_read_on_a_device():
    scheduler = new("device")
    for iteration in range(1, 60):
        output = torch.ones(2, 3, device="meta", requires_grad=True)
        raw = {"pixel": output.mean(), "gan": (output**2).mean()}
        assert scheduler.total(raw, iteration, output).device.type == "meta"
        scheduler(raw, iteration, output)
        assert scheduler.found_inf(raw).device.type == "meta"
    assert scheduler.get_monitoring_stats()["multipliers"] == {}


def test_found_inf():
    scheduler = new()
    assert float(scheduler.found_inf({"pixel": torch.tensor(1.0), "gan": torch.tensor(2.0)})) == 0.0
    assert float(scheduler.found_inf({"pixel": torch.tensor(1.0), "gan": torch.tensor(math.nan)})) == 1.0


def test_repeated_backoffs_of_the_loss_scale_are_an_event(engine):
    class Scaler:
        _scale = torch.tensor(65536.0)

    scheduler = new(engine)
    scheduler.grad_scaler = Scaler()
    for iteration, row in enumerate(noisy(10), 1):
        feed(scheduler, [row], iteration)
        Scaler._scale = Scaler._scale / 2
    assert ("*", "loss-scale back-offs") in [(event.loss, event.cause) for event in scheduler.events()]


def test_monitoring_stats_on_the_cpu(engine):
    scheduler = new(engine, {"pixel": 1.0, "mse": 1.0}, total_iter=100)
    feed(scheduler, [{"pixel": 0.1, "mse": 0.2, "pixel!": 1.0, "mse!": 3.0}])
    stats = scheduler.get_monitoring_stats()
    assert (stats["iteration"], stats["phase"]) == (1, "early")
    assert stats["shares"] == pytest.approx({"pixel": 0.25, "mse": 0.75})


def test_losses_that_came_or_went_since_the_state_are_said(engine, caplog):
    before = new(engine)
    feed(before, ROWS[:50])
    after = new(engine, {"pixel": 1.0, "mse": 0.5, "ssim": 1.0})
    after.load_state_dict(before.state_dict())
    feed(after, [{"pixel": 0.1, "mse": 0.1, "ssim": 0.3}], 51)
    assert after.state_dict()["losses"] == ["pixel", "mse", "ssim"]
    assert "gan" in caplog.text
    assert "ssim" in caplog.text


def test_a_state_of_another_version_is_refused():
    with pytest.raises(ValueError, match="version"):
        new().load_state_dict({"version": 0})


def test_settings_of_a_resolved_block_are_its_own():
    resolved = {
        "enabled": True,
        "auto_calibrate": False,
        "momentum": 0.8,
        "max_weight": 5.0,
        "phases": {"early": {"until": 0.2, "rate": 0.3, "range": 0.4}},
        "stability": {"freeze_steps": 7},
        "calibration": {"record_version": 1, "wrote": {"momentum": 0.8}},
    }
    settings = SchedulerSettings.from_block(resolved)
    assert (settings.momentum, settings.max_weight, settings.freeze_steps) == (0.8, 5.0, 7)
    assert (settings.phases[0].until, settings.phases[0].rate, settings.phases[0].range) == (0.2, 0.3, 0.4)
    assert settings.ceilings["adversarial"] == 0.1
    assert SchedulerSettings.from_block({**resolved, "ceilings": {"adversarial": 0.2}}).ceilings == {
        "adversarial": 0.2,
        "perceptual": 1.0,
    }


def test_settings_of_an_unresolved_block_are_calibrated_with_a_warning():
    with pytest.warns(UserWarning, match="not resolved"):
        settings = SchedulerSettings.from_block({"auto_calibrate": True, "max_weight": 7.0}, 40_000)
    assert settings.max_weight == 7.0
    assert settings.baseline_iterations >= 1


def test_a_block_that_is_switched_off_leaves_every_loss_as_it_is(engine):
    off = DynamicLossScheduler.from_config({**BLOCK, "enabled": False}, {"pixel": 1.0, "gan": 1.0}, 200, engine=engine)
    output = torch.ones(2, 3, 4, 4, requires_grad=True)
    for iteration in range(1, 40):
        raw = {"pixel": output.sum(), "gan": 1e6 * output.sum()}  # on, the guard would act at once
        assert {name: float(value) for name, value in off(raw, iteration, output).items()} == {"pixel": 1.0, "gan": 1.0}
    assert off.total(raw, iteration, output).item() == pytest.approx(96.0 * (1.0 + 1e6))
    assert off.get_monitoring_stats()["multipliers"] == {"pixel": 1.0, "gan": 1.0}
    assert off.events() == []
    on = DynamicLossScheduler.from_config(BLOCK, {"pixel": 1.0, "gan": 1.0}, 200, engine=engine)
    on.load_state_dict(off.state_dict())
    assert float(on(raw, 40, output)["gan"]) < 0.01  # taken up where it is switched on


@pytest.mark.parametrize(
    "wrong",
    [{"momentum": 1.5}, {"enabled": "yes"}, {"ceilings": {"gan": 2}}, {"gradient_shares": {"a": 0.6, "b": 0.6}}],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(AutocalError):
        SchedulerSettings.from_block({"auto_calibrate": False, **wrong})


@pytest.mark.parametrize("weight", [math.nan, math.inf, True, "1"])
def test_a_weight_that_is_no_number_is_refused(weight):
    with pytest.raises(AutocalError, match="pixel"):
        DynamicLossScheduler.from_config({}, {"pixel": {"type": "l1", "loss_weight": weight}})
