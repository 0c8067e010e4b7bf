"""Documents: what is refused and where, what is kept, and where every node stands."""

from __future__ import annotations

import pytest
import yaml

from autocal_cli.config.files import MAX_BYTES, parse_document
from autocal_cli.config.yaml.document import MAX_DEPTH, lookup, read_value
from autocal_cli.config.yaml.edit import all_comments
from autocal_cli.errors import AutocalError


def parsed(text):
    return parse_document(text.encode() if isinstance(text, str) else text, "train.yml")


def data(text):
    document = parsed(text)
    return read_value(document, document.root)


def refusal(action):
    with pytest.raises(AutocalError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    return message


REFUSED = [
    ("a: 1\n---\nb: 2\n", "train.yml:2:1: The file holds more than one document. Split it."),
    ("a: 1\n...\n---\n", "train.yml:3:1: The file holds more than one document. Split it."),
    ("", "train.yml:1:1: A training config should be a mapping at its top level."),
    ("# only a comment\n", "train.yml:1:1: A training config should be a mapping at its top level."),
    ("- a\n- b\n", "train.yml:1:1: A training config should be a mapping at its top level."),
    ("just text", "train.yml:1:1: A training config should be a mapping at its top level."),
    ("a: 1\rb: 2\n", "train.yml:1:5: A carriage return stands alone as a line ending. Use LF or CRLF."),
    ("a: 1\r\nb: 2\r", "train.yml:2:5: A carriage return stands alone as a line ending. Use LF or CRLF."),
    (
        "a: 1\n# x\u2028b: 2",
        "train.yml:2:4: U+2028 ends a line for some YAML readers and not for others. Use LF or CRLF.",
    ),
    ("a: 'x\u2029'", "train.yml:1:6: U+2029 ends a line for some YAML readers and not for others. Use LF or CRLF."),
    ("a: x\x85", "train.yml:1:5: U+0085 ends a line for some YAML readers and not for others. Use LF or CRLF."),
    ("a: 1\n".encode("utf-16"), "train.yml:1: The file is not UTF-8 (byte 0). Save it as UTF-8."),
    ("a: 1\nb: größe\n".encode("latin-1"), "train.yml:2: The file is not UTF-8 (byte 10). Save it as UTF-8."),
    (
        "a: 1\n".encode("utf-16-le"),
        "train.yml:1:2: U+0000 may not stand in YAML. Delete it, or save the file as UTF-8.",
    ),
    ("a: x\x00\n", "train.yml:1:5: U+0000 may not stand in YAML. Delete it, or save the file as UTF-8."),
    (
        "\ufeff\ufeffa: 1\n",
        "train.yml:1:1: U+FEFF may not stand in YAML. Delete it, or save the file as UTF-8.",
    ),
    ("a: *x\n", "train.yml:1:4: The alias *x has no anchor before it."),
    ("a: *x\nb: &x 1\n", "train.yml:1:4: The alias *x has no anchor before it."),
    ("a: &x [*x]\n", "train.yml:1:8: The alias *x stands inside what it names."),
    ("a: &x 1\nb: &x 2\n", "train.yml:2:4: The anchor &x stands twice. Rename one."),
    ("a: &x [&x 1]\n", "train.yml:1:8: The anchor &x stands twice. Rename one."),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refused_in_one_line_with_its_place(text, message):
    assert refusal(lambda: parsed(text)) == message


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("train:\n\ttotal_iter: 5\n", "2:1"),
        ("a: [1, 2\n", "2:1"),
        ("a: b: c\n", "1:5"),
        ("a: 'open\n", "2:1"),
        ('a: "\\UFFFFFFFF"\n', "1:7"),
        ('a: "\\U00110000"\n', "1:7"),
        ('a: "\\ud83d"\n', "1:7"),
        ("%YAML 2.0\n---\na: 1\n", "1:1"),
        ("a: !x!y 1\n", "1:4"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_place(text, at):
    assert refusal(lambda: parsed(text)).startswith(f"train.yml:{at}: This is not valid YAML: ")


def test_size_cap():
    rest = b"a: 1\n#"
    assert parsed(rest.ljust(MAX_BYTES, b"x")).text.startswith("a: 1")
    assert refusal(lambda: parsed(rest.ljust(MAX_BYTES + 1, b"x"))) == (
        "train.yml: The file has 1,048,577 bytes; at most 1,048,576 are read."
    )


def test_depth_cap():
    assert MAX_DEPTH == 100
    deepest = "k: " + "[" * 99 + "]" * 99
    assert data(deepest) == yaml.safe_load(deepest)
    assert refusal(lambda: parsed("k: " + "[" * 100 + "]" * 100)) == (
        "train.yml:1:103: The file nests deeper than 100 levels."
    )


def test_alias_bomb_loads_and_is_refused_when_read():
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    document = parsed("\n".join(["l0: &l0 x", *levels, "total_iter: 5"]))
    assert read_value(document, lookup(document, ("total_iter",)).value) == 5
    assert "The aliases expand to too much data." in refusal(lambda: read_value(document, document.root))


def test_merge_bomb_costs_no_more_than_its_length():
    levels = [f"l{n}: &l{n} {{<<: [{', '.join([f'*l{n - 1}'] * 9)}]}}" for n in range(1, 40)]
    document = parsed("\n".join(["l0: &l0 {}", *levels]))
    assert lookup(document, ("l39", "absent")) is None
    assert read_value(document, document.root)["l39"] == {}


def test_long_chain_of_merges_is_refused():
    chain = "\n".join(["l0: &l0 {x: 1}", *(f"l{n}: &l{n} {{<<: *l{n - 1}}}" for n in range(1, 102))])
    document = parsed(chain)
    assert lookup(document, ("l100", "x")) is not None
    message = refusal(lambda: lookup(document, ("l101", "x")))
    assert message == "train.yml:102:7: Merges nest deeper than 100 levels."


@pytest.mark.parametrize("inner", ["{}", "{x: 1, y: 2}", "{long_key: 1}"])
def test_a_bomb_of_merges_is_read_in_no_time_or_refused(inner):
    levels = [f"l{n}: &l{n} {{<<: [{', '.join([f'*l{n - 1}'] * 9)}], own{n}: {n}}}" for n in range(1, 40)]
    document = parsed("\n".join([f"l0: &l0 {inner}", *levels, "z: 1"]))
    assert read_value(document, lookup(document, ("z",)).value) == 1
    assert "The merges expand to too much data." in refusal(lambda: lookup(document, ("l39", "x")))


def test_the_order_of_reading_tells_nothing():
    chain = "\n".join(["l0: &l0 {x: 1}", *(f"l{n}: &l{n} {{<<: *l{n - 1}}}" for n in range(1, 102))])
    document = parsed(chain)
    for n in range(101):
        assert lookup(document, (f"l{n}", "x")) is not None
    assert "Merges nest deeper" in refusal(lambda: lookup(document, ("l101", "x")))


def test_python_tags_are_never_carried_out(tmp_path):
    marker = tmp_path / "ran"
    text = f'a: !!python/object/apply:os.system ["touch {marker}"]\nb: !!python/name:os.system\nc: !local x\n'
    assert data(text) == {"a": [f"touch {marker}"], "b": "", "c": "x"}
    assert not marker.exists()


ACCEPTED = [
    "a: 1\n",
    "a: 1",
    "---\na: 1\n",
    "--- # note\na: 1\n",
    "a: 1\n...\n",
    "a: 1\n...\n# the end",
    "%YAML 1.1\n---\na: on\n",
    "%YAML 1.2\n---\na: on\n",
    "{a: 1, b: [1, {c: 2}]}",
    "a: 1\r\nb:\r\n- x\r\n",
    "\n\n# note\na: 1  # note\n\n",
    "a: |\n  x\n  y\nb: >-\n  x\n  y\n",
    "a: 'it''s'\nb: \"\\u00e9 \\\n  x\"\n",
    "? a\n: 1\n",
    "  a: 1\n  b: 2\n",
    "größe: ü\n'😀': 😀\n",
    "a: x # note\twith a tab\n",
    "a: &x 1\nb: *x\nc: [*x, *x]\n",
    "a: [1, 2,]\nb: {x: 1,}\n",
    "a: http://x/y#z\nb: c:d\n",
]


@pytest.mark.parametrize("text", ACCEPTED)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
def test_accepted_as_pyyaml_reads_it_and_kept_byte_for_byte(text, bom):
    raw = bom + text.encode()
    document = parsed(raw)
    assert read_value(document, document.root) == yaml.safe_load(text)
    assert document.encode(document.text) == raw


@pytest.mark.parametrize(
    ("text", "newline"), [("a: 1", "\n"), ("a: 1\nb: 2\r\n", "\n"), ("a: 1\r\nb: 2\n", "\r\n"), ("\na: 1\r\n", "\n")]
)
def test_newline_is_the_first_one_found(text, newline):
    assert parsed(text).newline == newline


@pytest.mark.parametrize(
    ("text", "path", "key_at", "value_at"),
    [
        ("a: 1\nb: 2\n", ("b",), "2:1", "2:4"),
        ("a: 1\r\nb:\r\n  c: x\r\n", ("b", "c"), "3:3", "3:6"),
        ('"😀": 😀\n', ("😀",), "1:1", "1:6"),
        ("# 😀\r\na: {😀: [x], b: 2}\r\n", ("a", "b"), "2:13", "2:16"),
        ("\ufeffa: 1\n", ("a",), "1:1", "1:4"),
        ("--- # note\na: &x !!float 1e-4\n", ("a",), "2:1", "2:4"),
        ("a:\n  - b\n", ("a",), "1:1", "2:3"),
    ],
)
def test_places(text, path, key_at, value_at):
    document = parsed(text)
    pair = lookup(document, path)
    assert str(document.place(pair.key.start)) == f"train.yml:{key_at}"
    assert str(document.place(pair.value.start)) == f"train.yml:{value_at}"


@pytest.mark.parametrize(
    ("text", "comments"),
    [
        ("a: 1\n", []),
        ("a: x#y\n", []),
        ("a: '# x'\nb: \"# y\"\n", []),
        ("a: |\n  # text\n", []),
        ("# one\na: 1 # two\n  # three \n", ["# one", "# two", "# three"]),
        ("a: 1  # a\ttab\r\n# end", ["# a\ttab", "# end"]),
        ("a: | # head\n  # text\n# after\n", ["# head", "# after"]),
        ("a: [1, # one\n  2] # two\n", ["# one", "# two"]),
        ("a: {# one\n  b: 'x'# two\n}# three\n", ["# one", "# two", "# three"]),
        ("a: # twice\nb: # twice\n", ["# twice", "# twice"]),
    ],
)
def test_comments(text, comments):
    assert sorted(all_comments(parsed(text)).elements()) == sorted(comments)
