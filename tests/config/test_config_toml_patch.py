"""Patching TOML: a table of what becomes of what, and laws over generated configs."""

from __future__ import annotations

import tomllib

import pytest
import tomlkit
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_config_toml import NEOSR
from toml_texts import toml_configs

from autocal_cli.config.files import parse_document, plan_patch, text_without, verify_patch
from autocal_cli.config.toml import render_inline
from autocal_cli.config.yaml.document import lookup, read_value
from autocal_cli.config.yaml.edit import Edit, Patch, splice
from autocal_cli.errors import AutocalError, VerificationError

BLOCK = ("train", "dynamic_loss_scheduling")
WANTED = {
    "momentum": 0.9,
    "min_weight": 1e-06,
    "enabled": True,
    "phases": {"early": {"until": 0.1, "rate": 0.5}, "late": {"until": 1.0}},
    "kinds": ["gan", "l1"],
}
RECORD = {"tool": "autocal 1.0", "wrote": {"momentum": 0.9}, "trail": {"momentum": [{"a": 1}, {"b": 2}]}}

laws = settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])


def patched(text, wanted, units=()):
    document = parse_document(text.encode(), "train.toml")
    patch = plan_patch(document, BLOCK, wanted, units)
    return document, patch, verify_patch(document, splice(document.text, patch.edits), patch)


SHORT = {"momentum": 0.9, "phases": {"early": {"until": 0.1}}}
LINES = "momentum = 0.9\nphases.early = {until = 0.1}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[train]\n", f"[train]\n\n[train.dynamic_loss_scheduling]\n{LINES}"),
        ("[a]\n[train]", f"[a]\n[train]\n\n[train.dynamic_loss_scheduling]\n{LINES}".rstrip("\n")),
        ("[train]\nx = 1 # c\n[val]\n", f"[train]\nx = 1 # c\n\n[train.dynamic_loss_scheduling]\n{LINES}\n[val]\n"),
        (
            "[train.a]\nx = 1\n# of x\n\n# of val\n[val]\n",
            f"[train.a]\nx = 1\n# of x\n\n[train.dynamic_loss_scheduling]\n{LINES}\n# of val\n[val]\n",
        ),
        ("[train]\nx = 1\n  # of x\n[val]\n", f"[train]\nx = 1\n  # of x\n\n[{'.'.join(BLOCK)}]\n{LINES}\n[val]\n"),
        ("train.x = 1\ny = [2]\n[a]\n", f"train.x = 1\ny = [2]\n\n[train.dynamic_loss_scheduling]\n{LINES}\n[a]\n"),
        ("train.x = 1\n", f"train.x = 1\n\n[train.dynamic_loss_scheduling]\n{LINES}"),
        (
            "[train.dynamic_loss_scheduling]\n  mine = 1 # c\n\n[val]\n",
            "[train.dynamic_loss_scheduling]\n  mine = 1 # c\nmomentum = 0.9\nphases.early = {until = 0.1}\n\n[val]\n",
        ),
        (
            "[train.dynamic_loss_scheduling]\nmomentum = 0.90 # c\nphases.early = {until=0.2,mine=1}\n",
            "[train.dynamic_loss_scheduling]\nmomentum = 0.90 # c\nphases.early = {until=0.1,mine=1}\n",
        ),
        (
            "[train.dynamic_loss_scheduling]\nmomentum = '0.9'\n[train.dynamic_loss_scheduling.phases.early]\nx = 1\n",
            "[train.dynamic_loss_scheduling]\nmomentum = 0.9\n[train.dynamic_loss_scheduling.phases.early]\nx = 1\n"
            "until = 0.1\n",
        ),
        (
            "[train]\ndynamic_loss_scheduling.mine = 1\nx = 2\n",
            "[train]\ndynamic_loss_scheduling.mine = 1\ndynamic_loss_scheduling.momentum = 0.9\n"
            "dynamic_loss_scheduling.phases.early = {until = 0.1}\nx = 2\n",
        ),
        (
            "[train]\nx = 1\n[train.dynamic_loss_scheduling.phases.late] # c\nuntil = 1.0\n[a]\n",
            "[train]\nx = 1\n[train.dynamic_loss_scheduling]\nmomentum = 0.9\n\n"
            "[train.dynamic_loss_scheduling.phases]\nearly = {until = 0.1}\n\n"
            "[train.dynamic_loss_scheduling.phases.late] # c\nuntil = 1.0\n[a]\n",
        ),
    ],
)
def test_what_becomes_of_it(before, after):
    for newline in ("\n", "\r\n"):
        document, _, found = patched(before.replace("\n", newline), SHORT)
        assert found.text == after.replace("\n", document.newline)
        assert not plan_patch(found, BLOCK, SHORT).edits


@pytest.mark.parametrize(
    "before",
    ["train = {x = 1} # c\n", "train = {}\n", "[train]\ndynamic_loss_scheduling = { mine = 1 } # c\nx = 1\n"],
)
def test_an_inline_table_stays_one(before):
    _, _, found = patched(f"a = 0x1F # d\n{before}\n[b]\n", SHORT)
    assert tomllib.loads(found.text)["train"][BLOCK[1]].items() >= SHORT.items()
    assert found.text.startswith("a = 0x1F # d\n")
    assert found.text.endswith(f"{before.partition('}')[2]}\n[b]\n")
    assert not plan_patch(found, BLOCK, SHORT).edits


def test_no_line_of_a_neosr_config_is_touched():
    _, _, after = patched(NEOSR, WANTED)
    before, lines = NEOSR.splitlines(), after.text.splitlines()
    at = lines.index("[train.dynamic_loss_scheduling]")
    added = len(lines) - len(before)
    assert lines[at - 2] == "# below the last key"
    assert before == lines[: at - 1] + lines[at - 1 + added :]
    assert tomllib.loads(after.text)["train"].pop(BLOCK[1]) == WANTED


@pytest.mark.parametrize("before", ["", "calibration.tool = 'old'\ncalibration.x.y = 1\n", "calibration = {}\n"])
def test_a_record_is_written_and_cut_out_again(before):
    text = f"[train.dynamic_loss_scheduling]\nmomentum = 0.9\n{before}\n[logger]\ntotal_iter = 5\n"
    bare = patched(text, {})[2] if not before else None
    _, _, after = patched(text, {"calibration": RECORD}, units=("calibration",))
    assert tomllib.loads(after.text)["train"][BLOCK[1]]["calibration"] == RECORD
    if bare is not None:
        assert text_without(after, (*BLOCK, "calibration")) == text_without(bare, (*BLOCK, "calibration"))
    newer = {"calibration": {**RECORD, "tool": "autocal 2.0"}}
    _, _, again = patched(after.text, newer, units=("calibration",))
    assert again.text == after.text.replace("autocal 1.0", "autocal 2.0")


def test_scattered_sections_stay():
    text = "[train]\nx = 1\n[a]\ny = 2\n[train.b]\nz = 3\n"
    _, _, after = patched(text, {"calibration": RECORD}, units=("calibration",))
    assert after.text.startswith(f"{text}\n[train.dyn")
    assert tomllib.loads(after.text)["train"][BLOCK[1]]["calibration"] == RECORD
    assert not plan_patch(after, BLOCK, {"calibration": RECORD}, units=("calibration",)).edits


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[train.dynamic_loss_scheduling]\nkinds = [ # mine\n 1 ]\n", "A comment would be lost: '# mine'."),
        ("[train.dynamic_loss_scheduling]\nkinds = [1# mine\n ]\n", "A comment would be lost: '# mine'."),
        ("[train.dynamic_loss_scheduling]\ncalibration.tool = 'old' # mine\n", "A comment would be lost: '# mine'."),
        (
            "[train.dynamic_loss_scheduling]\ncalibration.old = 1 # mine\n\n[x]\n",
            "A comment would be lost: '# mine'.",
        ),
        ("[train.a]\n[[x]]\n[train.b]\n", "It does not write the file as it is."),
    ],
)
def test_what_tomlkit_cannot_keep_is_refused_in_one_line(text, why):
    with pytest.raises(AutocalError) as caught:
        patched(text, {**WANTED, "calibration": RECORD}, units=("calibration",))
    assert str(caught.value).startswith(
        f"train.toml: tomlkit cannot edit this file and keep the rest of it: {why} Keep"
    )


def test_a_section_of_the_block_may_stand_before_the_block():
    head = (
        "[train.dynamic_loss_scheduling.phases.early]\nuntil = 0.1\n[train.dynamic_loss_scheduling]\nenabled = true\n"
    )
    _, _, after = patched(head, WANTED)
    assert tomllib.loads(after.text)["train"]["dynamic_loss_scheduling"] == WANTED


def test_a_long_word_costs_no_more_than_its_length():
    document = parse_document(f"# {'a' * 900_000}\n[train]\n".encode(), "train.toml")
    assert lookup(document, ("train",)) is not None


def test_a_patch_that_is_not_what_was_meant_is_found():
    document = parse_document(b"[train]\nx = 1 # c\ny = 2\n", "train.toml")
    for edit, values in (
        (Edit(8, 13, "x = 1.0"), {}),  # reads alike to Python, but is of another type
        (Edit(14, 17, ""), {}),  # the comment
        (Edit(18, 23, "z = 2"), {}),
        (Edit(18, 24, ""), {}),  # a pair that goes
        (Edit(18, 18, ""), {("train", "y"): None}),  # one that was to go
        (Edit(8, 23, "y = 2\nx = 1 # c"), {}),  # another order
        (Edit(12, 13, "3"), {("train", "x"): 3.0}),
        (Edit(12, 13, "'"), {("train", "x"): 3.0}),
    ):
        with pytest.raises(VerificationError):
            verify_patch(document, splice(document.text, [edit]), Patch((edit,), values))


@given(
    st.recursive(
        st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    )
)
def test_what_is_written_reads_back_with_both_readers(value):
    text = f"x = {render_inline(value)}\n"
    assert repr(tomllib.loads(text)["x"]) == repr(value)
    assert repr(tomlkit.parse(text).unwrap()["x"]) == repr(value)


def valid(text):
    try:
        data = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError:
        assume(False)
    assume(isinstance(data.get("train", {}), dict))
    assume("train" in data)
    return data


def patched_or_refused(text, wanted, units=()):
    """Some files are refused: none that is laid out as the trainer's own are."""
    try:
        return patched(text, wanted, units)
    except AutocalError:
        assert "[[" in text or "{" in text or "calibration" in text
        assume(False)


@laws
@given(toml_configs())
def test_laws_of_patching(text):
    data = valid(text)
    document, _, after = patched_or_refused(text, WANTED)  # verified within
    assert after.bom == document.bom == text.startswith("\ufeff")
    if BLOCK[1] not in text and "train = {" not in text:
        lines = iter(after.text.splitlines())
        assert all(line in lines for line in document.text.splitlines())
    assert not plan_patch(after, BLOCK, WANTED).edits
    found = tomllib.loads(after.text)
    block = found["train"].pop(BLOCK[1])
    before = data["train"].pop(BLOCK[1], {})
    assert repr(found) == repr(data)
    assert all(repr(block[key]) == repr(WANTED[key]) for key in ("momentum", "min_weight", "enabled", "kinds"))
    assert block["phases"]["early"]["until"] == 0.1
    assert block.get("mine") == before.get("mine")
    assert after.text.endswith("\n") or not text.endswith("\n")
    if "\n" in text:
        assert ("\r\n" in after.text) == ("\r\n" in text)


@laws
@given(toml_configs())
def test_a_record_comes_and_goes_without_a_trace(text):
    data = valid(text)
    document, patch, after = patched_or_refused(text, {"calibration": RECORD}, units=("calibration",))
    block = data["train"].get(BLOCK[1])
    header = "[train.dynamic_loss_scheduling]"
    made = after.text.count(header) > text.count(header)  # resolving a config writes the values first, and the header
    if block is not None and "calibration" not in block and not made:
        assert text_without(after, (*BLOCK, "calibration")) == text_without(document, (*BLOCK, "calibration"))
    assert not plan_patch(after, BLOCK, {"calibration": RECORD}, units=("calibration",)).edits
    pair = lookup(after, (*BLOCK, "calibration"))
    assert set(read_value(after, pair.value)) == {"tool", "wrote", "trail"}
    assert bool(patch.edits)
