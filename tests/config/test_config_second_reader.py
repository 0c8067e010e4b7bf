"""Values are read back by a reader of YAML 1.2 too."""

from __future__ import annotations

import pytest

from autocal_cli.config.files import parse_document
from autocal_cli.config.yaml.document import lookup, read_value, same_data
from autocal_cli.config.yaml.verify import read_1_2

BLOCK, FLOW = False, True


@pytest.mark.parametrize(
    ("text", "flow", "pyyaml", "ruamel"),
    [
        ("train:\n  a: 0.85\n", BLOCK, 0.85, 0.85),
        ("train:\n    a: 1.0e-06 # small\n", BLOCK, 1e-06, 1e-06),
        ("train: {b: 1, a: true}\n", FLOW, True, True),
        ("train: {a: # note\n 1}\n", FLOW, 1, 1),
        ("train:\n  a:\n    b: {c: [1, x]}\n", BLOCK, {"b": {"c": [1, "x"]}}, {"b": {"c": [1, "x"]}}),
        ("train: {a: {8: x}}\n", FLOW, {"8": "x"}, {"8": "x"}),
        # what the two versions disagree about, and autocal therefore never writes
        ("train:\n  a: 1e-6\n", BLOCK, "1e-6", 1e-6),
        ("train:\n  a: off\n", BLOCK, False, "off"),
        ("train:\n  a: 010\n", BLOCK, 8, 10),
    ],
)
def test_each_reader_reads_by_its_version(text, flow, pyyaml, ruamel):
    document = parse_document(text.encode(), "train.yml")
    pair = lookup(document, ("train", "a"))
    assert pair is not None
    assert same_data(read_value(document, pair.value), pyyaml)
    assert same_data(read_1_2(document, pair, flow), ruamel)


def test_what_cannot_be_read_equals_nothing():
    document = parse_document(b"base: &x 1\ntrain:\n  a: *x\n", "train.yml")
    pair = lookup(document, ("train", "a"))
    assert pair is not None
    found = read_1_2(document, pair, BLOCK)
    assert isinstance(found, Exception)
    assert not same_data(found, 1)


@pytest.mark.parametrize(
    ("found", "value", "expected"),
    [
        (1, 1, True), (1, 1.0, False), (True, 1, False), ("1", 1, False), (float("nan"), float("nan"), True),
        (-0.0, 0.0, False), ({8: 1}, {"8": 1}, False), ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ([1], [1, 2], False),
        (None, None, True), (None, {}, False),
    ],
)  # fmt: skip
def test_same_means_value_type_and_order(found, value, expected):
    assert same_data(found, value) is expected
