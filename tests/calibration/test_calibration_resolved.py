"""A calibration survives being written into a block and read from it, and damage is told in one line."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autocal_cli.calibration.block import leaves, read_overrides
from autocal_cli.calibration.model import Calibration, Presets
from autocal_cli.calibration.resolved import (
    has_record,
    record_of,
    recorded_calibration,
    recorded_dataset,
    resolved_values,
)
from autocal_cli.config.model import SchedulingBlock, Value
from autocal_cli.dataset.model import DatasetFingerprint
from autocal_cli.errors import AutocalError
from autocal_cli.report.calibration import calibration_view, explanation_view
from autocal_cli.report.console import show
from autocal_cli.report.json import calibration_json, dump

Block = Callable[..., SchedulingBlock]


def written(calibration: Calibration) -> dict[str, Value]:
    return {**resolved_values(calibration), "calibration": record_of(calibration, "f" * 64, "BasicSR")}


@given(
    parameters=st.none() | st.integers(1, 10**9),
    score=st.none() | st.floats(0, 1),
    failed=st.integers(0, 3),
    total_iter=st.none() | st.integers(1, 10**8),
    adversarial=st.booleans(),
    values=st.fixed_dictionaries(
        {},
        optional={
            "enabled": st.booleans(),
            "momentum": st.floats(0, 0.99),
            "max_weight": st.integers(1, 50),
            "phases": st.just({"late": {"rate": 0.5}}),
            "training_config": st.just({"dataset_info": {"edge_density": 0.7}}),
        },
    ),
)
@settings(max_examples=100, deadline=None)
def test_what_was_recorded_is_what_was_calibrated(
    parameters: int | None,
    score: float | None,
    failed: int,
    total_iter: int | None,
    adversarial: bool,
    values: dict[str, Value],
    calibrated: Callable[..., Calibration],
    measured: Callable[..., DatasetFingerprint],
    block: Block,
    presets: Presets,
) -> None:
    dataset = None if score is None else measured(round(score, 4), failed=failed)
    made = calibrated(None, parameters, dataset=dataset, total_iter=total_iter, adversarial=adversarial, values=values)
    there = block(written(made))
    found = recorded_calibration(there, read_overrides(there, {}, presets).values)
    assert found.parameters == made.parameters
    assert (found.network, found.placement) == (replace(made.network, findings=()), made.placement)
    assert (found.dataset_info, found.phases, found.stability) == (made.dataset_info, made.phases, made.stability)
    assert (found.total_iter, found.manual, found.presets_version) == (total_iter, made.manual, presets.version)
    assert record_of(found, "f" * 64, "BasicSR") == record_of(made, "f" * 64, "BasicSR")
    assert resolved_values(found) == resolved_values(made)


def test_a_recorded_dataset_is_written_again_as_it_was(
    calibrated: Callable[..., Calibration], measured: Callable[..., DatasetFingerprint], block: Block
) -> None:
    first = calibrated(dataset=measured(0.4321, 0.01, failed=2))
    dataset = recorded_dataset(block(written(first)))
    assert dataset is not None
    assert len(dataset.failures) == 2
    assert written(calibrated(dataset=dataset)) == written(first)


def test_the_record_lists_what_autocal_wrote_and_not_what_the_user_did(
    calibrated: Callable[..., Calibration],
) -> None:
    wrote = record_of(calibrated(values={"enabled": True, "momentum": 0.8}), "", "BasicSR")["wrote"]
    assert isinstance(wrote, dict)
    assert {"enabled", "momentum"}.isdisjoint(wrote)
    assert wrote["adaptation_rate"] == 0.015
    assert wrote["auto_calibrate"] is False


def test_a_value_changed_since_is_told_as_the_users(
    calibrated: Callable[..., Calibration], block: Block, presets: Presets
) -> None:
    there = block({**written(calibrated()), "max_weight": 9.0})
    parameter = recorded_calibration(there, read_overrides(there, {}, presets).values).parameters["max_weight"]
    last = parameter.trail[-1]
    assert (parameter.value, last.code, last.before, last.after) == (9.0, "manual", 5.0, 9.0)


def test_a_value_by_hand_that_was_deleted_since_is_told_no_more(
    calibrated: Callable[..., Calibration], block: Block, presets: Presets
) -> None:
    values = written(calibrated(values={"momentum": 0.8}))
    del values["momentum"]
    there = block(values)
    parameter = recorded_calibration(there, read_overrides(there, {}, presets).values).parameters["momentum"]
    assert (parameter.value, parameter.manual) == (0.85, False)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found += places_in(inner, (*path, key))
    return found


@given(
    data=st.data(),
    junk=st.sampled_from([None, True, -1, 0.5, float("nan"), 10**30, "text", "", [], [1], {}, {"a": 1}, "DELETE"]),
)
@settings(max_examples=200, deadline=None)
def test_a_damaged_record_is_read_or_refused_in_one_line(
    data: st.DataObject,
    junk: Any,
    calibrated: Callable[..., Calibration],
    measured: Callable[..., DatasetFingerprint],
    block: Block,
    presets: Presets,
) -> None:
    values = copy.deepcopy(written(calibrated(dataset=measured(0.4, 0.01), values={"momentum": 0.8})))
    record: Any = values["calibration"]
    path = data.draw(st.sampled_from(places_in(record)))
    owner = record
    for key in path[:-1]:
        owner = owner[key]
    if junk == "DELETE":
        del owner[path[-1]]
    else:
        owner[path[-1]] = junk
    there = block(values)
    with contextlib.suppress(AutocalError):
        overrides = read_overrides(there, {}, presets)
        if has_record(there):
            recorded_dataset(there)
            found = recorded_calibration(there, overrides.values)
            dump(calibration_json(found, ()))
            show(calibration_view(found), explanation_view(found), stderr=True)


def test_damage_is_told_with_its_place_and_a_cure(calibrated: Callable[..., Calibration], block: Block) -> None:
    values = copy.deepcopy(written(calibrated()))
    record: Any = values["calibration"]
    record["trail"]["momentum"][0]["after"] = "much"
    with pytest.raises(AutocalError) as refused:
        recorded_calibration(block(values), {})
    assert str(refused.value).endswith(
        "The `calibration` record is damaged (TypeError: after is 'much'). "
        "Remove the record and calibrate again; what stands in the block then counts as set by hand."
    )
    assert refused.value.place is not None


def test_every_value_of_a_resolved_block_is_known_to_its_schema(
    calibrated: Callable[..., Calibration], block: Block, presets: Presets
) -> None:
    values = resolved_values(calibrated(dataset=None))
    found = read_overrides(block(values), {}, presets)
    assert found.findings == ()
    assert len(found.values) == len(list(leaves(values))) - 1  # all but auto_calibrate
