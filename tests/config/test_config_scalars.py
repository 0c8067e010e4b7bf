"""Scalars: what plain text means to PyYAML, and spellings that every reader takes for the same value."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autocal_cli.config.files import parse_document
from autocal_cli.config.yaml.document import lookup, read_scalar
from autocal_cli.config.yaml.scalars import read_core, write_scalar
from autocal_cli.errors import AutocalError

NUMBER_LIKE = "0123456789+-._:eExbo_~yntfolNaI"


def as_autocal_reads(text):
    """The value of `k` in a config, by the reader of the trainers."""
    document = parse_document(f"k: {text}\n".encode(), "train.yml")
    return read_scalar(document, lookup(document, ("k",)).value)


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
    (".0E0", ".0E0", 0.0),  # a float by the core schema; ruamel.yaml leaves it as text
    ("x2", "x2", "x2"),
]


@pytest.mark.parametrize(("text", "in_1_1", "in_1_2"), READINGS)
def test_plain_text_reads_as_each_version_has_it(text, in_1_1, in_1_2):
    assert same(as_autocal_reads(text), in_1_1)
    assert same(as_pyyaml_reads(text), in_1_1)
    assert same(read_core(text), in_1_2)


@settings(deadline=None, max_examples=300)
@given(st.text(NUMBER_LIKE, min_size=1, max_size=12))
def test_the_core_schema_is_read_as_ruamel_reads_it(text):
    """Two readers never make two different values of a text: at most one of them leaves it as it stands.

    ruamel.yaml reads some texts as numbers that the core schema has not, and leaves `.0E0`, which it has.
    """
    try:
        expected = YAML(typ="safe", pure=True).load(f"- {text}\n")
    except (YAMLError, ValueError):
        return
    if isinstance(expected, list) and len(expected) == 1:
        assert same(read_core(text), expected[0]) or text in (read_core(text), expected[0])


UNCONVERTED = ["0x_", "0b_", "9" * 400, "9" * 5000, "0x" + "f" * 5000, "1" + ":1" * 200 + ".", "2024-01-31", "=", "<<"]


@pytest.mark.parametrize("text", UNCONVERTED)
def test_text_that_cannot_be_converted_stays_text(text):
    assert as_autocal_reads(text) == text
    assert read_core(text) == text


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
        ("timestamp", "2024-01-31", "2024-01-31"),
        ("binary", "aGk=", "aGk="),
    ],
)
def test_explicit_tag_decides(tag, text, value):
    assert same(as_autocal_reads(f"!!{tag} {text}"), value)
    assert same(as_autocal_reads(f"!<tag:yaml.org,2002:{tag}> '{text}'"), value)


@pytest.mark.parametrize("text", ["! 12", '! "12"', "!!str 12", "'12'", "|-\n  12", "!local 12"])
def test_tags_and_quotes_as_pyyaml_takes_them(text):
    expected = "12" if text.startswith("!local") else as_pyyaml_reads(text)
    assert same(as_autocal_reads(text), expected)


@pytest.mark.parametrize(
    ("tag", "text"), [("float", "fast"), ("float", ""), ("int", "1.5"), ("int", ""), ("bool", "maybe")]
)
def test_text_that_does_not_fit_its_tag_is_refused(tag, text):
    with pytest.raises(AutocalError, match=f"train.yml:1:4: '{text}' cannot be read as {tag}."):
        as_autocal_reads(f"!!{tag} '{text}'")


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
        assert same(read_core(written), value)


@settings(deadline=None, max_examples=100)
@given(printable)
def test_text_is_a_key_too(text):
    line = f"{write_scalar(text)}: 1"
    if len(line) < 1000:  # YAML ends a simple key after 1,024 characters
        assert as_pyyaml_reads(line) == as_pyyaml_reads(f"{{{line}}}") == {text: 1}
