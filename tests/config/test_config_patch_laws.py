"""Laws of patching, over generated configs: what stands stays, what is wanted is read, and once is enough."""

from __future__ import annotations

from itertools import pairwise

import yaml
from config_texts import PATH, WANTED, configs
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from autocal_cli.config.files import parse_document, plan_patch, text_without, verify_patch
from autocal_cli.config.yaml.document import lookup, read_value
from autocal_cli.config.yaml.edit import inverse, splice
from autocal_cli.errors import AutocalError

laws = settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


class Loader(yaml.SafeLoader):
    """PyYAML's own readings; local tags are left out of account, as they would stop it."""


Loader.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))


def loaded(text):
    return yaml.load(text, Loader)


def parsed(text):
    return parse_document(text.encode(), "train.yml")


def patched(text):
    """The document, its patch and the patched document; a config that is refused makes no example."""
    document = parsed(text)
    try:
        patch = plan_patch(document, PATH, WANTED)
    except AutocalError:
        assume(False)
    return document, patch, verify_patch(document, splice(document.text, patch.edits), patch)


def without_wanted(data):
    """What the patch has no say in: all data but the wanted keys of the block (which may be absent or empty)."""
    rest = {key: value for key, value in data.items() if key != "train"}
    train = dict(data.get("train") or {})
    block = dict(train.pop("sched", None) or {})
    early = block.get("early")
    block = {key: value for key, value in block.items() if key not in WANTED}
    if isinstance(early, dict):
        block["early"] = {key: value for key, value in early.items() if key not in WANTED["early"]}
    return rest, train, {key: value for key, value in block.items() if value != {}}


def subset(wanted, found):
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and subset(value, found[key]) for key, value in wanted.items()
        )
    return repr(wanted) == repr(found)


@laws
@given(configs())
def test_generated_configs_read_as_pyyaml_reads_them(case):
    text, _ = case
    document = parsed(text)
    assert repr(read_value(document, document.root)) == repr(loaded(text))


def wanted_values_are_read_and_all_else_is_read_as_before(text, _comments, _document, _patch, after):
    assert subset(WANTED, loaded(after.text)["train"]["sched"])
    assert repr(without_wanted(loaded(after.text))) == repr(without_wanted(loaded(text)))


def patching_again_changes_nothing(_text, _comments, _document, _patch, after):
    assert not plan_patch(after, PATH, WANTED).edits


@laws
@given(configs())
def test_what_already_stands_needs_no_edit(case):
    document = parsed(case[0])
    pair = lookup(document, ("train",))
    train = read_value(document, pair.value) if pair else None
    standing = train if isinstance(train, dict) else {}
    block = standing.get("sched")
    assert not plan_patch(document, ("train",), standing).edits or not standing
    if isinstance(block, dict):
        assert not plan_patch(document, PATH, block, units=set(block)).edits


def lines_outside_of_the_edits_survive_in_order(_text, _comments, document, patch, after):
    touched = {
        line
        for edit in patch.edits
        if edit.end > edit.start or document.text[edit.end : edit.end + 1] not in ("", "\n", "\r")
        for line in range(document.text.count("\n", 0, edit.start), document.text.count("\n", 0, edit.end) + 1)
    }
    kept = [line for number, line in enumerate(document.text.splitlines()) if number not in touched]
    remaining = iter(after.text.splitlines())
    assert all(line in remaining for line in kept)


def all_comments_survive(_text, comments, _document, _patch, after):
    assert [comment for comment in comments if comment in after.text] == comments
    lines = [line.strip() for line in after.text.splitlines()]
    for line, below in pairwise(comments):
        if line.endswith(": sched:"):
            assert lines[lines.index(line) + 1] == below  # a commented-out block stays in one piece


def byte_order_mark_and_line_endings_survive(text, _comments, document, _patch, after):
    assert after.bom == document.bom == text.startswith("\ufeff")
    if "\n" in text:
        assert (after.text.count("\r\n") == after.text.count("\n")) == (text.count("\r\n") == text.count("\n"))


def edits_can_be_undone(_text, _comments, document, patch, after):
    assert splice(after.text, inverse(document.text, patch.edits)) == document.text


@laws
@given(configs())
def test_what_holds_of_every_patch(case):
    """One config serves all the laws: making and patching it costs far more than looking at it."""
    document, patch, after = patched(case[0])
    for law in (
        wanted_values_are_read_and_all_else_is_read_as_before,
        patching_again_changes_nothing,
        lines_outside_of_the_edits_survive_in_order,
        all_comments_survive,
        byte_order_mark_and_line_endings_survive,
        edits_can_be_undone,
    ):
        law(*case, document, patch, after)


@settings(parent=laws, suppress_health_check=list(HealthCheck))  # half of the configs have no block to begin with
@given(configs(), st.sampled_from([{"record": {"a": 1, "b": {"c": [1, 2]}}}, {"record": 5}, {"record": [{"a": 1}]}]))
def test_cutting_out_what_was_inserted_gives_the_text_before(case, wanted):
    text, _ = case
    document = parsed(text)
    block = lookup(document, PATH)
    assume(block is not None and isinstance(read_value(document, block.value), dict))
    path = (*PATH, "record")
    try:
        patch = plan_patch(document, PATH, wanted, units={"record"})
    except AutocalError:
        assume(False)
    after = verify_patch(document, splice(document.text, patch.edits), patch)
    assert text_without(after, path) == text_without(document, path) == document.text.rstrip("\r\n")
