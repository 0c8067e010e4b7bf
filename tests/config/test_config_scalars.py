"""Scalars: what plain text means to PyYAML, and spellings that every reader takes for the same value."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from autocal_cli.config.yaml.scalars import read_plain, read_tagged, write_scalar

NUMBER_LIKE = "0123456789+-._:eExbo_~yntfolNaI"


def as_pyyaml_reads(text):
    return yaml.safe_load(text)


def as_ruamel_reads(text):
    return YAML(typ="safe", pure=True).load(text)


def same(one, other):
    """Equal in type and value; nan equals nan, and 0.0 is not -0.0."""
    return repr(one) == repr(other)


READINGS = [
    # text, YAML 1.1 (the trainers), YAML 1.2
    ("", None, None),
    ("~", None, None),
    ("null", None, None),
    ("Null", None, None),
    ("nULL", "nULL", "nULL"),
    ("true", True, True),
    ("True", True, True),
    ("tRUE", "tRUE", "tRUE"),
    ("yes", True, "yes"),
    ("On", True, "On"),
    ("OFF", False, "OFF"),
    ("no", False, "no"),
    ("y", "y", "y"),
    ("N", "N", "N"),
    ("0", 0, 0),
    ("-0", 0, 0),
    ("+12", 12, 12),
    ("1_000", 1000, "1_000"),
    ("017", 15, 17),
    ("0o17", "0o17", 15),
    ("08", "08", 8),
    ("0x1F", 31, 31),
    ("0b101", 5, "0b101"),
    ("1:30", 90, "1:30"),
    ("-1:30", -90, "-1:30"),
    ("9007199254740993:01", 9007199254740993 * 60 + 1, "9007199254740993:01"),
    ("1:60", "1:60", "1:60"),
    ("2e-4", "2e-4", 2e-4),
    ("1e-6", "1e-6", 1e-6),
    ("5e3", "5e3", 5000.0),
    ("1.0e4", "1.0e4", 1.0e4),
    ("1.0e+4", 1.0e4, 1.0e4),
    ("1.0e-06", 1e-6, 1e-6),
    ("1.E-6", 1e-6, 1e-6),
    (".5", 0.5, 0.5),
    ("-.5", "-.5", -0.5),
    ("1.", 1.0, 1.0),
    ("1_0.5", 10.5, "1_0.5"),
    ("1:30.5", 90.5, "1:30.5"),
    (".inf", math.inf, math.inf),
    ("-.INF", -math.inf, -math.inf),
    (".nan", math.nan, math.nan),
    (".NaN", math.nan, math.nan),
    ("inf", "inf", "inf"),
    ("nan", "nan", "nan"),
    ("2.0.0", "2.0.0", "2.0.0"),
    ("x2", "x2", "x2"),
]


@pytest.mark.parametrize(("text", "in_1_1", "in_1_2"), READINGS)
def test_plain_text_reads_as_each_version_has_it(text, in_1_1, in_1_2):
    assert same(read_plain(text, "1.1"), in_1_1)
    assert same(read_plain(text, "1.2"), in_1_2)


@pytest.mark.parametrize("text", [text for text, *_ in READINGS])
def test_table_is_what_pyyaml_reads(text):
    assert same(read_plain(text), as_pyyaml_reads(text))


def is_date(text):
    """PyYAML makes a date of `2024-01-31`; we leave it as text, since no key that we read takes a date."""
    return yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False)).endswith(":timestamp")


@settings(deadline=None, max_examples=600)
@given(st.text(NUMBER_LIKE, max_size=12))
def test_plain_text_reads_as_pyyaml_reads_it(text):
    loader = yaml.SafeLoader("")
    node = yaml.ScalarNode(loader.resolve(yaml.ScalarNode, text, (True, False)), text)
    try:
        expected = text if is_date(text) else loader.construct_object(node)
    except ValueError:  # looks like a number and is none: the trainer stops, we leave the text
        expected = text
    assert same(read_plain(text), expected)


@pytest.mark.parametrize("text", ["0x_", "0b_", "9" * 5000, "1" + ":1" * 200 + "."])
def test_text_that_cannot_be_converted_stays_text(text):
    assert read_plain(text) == text


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("float", "1e-4", 1e-4),
        ("float", "5", 5.0),
        ("float", ".inf", math.inf),
        ("int", "0x10", 16),
        ("int", "1_0", 10),
        ("bool", "Yes", True),
        ("bool", "off", False),
        ("null", "whatever", None),
        ("str", "5", "5"),
        ("python/object/apply:os.system", "echo", "echo"),
    ],
)
def test_explicit_tag_decides(tag, text, value):
    assert same(read_tagged(f"tag:yaml.org,2002:{tag}", text), value)


@pytest.mark.parametrize(
    ("tag", "text"), [("float", "fast"), ("float", ""), ("int", "1.5"), ("int", ""), ("bool", "maybe")]
)
def test_text_that_does_not_fit_its_tag_is_refused(tag, text):
    with pytest.raises(ValueError):  # noqa: PT011 (the caller makes the message)
        read_tagged(f"tag:yaml.org,2002:{tag}", text)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-17, "-17"),
        (0.5, "0.5"),
        (5.0, "5.0"),
        (-0.0, "-0.0"),
        (1e-06, "1.0e-06"),
        (1.5e-07, "1.5e-07"),
        (1e16, "1.0e+16"),
        (5e-324, "5.0e-324"),
        (math.inf, ".inf"),
        (-math.inf, "-.inf"),
        (math.nan, ".nan"),
        ("paragonsr2", "paragonsr2"),
        ("two words", "two words"),
        ("a/b.c-d+e (f)", "a/b.c-d+e (f)"),
        ("off", '"off"'),
        ("y", '"y"'),
        ("n", '"n"'),
        ("null", '"null"'),
        ("", '""'),
        ("1e-4", '"1e-4"'),
        ("1.5", '"1.5"'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
        ("a ", '"a "'),
        ("- a", '"- a"'),
        ('say "x"\\', '"say \\"x\\"\\\\"'),
        ("größe", '"größe"'),
        ("😀", '"😀"'),
        ("😀\n", '"😀\\n"'),
        ("\U000f0000", '"\\U000f0000"'),
        ("a\x7fb\u2028c\xa0", '"a\\u007fb\\u2028c\\u00a0"'),
    ],
)
def test_spelling(value, written):
    assert write_scalar(value) == written
    assert same(as_pyyaml_reads(written), value)


printable = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    printable,
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(NUMBER_LIKE + " #'\"[]{},&*!|>%@`?=", max_size=6),
)


@settings(deadline=None, max_examples=400)
@given(values)
def test_what_is_written_reads_back_everywhere(value):
    written = write_scalar(value)
    assert "\n" not in written
    for text, found in [
        (f"k: {written}", lambda data: data["k"]),
        (f"[{{k: {written}}}, 1]", lambda data: data[0]["k"]),
    ]:
        assert same(found(as_pyyaml_reads(text)), value)
        assert same(found(as_ruamel_reads(text)), value)
    if not written.startswith('"'):
        assert same(read_plain(written, "1.1"), value)
        assert same(read_plain(written, "1.2"), value)


@settings(deadline=None, max_examples=100)
@given(printable)
def test_text_is_a_key_too(text):
    line = f"{write_scalar(text)}: 1"
    if len(line) < 1000:  # YAML ends a simple key after 1,024 characters
        assert as_pyyaml_reads(line) == as_pyyaml_reads(f"{{{line}}}") == {text: 1}
