"""What libyaml refuses is refused with its place, and our own caps are told before its."""

from __future__ import annotations

import pytest

from autocal_cli.config.files import parse_document
from autocal_cli.errors import AutocalError


def refusal(text: str) -> str:
    with pytest.raises(AutocalError) as caught:
        parse_document(text.encode(), "train.yml")
    return str(caught.value).removeprefix("train.yml:")


@pytest.mark.parametrize(
    "text",
    ["a:\n\tb: 1\n", "a:\n  b: 1\n\tc: 2\n", "a:\n  b: 1\n  \tc: 2\n", "\ta: 1\n", "a:\n  -\tb: 1\n   \tc: 2\n"],
)
def test_tabs_as_indentation_are_refused_with_the_cure(text: str) -> None:
    assert refusal(text).endswith("Indent with spaces, not with tabs.")


@pytest.mark.parametrize("text", ["a:\t1\n", "a: 1\t# c\n", "a: [1,\t2]\n", "a: [b?c]\n", "a: |#c\n  x\n"])
def test_what_libyaml_accepts_and_the_parser_in_python_does_not(text: str) -> None:
    assert parse_document(text.encode(), "train.yml").text == text


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("[" * 2000, "1:1001"),  # where libyaml, which looks ahead, gives up
        ("k: " + "[" * 101, "1:103"),
        ("k: " + "[" * 100 + "]" * 100, "1:103"),
        ("k: " + "{" * 2000, "1:1004"),
        ("k: " + "{a: " * 2000, "1:400"),
        ("- " * 2000, "1:201"),
        ("? " * 2000, "1:201"),
        ("".join(" " * level + "a:\n" for level in range(200)), "101:101"),
    ],
)
def test_depth_is_told_by_our_own_cap(text: str, at: str) -> None:
    line, _, rest = refusal(text).partition(":")
    assert rest.partition(": ")[2] == "The file nests deeper than 100 levels."
    if "1001" not in at and "1004" not in at:
        assert f"{line}:{rest.partition(': ')[0]}" == at


@pytest.mark.parametrize("text", ["a: [[[\n", "a: 'open\n", "a: b: c\n", "a: [1, 2\n" + "#" + "[" * 200 + "\n"])
def test_other_mistakes_are_not_taken_for_depth(text: str) -> None:
    assert "This is not valid YAML" in refusal(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("a: {<<: 5}\n", "1:9"),
        ("a: &a [1]\nb:\n  <<: *a\n", "3:7"),
        ("a: &a {}\nb: {<<: [*a, x]}\n", "2:9"),
        ("a:\n  <<:\n  b: 1\n", "2:6"),
    ],
)
def test_merges_of_what_is_no_mapping_are_refused(text: str, at: str) -> None:
    assert refusal(text) == f"{at}: `<<` should name a mapping, or a list of mappings."
