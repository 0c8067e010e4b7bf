"""The lines of autocal's own networks, as the benchmark makes them, are those that are packaged."""

from __future__ import annotations

import json

import pytest
from network_table_built_in import built_in_arguments, built_in_line

from autocal_cli.network.paragonsr2.family import TYPES
from autocal_cli.packaged import preset_text

LINES = [json.loads(line) for line in preset_text("networks/built-in.jsonl").splitlines()[1:]]
PACKAGED = {line["type"]: line for line in LINES}


def test_a_line_comes_out_as_it_is_packaged():
    assert json.loads(json.dumps(built_in_line("paragonsr2_nano"))) == PACKAGED["paragonsr2_nano"]


@pytest.mark.parametrize("type", TYPES)
def test_the_defaults_are_those_that_are_packaged(type):
    defaults, foreign = built_in_arguments(type)
    packaged = PACKAGED[type.lower()]["arguments"]
    assert {name: facts["default"] for name, facts in packaged.items() if facts} == defaults
    assert [name for name, facts in packaged.items() if not facts] == foreign
