"""Patches: what is inserted and replaced, where exactly, and that all else stays.

The examples are written as differences: a line with `+` is new, one with `-` goes, all others stay as they are.
"""

from __future__ import annotations

from textwrap import dedent

import pytest
import yaml

from autocal_cli.config.files import parse_document, plan_patch, text_without, verify_patch
from autocal_cli.config.yaml.edit import splice
from autocal_cli.errors import AutocalError

PATH = ("train", "sched")
WANTED = {"rate": 0.5, "early": {"until": 0.1}}


def patched(text, wanted=WANTED, path=PATH, units=()):
    """The patched text, verified, and read by PyYAML to say what is wanted and nothing else new."""
    document = parse_document(text.encode(), "train.yml")
    patch = plan_patch(document, path, wanted, units)
    if not patch.edits:
        return text
    after = verify_patch(document, splice(document.text, patch.edits), patch)
    assert not plan_patch(after, path, wanted, units).edits, "patching again changes it again"
    return after.encode(after.text).decode()


def before_and_after(difference):
    lines = dedent(difference).lstrip("\n").splitlines(keepends=True)
    assert {line[0] for line in lines} <= set(" +-\n")
    before = "".join(line[2:] or "\n" for line in lines if line[0] != "+")
    after = "".join(line[2:] or "\n" for line in lines if line[0] != "-")
    return before, after


BLOCK_IN_BLOCK = {
    "absent, train first": """
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          name: x
        """,
    "absent, train last": """
          name: x
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "no train": """
          name: x
        + train:
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "train is omitted": """
          train: # note
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          # below
          name: x
        """,
    "train is null": """
        - train: ~  # note
        + train:  # note
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          name: x
        """,
    "train is null by a tag": """
        - train: !!null 'x'
        + train:
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "block is omitted": """
          train:
            sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
            total_iter: 5
        """,
    "block is null, with a note": """
          train:
        -   sched: ~ # note
        +   sched: # note
        +     rate: 0.5
        +     early:
        +       until: 0.1
            total_iter: 5
        """,
    "null on a line of its own; the note moves": """
          train:
        -   sched: # note
        -     null
        +   sched:
        +     # note
        +     rate: 0.5
        +     early:
        +       until: 0.1
            total_iter: 5
        """,
    "one key differs": """
          train:
            sched:
        -     rate: 0.25  # slow
        +     rate: 0.5  # slow
              early:
                until: 0.1
        """,
    "two keys are missing, at two levels": """
          train:
            sched:
              early:
                rate: 1.0
        +       until: 0.1
        +     rate: 0.5
            total_iter: 5
        """,
    "comments above, beside, between, below, far below": """
          # far above
          train:
            # above
            sched:  # beside
              # above it
        -     rate: 0.1 # beside it
        +     rate: 0.5 # beside it

              # between
              early:
                since: 0 # last
        +       until: 0.1
                # below
              # below
            # below
          # far below
        """,
    "the user's own keys and order stay": """
          train:
            sched:
              mine: [1,  2]
              early: {mine: x, until: 0.1}
        -     rate: null
        +     rate: 0.5
              more: 017
        """,
    "a tagged number is replaced with its tag": """
          train:
            sched:
        -     rate: !!float 1e-1
        +     rate: 0.5
              early: {until: 0.1}
        """,
    "a tag and an unused anchor go with their number": """
          train:
            sched:
        -     rate: !!float &rate 1e-1 # note
        +     rate: 0.5 # note
              early:
        -       until: &until !!float 1 # note
        +       until: 0.1 # note
        """,
    "a value is omitted": """
          train:
            sched:
        -     rate:   # note
        +     rate: 0.5   # note
              early: {until: 0.1}
        """,
    "a list gives way to a number": """
          train:
            sched:
        -     rate:
        -     - 1
        -     # inside
        -     - 2
        +     rate:
        +       # inside
        +       0.5
              early: {until: 0.1}
        """,
    "a block scalar gives way to a number": """
          train:
            sched:
        -     rate: | # head
        -       0.5
        +     rate:
        +       # head
        +       0.5
              early: {until: 0.1}
        """,
    "a mapping that ends with a block scalar gives way to a number": """
          train:
            sched:
        -     rate:
        -       why: |
        -         because
        +     rate: 0.5
              early: {until: 0.1}
        """,
    "a number gives way to a mapping": """
          train:
            sched:
              rate: 0.5
        -     early: 3 # note
        +     early: # note
        +       until: 0.1
        """,
    "a flow list gives way to a mapping, and the comment beside keeps its distance": """
          train:
            sched:
              rate: 0.5
        -     early:
        -       [a]# note
        +     early:
        +       until: 0.1 # note
        """,
    "four spaces": """
          name: x
          train:
              total_iter: 5
        +     sched:
        +         rate: 0.5
        +         early:
        +             until: 0.1
        """,
    "three spaces": """
          train:
             total_iter: 5
        +    sched:
        +       rate: 0.5
        +       early:
        +          until: 0.1
        """,
    "eight spaces, two above": """
          datasets:
            name: x
          train:
                  total_iter: 5
        +         sched:
        +           rate: 0.5
        +           early:
        +             until: 0.1
        """,
    "indented root": """
            train:
              total_iter: 5
        +     sched:
        +       rate: 0.5
        +       early:
        +         until: 0.1
            name: x
        """,
    "between document marks": """
          --- # start
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          ...
          # after
        """,
    "quoted keys": """
          "train":
            'sched' :
        -     "rate": 'x'
        +     "rate": 0.5
              'early':
                "since": 1
        +       until: 0.1
        """,
    "emoji before and beside": """
          "😀": 😀
          train: # 😀
            total_iter: 5 # 😀
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 😀
        """,
    "last value is a literal text": """
          train:
            note: |
              one
                two
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "last value is a folded text, blank lines below": """
          train:
            note: >-
              one
              two

        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "last value is a text that keeps its blank lines": """
          train:
            note: |+
              one


        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "last value is plain text of two lines": """
          train:
            note: one
              two # note
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "last value is a list at the column of its key": """
          train:
            losses:
            - type: l1
              weight: 1.0
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "last item of a list is empty": """
          train:
            losses:
              - a
              - # nothing
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "last value is a flow list of several lines": """
          train:
            list: [1, # one
              2, ] # two
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1
        """,
    "merge keys beside": """
          base: &base
            total_iter: 5
          train:
            <<: *base
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "merge keys inside": """
          base: &base {rate: 0.1}
          train:
            sched:
              <<: *base
              early: {until: 0.1}
        +     rate: 0.5
        """,
    "an alias and an unused anchor beside": """
          x: &x 1
          train: &train
            total_iter: *x
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "a key with ? beside": """
          train:
            a: 1
            ? b
            : c
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "tabs in comments, spaces at line ends": """
          train:   \n            # a\ttab   \n            total_iter: 5   \n        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          z: 1  \n        """,
    "commented out, below the last value": """
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
            # sched:
            #   rate: 1.0
            #   early: {until: 0.2}
          name: x
        """,
    "commented out, indented as it would stand": """
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
            # sched:
              # rate: 1.0
              # early:
                # until: 0.2

          name: x
        """,
    "commented out, between two keys": """
          train:
            # sched:
            #   rate: 1.0
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "commented out, at the margin, at the end": """
          train:
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          #  sched:
          #    rate: 1.0
        """,
    "commented out, its keys below the key": """
          train:
            sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
              # rate: 1.0
            total_iter: 5
        """,
    "commented-out items stay with their list": """
          train:
            losses:
              - type: l1
                # weight: 1.0
              # - type: gan

              # - type: perceptual
                # weight: 0.1
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
            # below

              # far below
          z: 1
        """,
    "flow list with comments below it": """
          train:
            losses: [
              a,
            ]
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
            # - below
        """,
    "two copies merged, one beside": """
          a: &a {x: 1}
          b: &b {y: 1}
          train:
            <<: [*a, *b]
            x: 2
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          after: {<<: *a}
        """,
    "block merged in is written out beside": """
          base: &base
            sched: {rate: 0.1}
          train:
            <<: *base
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
        """,
    "eight spaces throughout": """
          datasets:
                  name: x
          train:
                  total_iter: 5
        +         sched:
        +                 rate: 0.5
        +                 early:
        +                         until: 0.1
        """,
    "one space": """
          train:
           total_iter: 5
        +  sched:
        +   rate: 0.5
        +   early:
        +    until: 0.1
        """,
    "tagged and commented documents": """
          %YAML 1.2
          ---
          train: !!map
            total_iter: 5
        +   sched:
        +     rate: 0.5
        +     early:
        +       until: 0.1
          ...
        """,
}


@pytest.mark.parametrize("difference", BLOCK_IN_BLOCK.values(), ids=BLOCK_IN_BLOCK)
def test_whole_lines(difference):
    before, after = before_and_after(difference)
    assert patched(before) == after


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
