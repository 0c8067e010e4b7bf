"""The same edit by `yaml-edit` (PyPI), an independent editor: the same text, or the difference and its reason."""

from __future__ import annotations

import pytest
import yaml
import yaml_edit

from autocal_cli.config.files import parse_document, plan_patch, verify_patch
from autocal_cli.config.yaml.document import MappingNode, lookup
from autocal_cli.config.yaml.edit import splice
from autocal_cli.errors import AutocalError

PATH = ("train", "sched")


def ours(text, value=0.5):
    document = parse_document(text.encode(), "train.yml")
    patch = plan_patch(document, PATH, {"rate": value})
    return verify_patch(document, splice(document.text, patch.edits), patch).text


def theirs(text, value=0.5):
    file = yaml_edit.YamlFile.parse(text)
    file.document().set_path("train.sched.rate", value)
    return str(file)


SAME = [
    "# a\ntrain:\n  x: 1  # c\nz: 1\n",
    "train:\n  sched:\n    rate: 1e-4 # n\n    mine: 1\nz: 2\n",
    "train:\n  sched:\n    mine: 1\nz: 2\n",
    "train:\n  sched: {rate: 1}\n",
    "train: {x: 1}\n",
    "train: {x: 1, sched: {rate: !!float 1e-1, mine: [1,  2]}} # n\n",
    "b: &b {x: 1}\ntrain:\n  <<: *b\n  sched:\n    rate: 1\n",
    "a: 😀\ntrain:\n  sched:\n    rate: '😀' # 😀\n",
    "train:\r\n  sched:\r\n    rate: 1 # n\r\nz: 1",
    "---\ntrain:\n  sched:\n    rate: 1\n...\n",
]


@pytest.mark.parametrize("text", SAME)
def test_same_text(text):
    assert ours(text) == theirs(text) != text


def test_they_indent_a_new_mapping_by_two_whatever_the_file_does():
    text = "train:\n    x: 1\nz: 1\n"
    assert ours(text) == "train:\n    x: 1\n    sched:\n        rate: 0.5\nz: 1\n"
    assert theirs(text) == "train:\n    x: 1\n    sched:\n      rate: 0.5\nz: 1\n"


def test_they_edit_the_first_of_duplicate_keys_and_the_trainer_reads_the_last():
    text = "train:\n  sched:\n    rate: 1\n    rate: 2\n"
    assert yaml.safe_load(theirs(text))["train"]["sched"]["rate"] == 2
    with pytest.raises(AutocalError, match="stands twice"):
        ours(text)


def test_they_replace_an_alias_and_we_refuse_it():
    text = "x: &r 1\ntrain:\n  sched:\n    rate: *r\n"
    assert theirs(text) == text.replace("*r", "0.5")
    with pytest.raises(AutocalError, match="is an alias"):
        ours(text)


@pytest.mark.corpus
def test_same_text_of_real_files(corpus):
    """A number replaced in place: every other character as `yaml-edit` leaves it."""
    compared = 0
    for path in sorted((corpus / "configs").rglob("*.y*ml")):
        document = parse_document(path.read_bytes(), str(path))
        train = lookup(document, ("train",))
        if not (train and isinstance(train.value, MappingNode) and lookup(document, ("train", "total_iter"))):
            continue
        patch = plan_patch(document, ("train",), {"total_iter": 12345})
        file = yaml_edit.YamlFile.parse(document.text)
        file.document().set_path("train.total_iter", 12345)
        assert splice(document.text, patch.edits) == str(file), path
        compared += 1
    assert compared > 50
