"""The two parsers of PyYAML: the same tree from both, and every text on which they differ, named."""

from __future__ import annotations

import pytest
import yaml
from config_texts import configs
from hypothesis import HealthCheck, given, settings

from autocal_cli.config.files import parse_document
from autocal_cli.config.yaml.document import LIBYAML, TreeBuilder, parse_events
from autocal_cli.errors import AutocalError

needs_libyaml = pytest.mark.skipif(not LIBYAML, reason="PyYAML was built without libyaml")
INVISIBLE = (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentStartEvent, yaml.DocumentEndEvent)


def events(text, libyaml):
    """What the tree is made of: kind, text, tag, anchor, style and both marks of every event.

    An omitted value stands behind its colon for one parser and at the next token for the other (`{a: }`): no edit rests
    on where, and its marks are left out.
    """
    return [
        (
            type(event).__name__,
            *(getattr(event, name, None) or None for name in ("value", "tag", "anchor", "style", "flow_style")),
            *(() if is_omitted(event) else (event.start_mark.index, event.end_mark.index)),
        )
        for event in parse_events(text, "train.yml", libyaml)
        if not isinstance(event, INVISIBLE)
    ]


def is_omitted(event):
    return isinstance(event, yaml.ScalarEvent) and event.start_mark.index == event.end_mark.index


def outcome(text, libyaml):
    try:
        events(text, libyaml)
    except AutocalError as error:
        return str(error)
    return "accepted"


@needs_libyaml
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(configs())
def test_both_parsers_see_the_same_at_the_same_places(case):
    text = case[0].removeprefix("\ufeff")
    assert events(text, libyaml=True) == events(text, libyaml=False)


@needs_libyaml
@pytest.mark.parametrize(
    "text",
    [
        "a: 1",
        "a:",
        "a: # c",
        "a: |\n  x",
        "a: |+\n  x\n\n\n",
        "a: >-\n\n\nb: 1\n",
        "a: x\n  y # c\n",
        "a: 'x\n\n  y'\n",
        "a:\n  - b",
        "a:\n- b\n-\n",
        "a: {b: 1}",
        "a: {b:c, 'd':e, f: }\n",
        "a: [\n1\n,2, # c\n]\n",
        "? a\n: b\n? c\n",
        "&a a: !!str 1\nb: !t &b\nc: *a\n",
        "# 😀\r\na: 😀 # 😀\r\nb:\r\n  c: '😀'\r\n  d: |\r\n    😀\r\n",
        "%YAML 1.2\n---\na: 1\n...\n# c\n",
    ],
)
def test_both_parsers_agree_on_what_people_write(text):
    assert events(text, libyaml=True) == events(text, libyaml=False)
    assert TreeBuilder("x").build(parse_events(text, "x", libyaml=False)) is not None


TAB = "found character '\\t' that cannot start any token. Indent with spaces, not with tabs."


@needs_libyaml
@pytest.mark.parametrize(
    ("text", "libyaml", "python"),
    [
        # A tab between tokens (never as indentation) is allowed by YAML 1.2 and by libyaml.
        ("a:\t1\n", "accepted", f"1:3: This is not valid YAML: {TAB}"),
        ("a: 1\t# c\n", "accepted", f"1:5: This is not valid YAML: {TAB}"),
        ("a: [1,\t2]\n", "accepted", f"1:7: This is not valid YAML: {TAB}"),
        # A question mark inside a word of a flow collection is text for libyaml.
        ("a: [b?c]\n", "accepted", "1:6: This is not valid YAML: expected ',' or ']', but got '?'."),
        # libyaml is the stricter one about half characters, unknown directives and later versions.
        ('a: "\\ud83d"\n', "1:7: This is not valid YAML: found invalid Unicode character escape code.", "accepted"),
        ("%FOO x\n---\na: 1\n", "1:5: This is not valid YAML: found unknown directive name.", "accepted"),
        ("%YAML 1.3\n---\na: 1\n", "1:1: This is not valid YAML: found incompatible YAML document.", "accepted"),
        # A comment that touches the head of a block scalar.
        (
            "a: |#c\n  x\n",
            "accepted",
            "1:5: This is not valid YAML: expected chomping or indentation indicators, but found '#'.",
        ),
    ],
)  # fmt: skip
def test_where_the_parsers_differ(text, libyaml, python):
    assert outcome(text, libyaml=True).removeprefix("train.yml:") == libyaml
    assert outcome(text, libyaml=False).removeprefix("train.yml:") == python


@pytest.mark.parametrize("libyaml", [pytest.param(True, marks=needs_libyaml), False])
@pytest.mark.parametrize(
    "text",
    ["a:\n\tb: 1\n", "a:\n  b: 1\n\tc: 2\n", "a:\n  b: 1\n  \tc: 2\n", "\ta: 1\n", "a:\n  -\tb: 1\n   \tc: 2\n"],
)
def test_tabs_as_indentation_are_refused_with_the_cure(text, libyaml):
    assert outcome(text, libyaml).endswith("Indent with spaces, not with tabs.")


@pytest.mark.corpus
@needs_libyaml
def test_both_parsers_agree_on_real_files(corpus):
    for path in sorted((corpus / "configs").rglob("*.y*ml")):
        text = parse_document(path.read_bytes(), str(path)).text
        assert events(text, libyaml=True) == events(text, libyaml=False), path
