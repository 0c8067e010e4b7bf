"""The JSON schema says of a block what calibration says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from autocal_cli.calibration.block import RECORD_VERSION, block_schema, check_value, leaves, read_overrides
from autocal_cli.calibration.json_schema import json_schema
from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.model import SchedulingBlock
from autocal_cli.errors import AutocalError, Place

PRESETS = load_presets()
SCHEMA: Any = json_schema(PRESETS)
BLOCK = Draft202012Validator(SCHEMA)
STRICT = Draft202012Validator(json_schema(PRESETS, strict=True))
WHOLE = Draft202012Validator(json_schema(PRESETS, whole_config=True, strict=True))
FIELDS = block_schema(PRESETS)
CASES = Path(__file__).parent.parent / "cases"

PATHS = st.sampled_from(sorted(FIELDS))
NUMBERS = (
    st.integers(-3, 500)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-0.5, 1.5)
    | st.sampled_from([0, 0.0, 1, 1.0, 50.0])
)
TEXTS = st.sampled_from(["", "0.9", "1e-6", "true", "fast"])
SCALARS = NUMBERS | st.booleans() | st.none() | TEXTS
VALUES = SCALARS | st.just([]) | st.just({}) | st.lists(SCALARS, max_size=2) | st.just({"a": 1})


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def accepted(block: dict[str, Any]) -> bool:
    """Whether calibration takes the block, and every number in it for one."""
    try:
        overrides = read_overrides(SchedulingBlock(block, {}, Place("train.yml")), {}, PRESETS)
    except AutocalError as error:
        as_text = any(isinstance(value, str) for _, value in leaves(block))
        return "it would never come" in str(error) and not as_text  # the order of the phases no schema can say
    return all(finding.code != "number-as-text" for finding in overrides.findings)


def resolved(name: str) -> Any:
    """The block of a case as a config's, wherever it stands."""
    found = yaml.safe_load((CASES / name / "resolved.yml").read_text("utf-8"))
    return found if "train" in found else {"train": found}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_it_is_a_schema(whole, strict):
    Draft202012Validator.check_schema(json_schema(PRESETS, whole, strict))


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir()))
def test_every_resolved_config_is_valid(name):
    config = resolved(name)
    block = config["train"]["dynamic_loss_scheduling"]
    assert [error.message for error in BLOCK.iter_errors(block)] == []
    own = {key: value for key, value in block.items() if key != "custom_param"}  # a user's key, in one of the cases
    assert [error.message for error in STRICT.iter_errors(own)] == []
    assert [e.message for e in WHOLE.iter_errors({**config, "train": {"dynamic_loss_scheduling": own}})] == []


@given(PATHS, NUMBERS | st.booleans() | TEXTS)
def test_one_value_is_taken_where_check_value_takes_it(path, value):
    try:
        taken = check_value(path, value, FIELDS[path], None)[1] is None
    except AutocalError:
        taken = False
    assert BLOCK.is_valid(nested(path, value)) == taken


@given(PATHS.flatmap(lambda path: st.sampled_from([path[:end] for end in range(1, len(path) + 1)])), VALUES)
def test_any_shape_is_taken_where_calibration_takes_it(path, value):
    block = nested(path, value)
    assert BLOCK.is_valid(block) == accepted(block)


@pytest.mark.parametrize(
    "block",
    [
        {},
        {"momentum": None},
        {"phases": None, "training_config": {"dataset_info": None}},
        {"phases": {"early": {"until": 0.2}}},
        {"baseline_iterations": 50.0},
        {"calibration": None},
        {"calibration": {}},
        {"calibration": {"made": {"autocal": "0.1.0", "record": RECORD_VERSION}}},
        {"mode": "observe", "fidelity_budget": 1.5},
        {"momentun": 0.9, "phases": {"last": {"until": 1}}},
    ],
)
def test_valid(block):
    assert BLOCK.is_valid(block)
    assert accepted(block)


@pytest.mark.parametrize(
    "block",
    [
        {"momentum": 1.0},
        {"momentum": "0.9"},
        {"enabled": "yes"},
        {"enabled": 1},
        {"min_weight": 0},
        {"baseline_iterations": True},
        {"baseline_iterations": 50.5},
        {"phases": "fast"},
        {"phases": {"early": {"until": 0}}},
        {"phases": {"early": 0.1}},
        {"training_config": {"dataset_info": {"edge_density": 1.1}}},
        {"calibration": {"momentum": 0.9}},
        {"calibration": {"made": {"autocal": "9", "record": RECORD_VERSION + 1}}},
        {"mode": "watch"},
        {"fidelity_budget": 3.5},
        {"calibration": "mine"},
    ],
)
def test_invalid(block):
    assert not BLOCK.is_valid(block)
    assert not accepted(block)


@pytest.mark.parametrize(
    "block",
    [
        {"momentun": 0.9},
        {"phases": {"last": {"until": 1}}},
        {"training_config": {"total_iteration": 100}},
    ],
)
def test_misspelt_names_are_refused_only_where_it_is_wished(block):
    assert BLOCK.is_valid(block)
    assert not STRICT.is_valid(block)


@pytest.mark.parametrize(
    ("config", "valid"),
    [
        ({"train": {"dynamic_loss_scheduling": {"momentum": 0.9}}, "scale": 2}, True),
        ({"train": None}, True),
        ({"train": {"dynamic_loss_scheduling": None, "total_iter": 5}}, True),
        ({"train": {"dynamic_loss_scheduling": {"momentum": 9}}}, False),
        ({"train": {"dynamic_loss_scheduling": [1]}}, False),
        ([], False),
    ],
)
def test_a_whole_config(config, valid):
    assert WHOLE.is_valid(config) == valid


def descriptions(schema: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    found = {path: schema.get("description", "")}
    for name, inner in schema.get("properties", {}).items():
        found |= descriptions(inner, (*path, name))
    return found


def test_every_key_is_described():
    told = descriptions(SCHEMA)
    assert FIELDS.keys() <= told.keys()
    assert [path for path, text in told.items() if len(text) < 10] == []


def test_defaults_are_those_of_the_presets_and_valid():
    found = {path: at(path)["default"] for path in FIELDS if "default" in at(path)}
    assert found[("phases", "late", "rate")] == 0.25
    assert found[("stability", "spike_z")] == 6.0
    assert found[("enabled",)] is True
    assert found[("mode",)] == "act"
    for path, value in found.items():
        assert BLOCK.is_valid(nested(path, value))


def test_a_parameter_tells_what_the_presets_have():
    assert at(("momentum",))["description"].endswith(" Presets: 0.85 to 0.97.")
    assert at(("min_weight",))["description"].endswith(" Presets: 1e-06.")


def test_it_says_the_same_by_the_older_draft_that_most_editors_know():
    older = Draft7Validator(SCHEMA)
    Draft7Validator.check_schema(SCHEMA)
    for block in ({"momentum": 1.0}, {"min_weight": 0}, {"calibration": {"momentum": 1}}, {"phases": {"early": 1}}):
        assert not older.is_valid(block)
    assert older.is_valid(resolved("automatic")["train"]["dynamic_loss_scheduling"])


def at(path: tuple[str, ...]) -> dict[str, Any]:
    row = SCHEMA
    for key in path:
        row = row["properties"][key]
    return row
