"""What stands in a resolved block: values, reasons and a record from which the calibration follows again."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autocal_cli.calibration.block import (
    MARK,
    block_schema,
    key_mark,
    leaves,
    read_overrides,
    value_digest,
    written_by_autocal,
)
from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.model import Calibration, DatasetScores, Presets
from autocal_cli.calibration.resolved import headline, read_record, reasons, record_of, resolved_values, text_digest
from autocal_cli.config.model import LossTerm, SchedulingBlock, TrainingConfig, Value
from autocal_cli.dataset.model import METRIC_NAMES, TrainingCrops
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.model import NetworkFingerprint

Block = Callable[..., SchedulingBlock]
PLACE = Place("train.yml", 1, 1)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
COUNTS = st.integers(0, 10**12)
SCORES = st.floats(0, 1)
SIZES = st.integers(1, 10**9)


def written(calibration: Calibration) -> dict[str, Value]:
    record = record_of(calibration, "BasicSR", "abcdefghijkl")
    return copy.deepcopy({**resolved_values(calibration), "calibration": record})


networks = st.builds(
    NetworkFingerprint,
    type=st.none() | TEXTS,
    family=st.none() | st.just("paragonsr2"),
    variant=st.none() | st.sampled_from(["nano", "m", "xl"]),
    scale=st.none() | st.integers(1, 16),
    parameters=st.none() | SIZES,
    macs_per_pixel=st.none() | st.floats(0, 1e12),
    builder=st.none() | TEXTS,
    discriminator=st.none() | st.builds(NetworkFingerprint, type=TEXTS, parameters=st.none() | SIZES),
)
datasets = st.builds(
    DatasetScores,
    found=COUNTS,
    read=COUNTS,
    failed=COUNTS,
    scores=st.fixed_dictionaries(dict.fromkeys(METRIC_NAMES, SCORES)),
    overall_complexity=SCORES,
    overall_ci95=st.tuples(SCORES, SCORES),
    identity=TEXTS,
    metric_version=st.integers(1, 99),
    crops=st.none() | st.builds(TrainingCrops, count=st.integers(1, 10**6), side=st.integers(7, 4096)),
)
configs = st.builds(
    TrainingConfig,
    path=st.just("train.yml"),
    trainer=st.just("BasicSR"),
    scale=st.none() | st.sampled_from([1, 2, 4, 16]),
    total_iter=st.none() | st.integers(1, 10**8),
    batch_size=st.none() | st.integers(1, 4096),
    losses=st.sampled_from([(), (LossTerm("GANLoss", "adversarial", 0.1, PLACE),)]),
)
by_hand = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "momentum": st.floats(0, 0.99),
        "max_weight": st.integers(1, 50),
        "fidelity_budget": st.floats(0.1, 3),
        "phases": st.just({"late": {"rate": 0.5}}),
        "training_config": st.just({"dataset_info": {"edge_density": 0.7}}),
        "mine": st.just([1, 2]),
    },
)


@given(config=configs, network=networks, dataset=st.none() | datasets, values=by_hand)
@settings(max_examples=100)
def test_the_calibration_follows_again_from_what_is_written(
    config: TrainingConfig,
    network: NetworkFingerprint,
    dataset: DatasetScores | None,
    values: dict[str, Value],
    presets: Presets,
    block: Block,
) -> None:
    """Every trail, every finding, and the same record: nothing but the measurements needs to be kept."""
    made = calibrate(with_block(config, block(values)), network, dataset, presets)
    there = block({**values, **written(made)})
    record = read_record(there)
    assert record is not None
    assert (record.text, record.presets) == ("abcdefghijkl", presets.version)
    assert (record.network, record.dataset) == (network, dataset)
    again = calibrate(with_block(config, there), record.network, record.dataset, presets)
    # A value by hand stays by hand; `enabled: true` begins a resolved block; a phase is the user's as a whole.
    manual = {path: value for path, value in again.manual.items() if path != ("enabled",) or path in made.manual}
    assert manual == {**{path: again.manual[path] for path in manual if path[0] == "phases"}, **made.manual}
    assert (again.parameters, again.phases, again.dataset_info) == (made.parameters, made.phases, made.dataset_info)
    assert written(again) == written(made)


def with_block(config: TrainingConfig, block: SchedulingBlock) -> TrainingConfig:
    return TrainingConfig(
        config.path, config.trainer, config.scale, config.total_iter, config.batch_size, config.losses, block=block
    )


def test_a_block_holds_the_parameters_and_the_phases_once_and_nothing_else(
    calibrated: Callable[..., Calibration],
) -> None:
    values = resolved_values(calibrated())
    assert values == {
        "enabled": True,
        "momentum": 0.85,
        "adaptation_rate": 0.015,
        "adaptation_threshold": 0.04,
        "min_weight": 1e-06,
        "max_weight": 5.0,
        "baseline_iterations": 50,
        "fidelity_budget": 1.0,
        "phases": {
            "early": {"until": 0.1, "rate": 0.5},
            "middle": {"until": 0.8, "rate": 1.0},
            "late": {"until": 1.0, "rate": 0.25},
        },
    }


def test_no_value_of_the_block_stands_in_the_record(
    calibrated: Callable[..., Calibration], measured: Callable[..., DatasetScores]
) -> None:
    made = calibrated(dataset=measured(0.4321, 0.01), adversarial=True)
    record = record_of(made, "BasicSR", "abcdefghijkl")
    keys = {path[-1] for path, value in leaves(record) if not isinstance(value, str)}
    assert not keys & {path[-1] for path, _ in leaves(resolved_values(made))}
    assert len(record) <= 5  # and the line of the record itself


def test_the_record_lists_what_autocal_wrote_and_not_what_the_user_did(
    calibrated: Callable[..., Calibration],
) -> None:
    wrote = written(calibrated(values={"enabled": True, "momentum": 0.8}))["calibration"]["wrote"]  # type: ignore
    names = ["adaptation_rate", "adaptation_threshold", "min_weight", "max_weight", "baseline_iterations"]
    keys = [
        *((name,) for name in [*names, "fidelity_budget"]),
        *(("phases", name) for name in ("early", "middle", "late")),
    ]
    assert [word[:MARK] for word in wrote.split()] == [key_mark(key) for key in keys]
    assert all(len(word) == 8 and word.isalpha() for word in wrote.split())
    assert len(f"      wrote: {wrote}") < 120


def test_no_two_keys_are_told_by_the_same_letters(presets: Presets) -> None:
    schema = block_schema(presets)
    units = {path[:2] if path[0] == "phases" else path[:1] for path in schema}
    assert len({key_mark(unit) for unit in units}) == len(units) > 10


# --- digests ----------------------------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False) | st.text(max_size=5)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
PATHS = st.sampled_from([("momentum",), ("max_weight",), ("phases", "early"), ("phases", "late")])


@given(PATHS, anything)
def test_a_digest_is_letters_that_no_reader_takes_for_a_number_or_another_word(path: Any, value: Any) -> None:
    digest = value_digest(path, value)
    assert len(digest) == 8
    assert set(digest) <= set("abcdefghijklmnop")
    assert digest == value_digest(path, copy.deepcopy(value))


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_is_itself_with_a_dot(number: int) -> None:
    assert value_digest(("max_weight",), number) == value_digest(("max_weight",), float(number))


@given(st.dictionaries(st.text(max_size=4), scalars, min_size=2, max_size=4))
def test_the_order_of_keys_does_not_count(mapping: dict[str, Value]) -> None:
    other = dict(reversed(mapping.items()))
    assert value_digest(("phases", "early"), mapping) == value_digest(("phases", "early"), other)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_another_value_or_another_key_has_another_digest(one: float, other: float) -> None:
    """32 bits: of two values drawn here none ever met."""
    assert (value_digest(("momentum",), one) == value_digest(("momentum",), other)) == (one == other)
    assert value_digest(("momentum",), one) != value_digest(("max_weight",), one)


@pytest.mark.parametrize(("one", "other"), [(True, 1), (False, 0), ("1", 1), (None, 0), ([1], 1), ("", None)])
def test_what_is_not_the_same_to_a_person_is_not_the_same(one: Value, other: Value) -> None:
    assert value_digest(("momentum",), one) != value_digest(("momentum",), other)


@given(config=configs, values=by_hand, data=st.data())
@settings(max_examples=50)
def test_a_changed_value_is_the_users_and_the_others_stay_autocals(
    config: TrainingConfig, values: dict[str, Value], data: st.DataObject, presets: Presets, block: Block
) -> None:
    network = NetworkFingerprint("paragonsr2_nano", "paragonsr2", "nano", 2, 10_595)
    made = calibrate(with_block(config, block(values)), network, None, presets)
    resolved = {**values, **written(made)}
    own = written_by_autocal(block(resolved))
    names = sorted(path for path in own if path[0] != "phases")
    changed = data.draw(st.sampled_from(names)) if names else None
    if changed is None:
        return
    value = made.parameters[changed[0]].value
    resolved[changed[0]] = value + 1 if changed[0] in ("max_weight", "baseline_iterations") else value / 2
    assert written_by_autocal(block(resolved)) == own - {changed}
    found = read_overrides(block(resolved), {}, presets).values
    assert found[changed] == resolved[changed[0]]


@pytest.mark.parametrize(("one", "other", "same"), [("a\n", "a", True), ("a\r\n\r\n", "a", True), ("a ", "a", False)])
def test_a_texts_digest_leaves_out_its_last_line_breaks(one: str, other: str, same: bool) -> None:
    assert (text_digest(one) == text_digest(other)) is same
    assert len(text_digest(one)) == 12


# --- damage -----------------------------------------------------------------------------------------------------------


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found += places_in(inner, (*path, key))
    return found


@given(
    data=st.data(),
    junk=st.sampled_from(
        [None, True, -1, 0.5, float("nan"), float("inf"), 10**400, "text", "", [], [1], {}, {"a": 1}, "DELETE"]
    ),
)
@settings(max_examples=200)
def test_a_damaged_record_is_read_or_refused_in_one_line_with_its_place(
    data: st.DataObject,
    junk: Any,
    calibrated: Callable[..., Calibration],
    measured: Callable[..., DatasetScores],
    block: Block,
    presets: Presets,
) -> None:
    rival = NetworkFingerprint("dunet", parameters=3_231_457, builder="built-in")
    made = calibrated(dataset=measured(0.4, 0.01), values={"momentum": 0.8})
    record: Any = record_of(replace_network(made, rival), "BasicSR", "abcdefghijkl", "abcdefghijkl")
    values = {**resolved_values(made), "calibration": copy.deepcopy(record)}
    owner: Any = values["calibration"]
    path = data.draw(st.sampled_from(places_in(record)))
    for key in path[:-1]:
        owner = owner[key]
    if junk == "DELETE":
        del owner[path[-1]]
    else:
        owner[path[-1]] = copy.deepcopy(junk)
    there = block(values)
    refused = None
    try:
        found = read_record(there)
        read_overrides(there, {}, presets)
    except AutocalError as error:
        refused = error
    if refused is not None:
        assert str(refused).startswith("train.yml:")
        assert refused.place is not None
        assert refused.place.line is not None
        assert "\n" not in str(refused)
        assert len(str(refused)) < 300
        assert refused.fix
    elif found is not None:  # then it can be calibrated with
        config = TrainingConfig("train.yml", "BasicSR", total_iter=1000, block=there, place=PLACE)
        again = calibrate(config, found.network, found.dataset, presets)
        assert headline(again)
        assert reasons(again)


def replace_network(calibration: Calibration, discriminator: NetworkFingerprint) -> Calibration:
    return replace(calibration, network=replace(calibration.network, discriminator=discriminator))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("made", "presets"), 7, "7 is no text"),
        (("network", "parameters"), "many", "'many' is no count"),
        (("network", "macs_per_pixel"), -1.0, "-1.0 is no number of 0 or more"),
        (("dataset", "texture"), 1.5, "1.5 is no score of 0 to 1"),
        (("dataset", "ci95"), [0.1], "not enough values"),
        (("dataset",), "none", "'none' is no mapping"),
    ],
)
def test_damage_is_told_with_its_place_and_a_cure(
    path: tuple[str, ...],
    value: Value,
    said: str,
    calibrated: Callable[..., Calibration],
    measured: Callable[..., DatasetScores],
    block: Block,
) -> None:
    values = written(calibrated(dataset=measured(0.4, 0.01)))
    owner: Any = values["calibration"]
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    with pytest.raises(AutocalError, match="record is damaged") as refused:
        read_record(block(values))
    assert said in str(refused.value)
    assert str(refused.value).startswith("train.yml:")
    assert (
        refused.value.fix
        == "Remove the record and calibrate again; what stands in the block then counts as set by hand."
    )


@pytest.mark.parametrize("values", [{}, {"momentum": 0.9}, {"calibration": None}, {"calibration": {}}])
def test_without_a_record_there_is_none(values: dict[str, Value], block: Block) -> None:
    assert read_record(block(values)) is None
    assert read_record(None) is None


def test_every_value_of_a_resolved_block_is_known_to_its_schema(
    calibrated: Callable[..., Calibration], block: Block, presets: Presets
) -> None:
    values = resolved_values(calibrated(dataset=None))
    found = read_overrides(block(values), {}, presets)
    assert found.findings == ()
    assert len(found.values) == len(list(leaves(values)))


# --- what a person reads ----------------------------------------------------------------------------------------------


def test_a_reason_names_the_preset_and_what_moved_the_value(
    calibrated: Callable[..., Calibration], measured: Callable[..., DatasetScores]
) -> None:
    made = calibrated(
        dataset=measured(0.38), total_iter=8_000, adversarial=True, values={"max_weight": 9.0, "min_weight": 1e-6}
    )
    assert {path[0]: reason for path, reason in reasons(made).items()} == {
        "momentum": "nano 0.85, complexity 0.38",
        "adaptation_rate": "nano 0.015, complexity 0.38, 8,000 iterations",
        "adaptation_threshold": "nano 0.04, complexity 0.38, adversarial loss",
        "min_weight": "by hand",
        "max_weight": "by hand; calibrated 30",
        "baseline_iterations": "nano 50, 8,000 iterations",
        "fidelity_budget": "x2",
    }


@pytest.mark.parametrize(
    ("values", "score", "said"),
    [
        (None, 0.38, "paragonsr2_nano (10,595 parameters), complexity 0.38; "),
        (None, None, "paragonsr2_nano (10,595 parameters), complexity 0.50 assumed; "),
        ({"training_config": {"dataset_info": {"overall_complexity": 0.7}}}, None, "complexity 0.70; "),
    ],
)
def test_the_headline_says_what_for(
    values: Any,
    score: float | None,
    said: str,
    calibrated: Callable[..., Calibration],
    measured: Callable[..., DatasetScores],
) -> None:
    line = headline(calibrated(dataset=None if score is None else measured(score), values=values))
    assert said in line
    assert line.endswith("`autocal explain` tells why")
    assert len(line) < 110
