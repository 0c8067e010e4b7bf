"""`--set key=value`."""

from __future__ import annotations

import pytest

from autocal_cli.config.model import KeyPath, Value
from autocal_cli.errors import AutocalError
from autocal_cli.workflow.calibrate import parse_settings


@pytest.mark.parametrize(
    ("pair", "path", "value"),
    [
        ("momentum=0.9", ("momentum",), 0.9),
        ("adaptation_rate=1e-3", ("adaptation_rate",), 0.001),
        ("max_weight=50", ("max_weight",), 50),
        ("baseline_iterations=1e2", ("baseline_iterations",), 100),
        ("enabled=false", ("enabled",), False),
        ("phases.early.until=0.2", ("phases", "early", "until"), 0.2),
        ("dataset_info.edge_density=0.7", ("training_config", "dataset_info", "edge_density"), 0.7),
        ("training_config.total_iterations=10", ("training_config", "total_iterations"), 10),
    ],
)
def test_a_pair_is_a_value_by_its_key_path(pair: str, path: KeyPath, value: Value) -> None:
    assert parse_settings([pair]) == {path: value}
    assert type(parse_settings([pair])[path]) is type(value)


def test_the_last_of_several_counts() -> None:
    assert parse_settings(["momentum=0.9", "momentum=0.8"]) == {("momentum",): 0.8}
    assert parse_settings([]) == {}


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("momentum", "--set momentum: expected key=value. For example: --set momentum=0.9"),
        ("momentm=0.9", "--set momentm=0.9: there is no key momentm. Did you mean momentum?"),
        ("=1", "--set =1: there is no key ."),
        ("auto_calibrate=true", "--set auto_calibrate=true: there is no key auto_calibrate."),
        ("momentum=high", "--set momentum=high: `momentum` should be a number, at least 0 and below 1. Found 'high'."),
        ("momentum=1.5", "--set momentum=1.5: `momentum` should be"),
        ("momentum=nan", "Found 'nan'."),
        ("momentum=", "--set momentum=: `momentum` should be a number, at least 0 and below 1. Found nothing."),
        ("enabled=maybe", "--set enabled=maybe: `enabled` should be true or false. Found 'maybe'."),
        ("baseline_iterations=2.5", "`baseline_iterations` should be a whole number, at least 1. Found 2.5."),
        ("dataset_info.edge_density=2", "at least 0 and at most 1. Found 2."),
    ],
)
def test_what_is_no_such_pair_is_refused(pair: str, said: str) -> None:
    with pytest.raises(AutocalError) as refused:
        parse_settings([pair])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
