"""Patches between braces, line ends, values of every kind, and what is refused."""

from __future__ import annotations

import pytest
import yaml
from config_patches import before_and_after, patched

from autocal_cli.config.files import parse_document, text_without
from autocal_cli.errors import AutocalError

NEW = "sched: {rate: 0.5, early: {until: 0.1}}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("train: {}\n", f"train: {{{NEW}}}\n"),
        ("train: { }\n", f"train: {{{NEW} }}\n"),
        ("train: {x: 1} # note\n", f"train: {{x: 1, {NEW}}} # note\n"),
        ("train: { x: 1 }\n", f"train: {{ x: 1, {NEW} }}\n"),
        ("train: {x: 1,}\n", f"train: {{x: 1, {NEW},}}\n"),
        ('train: {"x":1}\n', f'train: {{"x":1, {NEW}}}\n'),
        ("train: {x: [1, {y: 2}]}\n", f"train: {{x: [1, {{y: 2}}], {NEW}}}\n"),
        ("train: {x: 'a'}\n", f"train: {{x: 'a', {NEW}}}\n"),
        ("train: {x: }\n", f"train: {{x: , {NEW} }}\n"),
        ("train: {\n  x: 1, # one\n  y: 2 # two\n}\n", f"train: {{\n  x: 1, # one\n  y: 2, {NEW} # two\n}}\n"),
        ("train: {\n  x: 1, # one\n  # two\n}\n", f"train: {{\n  x: 1, {NEW}, # one\n  # two\n}}\n"),
        ("train: { # one\n}\n", f"train: {{{NEW} # one\n}}\n"),
        ("train: {# one\n}\n", f"train: {{{NEW} # one\n}}\n"),
        ("train: {x: 'a'# one\n}\n", f"train: {{x: 'a', {NEW} # one\n}}\n"),
        ("train: {x: 1, sched: ~, y: 2}\n", f"train: {{x: 1, {NEW}, y: 2}}\n"),
        ("train: {sched: , y: 2}\n", f"train: {{{NEW} , y: 2}}\n"),
        ("train: {sched: {}}\n", f"train: {{{NEW}}}\n"),
        ("train: {sched: {early: {}}}\n", "train: {sched: {early: {until: 0.1}, rate: 0.5}}\n"),
        ("{train: {x: 1}}\n", f"{{train: {{x: 1, {NEW}}}}}\n"),
        ("{name: x}\n", f"{{name: x, train: {{{NEW}}}}}\n"),
        ("--- {}\n", f"--- {{train: {{{NEW}}}}}\n"),
        ("train: !!map {}\n", f"train: !!map {{{NEW}}}\n"),
        ("train:\n  sched: {rate: 0.1, early: {until: 0.1}}\n", f"train:\n  {NEW}\n"),
        ("train:\n  sched: {} # note\n  x: 1\n", f"train:\n  {NEW} # note\n  x: 1\n"),
    ],
)
def test_braces(before, after):
    assert patched(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("train: {x: !!str }\n", "train: {x: !!str , rate: 1 }\n"),
        ("train: {x: ! }\n", "train: {x: ! , rate: 1 }\n"),
        ("train: {x: &a }\n", "train: {x: &a , rate: 1 }\n"),
        ("train: {x: 1, rate: 0 # note\n}\n", "train: {x: 1, rate: 1 # note\n}\n"),
        ("train: {x: 1, rate: '0'# note\n}\n", "train: {x: 1, rate: 1 # note\n}\n"),
        ("train: {rate: # note\n 0}\n", "train: {rate: # note\n 1}\n"),
    ],
)
def test_braces_with_one_number(before, after):
    assert patched(before, {"rate": 1}, ("train",)) == after


LINES = ["  sched:", "    rate: 0.5", "    early:", "      until: 0.1"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("train:\r\n  x: 1\r\nz: 1\r\n", "\r\n".join(["train:", "  x: 1", *LINES, "z: 1", ""])),
        ("train:\r\n  x: 1", "\r\n".join(["train:", "  x: 1", *LINES])),
        ("train:\n  x: 1\r\nz: 1\r\n", "train:\n  x: 1\r\n" + "\n".join(LINES) + "\nz: 1\r\n"),
        ("train: ~ # note\r\n", "\r\n".join(["train: # note", *LINES, ""])),
        ("train:\r\n  x: |\r\n    a\r\n\r\nz: 1", "\r\n".join(["train:", "  x: |", "    a", "", *LINES, "z: 1"])),
        ("train:\n  x: 1", "\n".join(["train:", "  x: 1", *LINES])),
        ("train:\n  x: 1 # end", "\n".join(["train:", "  x: 1 # end", *LINES])),
        ("train:\n  x: 1\n...", "\n".join(["train:", "  x: 1", *LINES, "..."])),
        ("train:", "\n".join(["train:", *LINES])),
        ("train: ~", "\n".join(["train:", *LINES])),
        ("train:\n  sched:\n    early: {}\n    rate:", "train:\n  sched:\n    early: {until: 0.1}\n    rate: 0.5"),
        ("\ufefftrain:\n  x: 1\n", "\n".join(["\ufefftrain:", "  x: 1", *LINES, ""])),
        ("\ufeffx: 1\r\n", "\r\n".join(["\ufeffx: 1", "train:", *LINES, ""])),
    ],
)
def test_line_ends_and_byte_order_mark(before, after):
    assert patched(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "train:\n  sched:\n    rate: 0.5\n    early:\n      until: 0.1\n",
        "train: {sched: {rate: 0.5, early: {until: 0.1}}}",
        "train:\n  sched: {early: {until: 0.1, mine: 1}, rate: .5}\n",
        "train:\r\n    sched:\r\n        early: {until: 1.0e-1} # note\r\n        rate: !!float 5e-1\r\n",
        '\'train\':\n  "sched": {\'rate\': 0.50, "early": {"until":0.1}}\n',
        "x: &half 0.5\ntrain:\n  sched: {rate: *half, early: {until: 0.1}}\n",
        "x: &early {until: 0.1}\ntrain:\n  sched: {rate: 0.5, early: *early}\n",
        "train:\n  sched:\n    rate: 0.1\n    rate: 0.5\n    early: {until: 0.1}\n",
        "train:\n  ? sched\n  : rate: 0.5\n    early: {until: 0.1}\n",
    ],
)
def test_what_already_reads_so_is_left_as_it_is_written(text):
    assert patched(text) == text


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        5,
        5.0,
        -0.0,
        1e-6,
        float("inf"),
        float("nan"),
        "",
        "off",
        "😀\n",
        [],
        {},
        [1, [2, {"a": None}]],
        [{}],
    ],
)
def test_any_value_can_be_set_and_then_stands(value):
    for text in ["train: {}\n", "train:\n  x: 1\n", "train:\n  sched: {v: old}\n", "train:\n  sched:\n    v: old\n"]:
        result = patched(text, {"v": value})
        assert repr(yaml.safe_load(result)["train"]["sched"]["v"]) == repr(value)


@pytest.mark.parametrize(
    ("written", "value"), [("1", 1.0), ("1.0", 1), ("true", 1), ("1e-4", 1e-4), ("0.0", -0.0), ("off", "off"), ("", "")]
)
def test_same_look_of_another_type_is_replaced(written, value):
    result = patched(f"train:\n  sched:\n    v: {written}\n    w: 1\n", {"v": value})
    assert repr(yaml.safe_load(result)["train"]["sched"]) == repr({"v": value, "w": 1})


IS_ALIAS = "is an alias (*s), so that an edit here would change another place too. Write it out."
IS_SHARED = "which is used elsewhere; an edit would change that too. Write it out."
IS_OPEN = "without words or without a final line break. End its last line."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "x: &s {a: 1}\ntrain: *s\n",
            f"2:8: `train` {IS_ALIAS}",
        ),
        (
            "x: &s {a: 1}\ntrain:\n  sched: *s\n",
            f"3:10: `train.sched` {IS_ALIAS}",
        ),
        (
            "train:\n  sched: &s {a: 1}\nx: *s\n",
            f"2:10: `train.sched` bears the anchor &s, {IS_SHARED}",
        ),
        (
            "train: &t\n  x: 1\ny: *t\n",
            f"1:8: `train` bears the anchor &t, {IS_SHARED}",
        ),
        (
            "train: &t ~\ny: *t\n",
            f"1:8: `train` bears the anchor &t, {IS_SHARED}",
        ),
        (
            "train:\n  sched:\n    rate: &r 1\n    early: *r\n",
            f"3:11: `train.sched.rate` bears the anchor &r, {IS_SHARED}",
        ),
        (
            "train:\n  sched: {early: &e {}}\nx: *e\n",
            f"2:18: `train.sched.early` bears the anchor &e, {IS_SHARED}",
        ),
        ("train: 5\n", "1:8: `train` should be a mapping."),
        ("train: [a]\n", "1:8: `train` should be a mapping."),
        ("train:\n  sched: soon\n", "2:10: `train.sched` should be a mapping."),
        ("train:\n  sched:\n  - rate: 0.5\n", "3:3: `train.sched` should be a mapping."),
        ("train:\n  ? sched\n  : ~\n", "2:5: Only a key with its `:` can be given a value. Write `key:`."),
        ("train: {sched}\n", "1:9: Only a key with its `:` can be given a value. Write `key:`."),
        ("train:\n  ? x\n  : 1\n", "2:3: Nothing can be inserted beside a key with `?`. Write `key:`."),
        (
            "train:\n  x: 1\nz: 1\ntrain:\n  y: 1\n",
            "4:1: `train` stands twice, here and in line 1; a trainer reads the last. Delete one.",
        ),
        (
            "train: {sched: {}, 'sched': {rate: 0.5, early: {until: 0.1}}}\n",
            "1:20: `train.sched` stands twice, here and in line 1; a trainer reads the last. Delete one.",
        ),
        (
            "train:\n  sched:\n    rate: 0.5\n    rate: 0.1\n",
            "4:5: `train.sched.rate` stands twice, here and in line 3; a trainer reads the last. Delete one.",
        ),
        (
            "train:\n  sched:\n    early: {}\n    early: {until: 1}\n",
            "4:5: `train.sched.early` stands twice, here and in line 3; a trainer reads the last. Delete one.",
        ),
        (
            "train:\n  x: |\n    a",
            f"2:6: Nothing can be inserted below a `|` text {IS_OPEN}",
        ),
        (
            "train:\n  x: >\n\nz: 1\n",
            f"2:6: Nothing can be inserted below a `>` text {IS_OPEN}",
        ),
    ],
)
def test_refused_in_one_line_with_its_place(text, message):
    with pytest.raises(AutocalError) as caught:
        patched(text)
    assert str(caught.value) == f"train.yml:{message}"


def test_alias_on_the_path_is_no_obstacle_when_nothing_changes_there():
    text = "x: &r 0.5\ntrain:\n  sched: {rate: *r}\n"
    assert patched(text) == "x: &r 0.5\ntrain:\n  sched: {rate: *r, early: {until: 0.1}}\n"


def test_unit_is_replaced_as_a_whole_and_other_mappings_key_by_key():
    text = "train:\n  sched:\n    record: {old: 1, kept: 2}\n    early: {old: 1}\n"
    wanted = {"record": {"kept": 2}, "early": {"until": 0.1}}
    assert patched(text, wanted, units={"record"}) == (
        "train:\n  sched:\n    record:\n      kept: 2\n    early: {old: 1, until: 0.1}\n"
    )


def test_unit_in_another_order_is_written_anew():
    text = "train:\n  sched: {record: {b: 1, a: 2}}\n"
    assert patched(text, {"record": {"b": 1, "a": 2}}, units={"record"}) == text
    assert patched(text, {"record": {"a": 2, "b": 1}}, units={"record"}) == "train:\n  sched: {record: {a: 2, b: 1}}\n"


def test_nested_data_is_short_and_readable():
    wanted = {"phases": {"early": {"until": 0.1, "kinds": ["gan"]}}, "list": [{"a": 1}, [1, 2]], "flat": {"a": None}}
    assert (
        patched("train:\n  x: 1\n", wanted)
        == before_and_after("""
          train:
            x: 1
        +   sched:
        +     phases:
        +       early: {until: 0.1, kinds: [gan]}
        +     list:
        +       - {a: 1}
        +       - [1, 2]
        +     flat:
        +       a: null
        """)[1]
    )


@pytest.mark.parametrize(
    ("text", "path", "rest"),
    [
        ("a: 1\nb: 2\n", ("b",), "a: 1"),
        ("a: 1\nb: 2", ("a",), "b: 2"),
        ("a: 1\r\nb:\r\n  c: 2 # note\r\nd: 3\r\n", ("b",), "a: 1\r\nd: 3"),
        ("a:\n  b: |\n    x\n  c: 1\n", ("a", "b"), "a:\n  c: 1"),
        ("a:\n  # above\n  b:\n    - 1\n    -\n  # below\n", ("a", "b"), "a:\n  # above\n  # below"),
        ("a: {b: 1, c: 2, d: 3}\n", ("a", "c"), "a: {b: 1, d: 3}"),
        ("a: {b: 1, c: 2}\n", ("a", "c"), "a: {b: 1}"),
        ("a: {c: 2}\n", ("a", "c"), "a: {}"),
        ("a: 1\n\n\n", ("b",), "a: 1"),
        ("a: 1\n", ("a", "b"), "a: 1"),
        ("a: {b: 1}\n", ("x", "y"), "a: {b: 1}"),
    ],
)
def test_text_without_a_pair(text, path, rest):
    assert text_without(parse_document(text.encode(), "train.yml"), path) == rest
