"""Hostile and odd documents through the whole edit: refused in one line with its place, or the one block changed."""

from __future__ import annotations

import sys

import pytest
import yaml

from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.files import MAX_BYTES, ConfigFile, parse_document
from autocal_cli.config.trainers import recognise_trainer
from autocal_cli.config.yaml.document import MAX_DEPTH
from autocal_cli.errors import AutocalError
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.workflow.calibrate import resolve
from autocal_cli.workflow.config_file import BlockFile

NANO = NetworkFingerprint("paragonsr2_nano", "paragonsr2", "nano", 2, 10_595, 26_822.0, "built-in")
HEAD = "scale: 2\nnetwork_g: {type: paragonsr2_nano}\n"
TRAIN = "train:\n  total_iter: 40000\n"
BLOCK = "  dynamic_loss_scheduling: {auto_calibrate: true}\n"
BOMB = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.fixture(scope="module")
def presets():
    return load_presets()


def edited(raw, presets):
    document = parse_document(raw, "train.yml")
    file = ConfigFile(document, recognise_trainer(document))
    return resolve(BlockFile(file, file, "block"), file.training, NANO, None, presets, {})[0]


REFUSED = {
    "depth of 2000, flow": (HEAD + TRAIN + "x: " + "[" * 2000, "The file nests deeper than 100 levels."),
    "depth of 2000, block": (HEAD + TRAIN + "- " * 2000, None),
    "a deep list in train": (HEAD + TRAIN + "  x: " + "[" * 500 + "]" * 500 + "\n", "nests deeper than 100 levels"),
    "over the size cap": (HEAD + TRAIN + "#" * MAX_BYTES, f"at most {MAX_BYTES:,} are read"),
    "tabs as indentation": (HEAD + "train:\n\ttotal_iter: 5\n", "4:1: This is not valid YAML"),
    "bare carriage returns": ((HEAD + TRAIN).replace("\n", "\r"), "1:9: A carriage return stands alone"),
    "UTF-16": ((HEAD + TRAIN).encode("utf-16"), "not UTF-8"),
    "UTF-32": ((HEAD + TRAIN).encode("utf-32"), "not UTF-8"),
    "Latin-1": ((HEAD + TRAIN + "n: gr\xf6\xdfe\n").encode("latin-1"), "train.yml:5: The file is not UTF-8"),
    "two documents": (HEAD + TRAIN + "---\na: 1\n", "5:1: The file holds more than one document."),
    "a list at the root": ("- train\n", "1:1: A training config should be a mapping"),
    "nothing": ("", "1:1: A training config should be a mapping"),
    "an unterminated flow list": (HEAD + TRAIN + "  x: [1, 2\n", "6:1: This is not valid YAML"),
    "an unterminated quote": (HEAD + TRAIN + "  x: 'a\n", "6:1: This is not valid YAML"),
    "an unterminated block": (
        HEAD + TRAIN + "  dynamic_loss_scheduling: {enabled: true",
        "6:1: This is not valid YAML",
    ),
    "train twice": (HEAD + TRAIN + "train: {}\n", "`train` stands twice"),
    "the block twice": (HEAD + TRAIN + BLOCK + BLOCK, "6:3: `train.dynamic_loss_scheduling` stands twice"),
    "train is an alias": (HEAD + "x: &x {total_iter: 5}\ntrain: *x\n", "4:8: `train` is an alias (*x)"),
    "the block is an alias": (
        HEAD + "x: &x {enabled: true}\n" + TRAIN + "  dynamic_loss_scheduling: *x\n",
        "6:28: `train.dynamic_loss_scheduling` is an alias (*x)",
    ),
    "train is used elsewhere": (HEAD + "train: &t\n  total_iter: 5\nx: {<<: *t}\n", "3:8: `train` bears the anchor &t"),
    "the block is a list": (HEAD + TRAIN + "  dynamic_loss_scheduling: [1]\n", "5:3: "),
    "an alias of nothing": (HEAD + TRAIN + "x: *no\n", "5:4: The alias *no has no anchor before it."),
    "an alias inside of its anchor": (HEAD + TRAIN + "x: &x [*x]\n", "5:8: The alias *x stands inside what it names."),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_refused_in_one_line(text, expected, presets):
    with pytest.raises(AutocalError) as caught:
        edited(text if isinstance(text, bytes) else text.encode(), presets)
    message = str(caught.value)
    assert message.startswith("train.yml:")
    assert "\n" not in message
    assert (expected or "") in message


def test_caps_are_named_in_their_errors(presets):
    with pytest.raises(AutocalError, match=f"has {MAX_BYTES + 1:,} bytes; at most {MAX_BYTES:,} are read"):
        edited(b"#" * (MAX_BYTES + 1), presets)
    with pytest.raises(AutocalError, match=f"nests deeper than {MAX_DEPTH} levels"):
        edited(b"x: " + b"[" * 2000, presets)


EDITED = {
    "an alias bomb": "l0: &l0 x\n" + BOMB,
    "a bomb of merges": "l0: &l0 {}\n" + BOMB.replace("[", "{<<: [").replace("]", "]}"),
    "python tags": "x: !!python/object/apply:os.system ['touch ran']\ny: !!python/name:os.system ''\n",
    "local tags": "x: !mine {a: 1}\ny: !<tag:x.org,2000:z> 1\n",
    "YAML 1.1 numbers": "x: [1e-4, 2e-4, 5e3, 1.0e4, 1_000, 017, 1:30, 0x_, 1.0e-06, off, Yes, ~]\n",
    "duplicate keys elsewhere": "x: 1\nx: 2\n",
    "complex keys elsewhere": "? [a, b]\n: c\n? d\n",
    "a document end": "x: 1\n...\n# after\n",
    "no final line break": "x: 1",
    "a block scalar without its end": "x: |\n  # no comment",
    "99 levels": "x: " + "[" * 98 + "]" * 98 + "\n",
    "tabs between tokens": "x: 1\t# note\t\n",
    "emoji": "'😀': &😀 [😀] # 😀\n".replace("&😀 ", "&a "),
}


@pytest.mark.parametrize("rest", EDITED.values(), ids=EDITED)
@pytest.mark.parametrize("block", ["", BLOCK], ids=["absent", "present"])
@pytest.mark.parametrize(
    ("shape", "newline"),
    [("{}", "\n"), ("\ufeff{}", "\r\n"), ("--- # start\n{}", "\n")],
    ids=["plain", "BOM and CRLF", "start mark"],
)
def test_edited_and_all_else_is_kept(rest, block, shape, newline, presets):
    text = shape.format(HEAD + TRAIN + block + rest).replace("\n", newline)
    after = edited(text.encode(), presets)
    raw = after.encode(after.text).decode()
    assert raw != text
    assert raw.startswith(shape.format(HEAD + TRAIN).replace("\n", newline))
    assert raw.endswith(rest.replace("\n", newline))
    assert yaml.safe_load(raw[: len(raw) - len(rest.replace("\n", newline))])["train"]["total_iter"] == 40000
    assert edited(raw.encode(), presets).text == after.text
    assert raw.count("\n") == raw.count(newline)


SHAPES = {
    "keys of network_g": HEAD.replace("{type: paragonsr2_nano}", "\n  type: paragonsr2_nano\n") + "{}" + TRAIN,
    "keys of train": HEAD + TRAIN + "{}",
    "keys elsewhere": HEAD + "x:\n{}" + TRAIN,
    "datasets": HEAD + TRAIN + "datasets:\n{}",
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_cost_grows_with_the_length_whatever_the_shape(shape, presets):
    """In calls of functions, which are the same every time: twice as long, at most about twice as many."""

    def calls(count):
        text = shape.replace("{}", "".join(f"  k{number}: {{a: 1}}\n" for number in range(count)))
        seen = 0

        def count_one(*_):
            nonlocal seen
            seen += 1

        sys.setprofile(count_one)
        try:
            edited(text.encode(), presets)
        finally:
            sys.setprofile(None)
        return seen

    calls(1)  # what is read once and kept
    assert calls(800) < 2.5 * calls(400)
