"""Verification: each check can fail. A wrong output is fed to each, and none may pass."""

from __future__ import annotations

import pytest

from autocal_cli.config.files import parse_document, plan_patch, verify_patch
from autocal_cli.config.yaml.edit import Edit, Patch, splice
from autocal_cli.errors import VerificationError

BEFORE = """\
# top
name: &name x
train:  # training
  lr: !!float 1e-4
  block:
    rate: 0.1
    mine: [1, 'two', {three: *name}]
  text: |
    words
"""
PATH = ("train", "block")


def document():
    return parse_document(BEFORE.encode(), "train.yml")


def good():
    return plan_patch(document(), PATH, {"rate": 0.5, "new": 1})


def with_edit(old, new):
    """The good patch and one edit more, which nobody asked for."""
    start = BEFORE.index(old)
    return Patch((*good().edits, Edit(start, start + len(old), new)), good().values)


def verified(patch):
    return verify_patch(document(), splice(BEFORE, patch.edits), patch)


def test_good_patch_passes():
    assert verified(good()).text == BEFORE.replace("0.1", "0.5").replace("*name}]\n", "*name}]\n    new: 1\n")


@pytest.mark.parametrize(
    "output",
    [BEFORE, BEFORE + "\n", BEFORE.replace("0.1", "0.5") + "    new: 1\n", "", BEFORE.replace("words", "Words")],
)
def test_a_an_output_that_the_edits_do_not_explain(output):
    with pytest.raises(VerificationError, match="Undoing the edits does not give the input"):
        verify_patch(document(), output, good())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: &name x", "name: &name y"),
        ("name: &name x", "name: &name 'x'"),
        ("name: &name x", "name: &name !!str x"),
        ("name: &name x", "Name: &name x"),
        ("name: &name x\n", "name: &name x\nmore: 1\n"),
        ("  lr: !!float 1e-4\n", "  lr: 1e-4\n"),
        ("  lr: !!float 1e-4\n", ""),
        ("  lr: !!float 1e-4\n", "  lr: !!float 1e-4\n  extra: 1\n"),
        ("[1, 'two', {three: *name}]", "[1, two, {three: *name}]"),
        ("[1, 'two', {three: *name}]", "['two', 1, {three: *name}]"),
        ("[1, 'two', {three: *name}]", "[1, 'two', {three: x}]"),
        ("[1, 'two', {three: *name}]", "[1, 'two', {three: *name}, 4]"),
        ("[1, 'two', {three: *name}]", "[1, 'two', [three, *name]]"),
        ("mine: [1", "mine: !mine [1"),
        ("mine: [1", "mine: &mine [1"),
        ("{three", "!mine {three"),
        ("{three", "&mine {three"),
        ("    mine: ", "    yours: "),
        ("    words\n", "    words\n\n  more: 1\n"),
        ("|\n    words", ">\n    words"),
    ],
)
def test_b_something_else_reads_differently(old, new):
    with pytest.raises(VerificationError, match="outside the edited keys reads differently"):
        verified(with_edit(old, new))


@pytest.mark.parametrize(
    ("text", "other"),
    [("a: 1\nb: 2\n", "b: 2\na: 1\n"), ("a: {b: 1}\n", "a:\n  b: 1\n"), ("a: [1]\n", "a:\n- 1\n")],
)
def test_b_order_and_style_count(text, other):
    before = parse_document(text.encode(), "train.yml")
    with pytest.raises(VerificationError, match="outside the edited keys"):
        verify_patch(before, other, Patch((Edit(0, len(text), other),), {}))


@pytest.mark.parametrize(
    ("written", "value", "version"),
    [
        ("0.6", 0.5, "1.1"),
        ("1", 1.0, "1.1"),
        ("'0.5'", 0.5, "1.1"),
        ("1e-6", 1e-6, "1.1"),  # text in 1.1, a number in 1.2
        ("off", False, "1.2"),  # false in 1.1, text in 1.2
        ("017", 15, "1.2"),
        ("1_000", 1000, "1.2"),
        ("1e-6", "1e-6", "1.2"),
        ("0.0", -0.0, "1.1"),
        ("[1, 2]", [2, 1], "1.1"),
        ("{b: 1, a: 2}", {"a": 2, "b": 1}, "1.1"),
        ("~", 0.5, "1.1"),
    ],
)
def test_c_value_reads_back_otherwise(written, value, version):
    start = BEFORE.index("0.1")
    patch = Patch((Edit(start, start + 3, written),), {(*PATH, "rate"): value})
    with pytest.raises(VerificationError, match=rf"`train.block.rate` does not read back as .* under YAML {version}"):
        verified(patch)


def test_c_value_is_absent():
    with pytest.raises(VerificationError, match=r"`train.block.other` does not read back as 1 under YAML 1.1"):
        verified(Patch((), {(*PATH, "other"): 1}))


@pytest.mark.parametrize(("old", "new"), [("# top\n", ""), ("  # training", ""), ("# top", "# Top")])
def test_d_comment_is_lost(old, new):
    with pytest.raises(VerificationError, match="A comment would be lost"):
        verified(with_edit(old, new))


def test_d_one_of_two_equal_comments_is_lost():
    before = parse_document(b"a: 1 # x\nb: 2 # x\n", "train.yml")
    with pytest.raises(VerificationError, match="A comment would be lost: '# x'"):
        verify_patch(before, "a: 1\nb: 2 # x\n", Patch((Edit(4, 8, ""),), {}))


@pytest.mark.parametrize("new", ["[", "a: b: c", "*nobody", "\t- x", "1\n---\n2"])
def test_output_that_cannot_be_read_is_our_fault(new):
    start = BEFORE.index("0.1")
    with pytest.raises(VerificationError, match=r"The output cannot be read: train\.yml:"):
        verified(Patch((Edit(start, start + 3, new),), {(*PATH, "rate"): 1}))
