"""Whose value is it? And is it one at all?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocal_cli.calibration.block import (
    RECORD_VERSION,
    Overrides,
    kept_by_hand,
    read_overrides,
    same_value,
    value_digest,
    wholly_manual,
)
from autocal_cli.calibration.model import Presets
from autocal_cli.config.model import SchedulingBlock, Value
from autocal_cli.errors import AutocalError

Read = Callable[[dict[str, Value]], Overrides]
Block = Callable[..., SchedulingBlock]


@pytest.fixture(scope="module")
def read(presets: Presets, block: Block) -> Read:
    return lambda values: read_overrides(block(values), {}, presets)


def resolved(wrote: dict[str, Value], **now: Value) -> dict[str, Value]:
    """A block with a record of the values that autocal wrote; of phases each is one."""
    phases = wrote.pop("phases", {})
    assert isinstance(phases, dict)
    words = [value_digest((name,), value) for name, value in wrote.items()]
    words += [value_digest(("phases", name), value) for name, value in phases.items()]
    return {**now, "calibration": {"made": {"record": RECORD_VERSION}, "wrote": " ".join(words)}}


@pytest.mark.parametrize(
    ("wrote", "now", "by_hand"),
    [
        ({"momentum": 0.85}, {"momentum": 0.85}, {}),
        ({"momentum": 0.85}, {"momentum": 0.8}, {("momentum",): 0.8}),
        ({"momentum": 0.85}, {}, {}),
        ({"momentum": 0.85}, {"momentum": None}, {}),
        ({"max_weight": 5.0}, {"max_weight": 5}, {}),
        ({"max_weight": 5}, {"max_weight": 5.0}, {}),
        ({"baseline_iterations": 50}, {"baseline_iterations": 50.0}, {}),
        ({}, {"enabled": False}, {("enabled",): False}),
        ({}, {"momentum": 0.85}, {("momentum",): 0.85}),
        ({}, {"auto_calibrate": True}, {}),
        (
            {"phases": {"early": {"until": 0.1, "rate": 0.5}}},
            {"phases": {"early": {"rate": 0.5, "until": 0.1}}},
            {},
        ),
        (
            {"phases": {"early": {"until": 0.1, "rate": 0.5}}},
            {"phases": {"early": {"until": 0.2, "rate": 0.5}}},
            {("phases", "early", "until"): 0.2, ("phases", "early", "rate"): 0.5},
        ),
        (
            {"momentum": 0.85},
            {"momentum": 0.85, "training_config": {"dataset_info": {"edge_density": 0.9}}},
            {("training_config", "dataset_info", "edge_density"): 0.9},
        ),
    ],
)
def test_a_value_is_the_users_where_it_differs_from_what_was_written(
    wrote: dict[str, Value], now: dict[str, Value], by_hand: dict[tuple[str, ...], Value], read: Read
) -> None:
    assert read(resolved(wrote, **now)).values == by_hand


def test_a_whole_number_beyond_the_floats_in_the_place_of_a_written_one_is_refused(read: Read) -> None:
    with pytest.raises(AutocalError, match="baseline_iterations"):
        read(resolved({"baseline_iterations": 50}, baseline_iterations=10**400))


def test_without_a_record_every_known_value_is_the_users(read: Read) -> None:
    found = read({"enabled": True, "auto_calibrate": True, "momentum": 0.8, "custom_param": 123})
    assert found.values == {("enabled",): True, ("momentum",): 0.8}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(5, 5.0, True), (True, 1, False), (0, False, False), (True, True, True), ("5", 5, False), (0.1, 0.1, True)],
)
def test_the_same_value(one: Value, other: Value, same: bool) -> None:
    assert same_value(one, other) is same
    assert same_value(other, one) is same


@pytest.mark.parametrize(
    ("key", "written", "meant", "severity"),
    [
        ("adaptation_threshold", "1e-6", 1e-6, "info"),  # the schedulers take the text for the number
        ("adaptation_threshold", "5e0", 5.0, "info"),
        ("adaptation_threshold", " 0.5 ", 0.5, "info"),
        ("baseline_iterations", "5e1", 50, "warning"),  # the fork's own ends at this one
    ],
)
def test_a_number_that_yaml_reads_as_text_is_taken_as_the_number_with_a_finding(
    key: str, written: str, meant: float, severity: str, read: Read
) -> None:
    found = read({key: written})
    assert found.values == {(key,): meant}
    (finding,) = found.findings
    assert (finding.code, finding.severity, str(finding.place)) == ("number-as-text", severity, "train.yml:21:5")


@pytest.mark.parametrize(("written", "meant"), [(50.0, 50), ("2e2", 200), (4.0e4, 40000)])
def test_a_whole_number_may_be_written_as_a_float(written: Value, meant: int, read: Read) -> None:
    (value,) = read({"baseline_iterations": written}).values.values()
    assert (value, type(value)) == (meant, int)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"momentum": "high"}, "`momentum` should be a number, at least 0 and below 1. Found 'high'."),
        ({"momentum": 1.5}, "`momentum` should be a number, at least 0 and below 1. Found 1.5."),
        ({"momentum": 1}, "at least 0 and below 1. Found 1."),
        ({"momentum": -0.1}, "Found -0.1."),
        ({"momentum": True}, "Found true."),
        ({"momentum": float("nan")}, "Found nan."),
        ({"momentum": "nan"}, "Found 'nan'."),
        ({"max_weight": float("inf")}, "`max_weight` should be a number, at least 1. Found inf."),
        ({"max_weight": 10**400}, "Found 1000"),
        ({"max_weight": 0.5}, "Found 0.5."),
        ({"adaptation_rate": 0}, "`adaptation_rate` should be a number, above 0 and at most 1. Found 0."),
        ({"adaptation_rate": [0.1]}, "Found a list."),
        ({"baseline_iterations": 12.5}, "`baseline_iterations` should be a whole number, at least 1. Found 12.5."),
        ({"baseline_iterations": 0}, "Found 0."),
        ({"enabled": "yes"}, "`enabled` should be true or false. Found 'yes'."),
        ({"enabled": 1}, "`enabled` should be true or false. Found 1."),
        ({"auto_calibrate": "maybe"}, "`auto_calibrate` should be true or false. Found 'maybe'."),
        ({"momentum": {"a": 1}}, "`momentum` should be a single value. Found a mapping."),
        ({"momentum": {}}, "Found a mapping."),
        ({"momentum": "a\nb" * 100}, "Found 'a\\nba\\nb"),
        ({"phases": "fast"}, "`phases` should be a mapping. Found 'fast'."),
        ({"phases": {"early": [0.1]}}, "`phases.early` should be a mapping. Found a list."),
        ({"phases": {"early": {"until": 0}}}, "`phases.early.until` should be a number, above 0 and at most 1."),
        ({"training_config": {"dataset_info": {"edge_density": 2}}}, "at least 0 and at most 1. Found 2."),
        ({"stability": {"spike_z": 0}}, "`stability.spike_z` should be a number, above 0. Found 0."),
        ({"mode": "off"}, "`mode` should be act or observe. Found 'off'."),
        ({"fidelity_budget": 4}, "`fidelity_budget` should be a number, above 0 and at most 3. Found 4."),
    ],
)
def test_what_a_key_cannot_hold_is_refused_with_its_place(values: dict[str, Value], said: str, read: Read) -> None:
    with pytest.raises(AutocalError) as refused:
        read(values)
    assert said in str(refused.value)
    assert str(refused.value).startswith("train.yml:2")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
        max_leaves=4,
    ),
    key=st.sampled_from(["momentum", "enabled", "baseline_iterations", "phases", "training_config", "other"]),
)
def test_whatever_stands_there_is_taken_or_refused_in_words(key: str, value: Value, read: Read) -> None:
    with contextlib.suppress(AutocalError):
        assert all(path[0] == key for path in read({key: value}).values)


@pytest.mark.parametrize(
    ("key", "fix"),
    [("custom_param", None), ("momentm", "Did you mean `momentum`?"), ("max_weights", "Did you mean `max_weight`?")],
)
def test_unknown_keys_are_reported_with_the_nearest_known_one(key: str, fix: str | None, read: Read) -> None:
    found = read({key: 123})
    (finding,) = found.findings
    code, severity = ("misspelt-key", "warning") if fix else ("unknown-key", "info")
    assert (finding.code, finding.severity, finding.fix) == (code, severity, fix)
    assert found.values == {}


@pytest.mark.parametrize("empty", [None, {}])
@pytest.mark.parametrize("section", ["phases", "stability", "training_config"])
def test_an_empty_section_is_nothing_to_report(section: str, empty: Value, read: Read) -> None:
    assert read({section: empty}) == Overrides({}, ())


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("mine", "This is none. Give your own key another name."),
        ({"mine": 1}, "This is none. Give your own key another name."),
        ([1], "This is none."),
        ({"record_version": 1}, "This is none."),
        ({"made": 1}, "This is none."),
        (
            {"made": {"record": RECORD_VERSION + 1}},
            f"has version {RECORD_VERSION + 1}; this autocal reads version {RECORD_VERSION}. Update autocal-cli.",
        ),
    ],
)
def test_what_is_no_record_of_ours_is_not_overwritten(found: Value, said: str, read: Read) -> None:
    with pytest.raises(AutocalError, match="record") as refused:
        read({"calibration": found})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("values", "alone"),
    [
        ({"auto_calibrate": False}, True),
        ({"auto_calibrate": False, "momentum": 0.9}, True),
        ({"auto_calibrate": True}, False),
        ({}, False),
        ({"momentum": 0.9}, False),
        ({"auto_calibrate": False, "calibration": {"made": {"record": 3}}}, False),
    ],
)
def test_only_manual_mode_without_a_record_is_left_alone(values: dict[str, Value], alone: bool, block: Block) -> None:
    assert wholly_manual(block(values)) is alone
    assert wholly_manual(None) is False


def test_what_was_kept_by_hand_when_it_was_calibrated_is_known_and_a_later_edit_is_not(block: Block) -> None:
    values = resolved({"max_weight": 5.0}, momentum=0.8, max_weight=7.0, mine=1)
    assert kept_by_hand(block(values)) == {("momentum",): 0.8, ("mine",): 1}
    assert kept_by_hand(block({"momentum": 0.8})) == {}
