"""Text to text: only the block changes, and a second time nothing does."""

from __future__ import annotations

import itertools
from functools import cache

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from autocal_cli.calibration.model import Presets
from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.model import KeyPath, Value
from autocal_cli.config.yaml.document import ConfigDocument
from autocal_cli.config.yaml.scalars import write_scalar
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.workflow.calibrate import calibrate_file, resolve, text_digest
from autocal_cli.workflow.dataset import DatasetOptions
from autocal_cli.workflow.explain import explain_file

NANO = NetworkFingerprint("paragonsr2_nano", "paragonsr2", "nano", 2, 10_595, 26_822.0, "built-in", "0" * 64)
HEAD = "scale: 2\nnetwork_g: {type: paragonsr2_nano}\ntrain:\n  total_iter: 40000  # long\n"
TAIL = "logger: {print_freq: 100}\n"


@cache
def presets() -> Presets:
    return load_presets()


def resolved(text: str, settings: dict[KeyPath, Value] | None = None) -> ConfigDocument:
    document = parse_document(text.encode(), "train.yml")
    return resolve(document, read_training_config(document), NANO, None, presets(), settings or {})[0]


KEYS: dict[str, st.SearchStrategy[Value]] = {
    "enabled": st.booleans(),
    "auto_calibrate": st.booleans() | st.none(),
    "momentum": st.floats(0, 0.999) | st.none(),
    "adaptation_rate": st.floats(1e-9, 1),
    "min_weight": st.just("1e-6"),
    "max_weight": st.integers(1, 100) | st.floats(1, 100),
    "baseline_iterations": st.integers(1, 1000) | st.just(50.0),
    "custom_param": st.integers() | st.text(max_size=6),
    "phases": st.none(),
    "calibration": st.none(),
}
VALUES = st.permutations(sorted(KEYS)).flatmap(
    lambda order: st.fixed_dictionaries({}, optional={key: KEYS[key] for key in order})
)


def block_text(values: dict[str, Value], flow: bool, indent: int, comment: bool) -> str:
    if not values:
        return f"{' ' * indent}dynamic_loss_scheduling:{' {}' if flow else ''}\n"
    pairs = [f"{key}: {write_scalar(value)}" for key, value in values.items() if not isinstance(value, dict | list)]
    head = " " * indent + "dynamic_loss_scheduling:"
    if flow:
        return f"{head} {{{', '.join(pairs)}}}\n"
    note = "  # why not" if comment else ""
    return head + "\n" + "".join(f"{' ' * 2 * indent}{pair}{note}\n" for pair in pairs)


@given(
    values=VALUES,
    flow=st.booleans(),
    comment=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
    final=st.booleans(),
    set_too=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_only_the_block_changes_and_only_once(
    values: dict[str, Value], flow: bool, comment: bool, newline: str, final: bool, set_too: bool
) -> None:
    text = HEAD + block_text(values, flow, 2, comment) + (TAIL if final else TAIL.rstrip("\n"))
    text = text.replace("\n", newline)
    before = yaml.safe_load(text)
    first = resolved(text, {("momentum",): 0.25} if set_too else None)
    after = yaml.safe_load(first.text)
    block, old = after["train"].pop("dynamic_loss_scheduling"), before["train"].pop("dynamic_loss_scheduling") or {}
    assert repr(after) == repr(before)
    assert block["auto_calibrate"] is False
    if "custom_param" in old:
        assert block["custom_param"] == old["custom_param"]
    if set_too:
        assert block["momentum"] == 0.25
    for key in ("enabled", "momentum", "adaptation_rate", "max_weight"):
        if old.get(key) is not None and not (set_too and key == "momentum"):
            assert block[key] == old[key]
    assert resolved(first.text).text == first.text


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (("momentum: 0.85", "momentum: 0.8"), True),
        (("# long", "# longer"), True),
        (("code: preset.nano", "code: preset.nano "), False),
        (("", ""), False),
    ],
)
def test_the_digest_tells_whether_anything_but_the_record_was_touched(edit: tuple[str, str], told: bool) -> None:
    document = resolved(HEAD + TAIL)
    block = read_training_config(document).block
    assert block is not None
    record = block.values["calibration"]
    assert isinstance(record, dict)
    edited = parse_document(document.text.replace(*edit, 1).encode(), "train.yml")
    assert (text_digest(edited) != record["text_sha256"]) is told


def test_a_rule_that_no_longer_applies_is_undone(tmp_path):
    path = tmp_path / "train.yml"
    path.write_text(HEAD + "  losses: [{type: GANLoss, loss_weight: 0.1}]\n" + TAIL, "utf-8")
    values = []
    for weight in ("0.1", "0", "0.1"):
        text = path.read_text("utf-8")
        for old in ("0.1", "0"):
            text = text.replace(f"loss_weight: {old}}}", f"loss_weight: {weight}}}")
        path.write_text(text, "utf-8")
        run = calibrate_file(path, {}, DatasetOptions(skip=True))
        path.write_bytes(run.after)
        values.append(run.calibration.parameters["max_weight"].value)
    assert values == [4.0, 5.0, 4.0]


def test_explaining_a_config_edited_since_says_so(tmp_path):
    path = tmp_path / "train.yml"
    path.write_bytes(resolved(HEAD + TAIL).text.encode())
    assert explain_file(path, DatasetOptions())[1] == ()
    path.write_text(path.read_text("utf-8").replace("40000  # long", "80000"), "utf-8")
    calibration, findings = explain_file(path, DatasetOptions())
    assert [finding.code for finding in findings] == ["edited-since"]
    assert calibration.total_iter == 40_000  # as it was chosen then


def test_manual_mode_is_checked_but_not_touched(tmp_path):
    path = tmp_path / "train.yml"
    block = "  dynamic_loss_scheduling: {auto_calibrate: off, momentum: 0.9, momentm: 1}\n"
    path.write_text(HEAD + block, "utf-8")
    run = calibrate_file(path, {}, DatasetOptions(skip=True))
    assert run.after == run.before == path.read_bytes()
    assert list(run.calibration.parameters) == ["momentum"]
    assert [finding.code for finding in run.findings] == ["block-left-alone", "misspelt-key"]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("", ["block-added", "block-rejected"]),
        ("  dynamic_loss_scheduling:\n", []),
        ("  dynamic_loss_scheduling: {enabled: false}\n", ["block-disabled"]),
        ("  dynamic_loss_scheduling: {enabled: true}\n", []),
    ],
)
def test_what_is_said_about_the_block(block, expected, tmp_path):
    path = tmp_path / "train.yml"
    path.write_text(HEAD + block, "utf-8")
    assert [finding.code for finding in calibrate_file(path, {}, DatasetOptions(skip=True)).findings] == expected


def test_every_edit_of_one_value_survives_the_next_calibration() -> None:
    text = resolved(HEAD + TAIL).text
    lines = [line for line in text.splitlines() if line.startswith("    ") and line[4] != " "]
    numbers = list(itertools.takewhile(lambda line: "phases" not in line, lines[2:]))
    assert len(numbers) == 6
    for line in numbers:
        key = line.split(":")[0].strip()
        changed = f"    {key}: {'60' if key == 'baseline_iterations' else '1.0' if 'weight' in key else '0.03'}"
        assert changed != line
        again = resolved(text.replace(line, changed, 1)).text
        kept = [other for other in numbers if other != line]
        assert all(f"\n{other}\n" in again for other in [changed, *kept])
