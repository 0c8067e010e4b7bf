"""Text to text: only the block changes, a second time nothing does, and what a person wrote stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from autocal_cli.calibration.block import MARK, key_mark
from autocal_cli.config.model import Value
from autocal_cli.config.yaml.scalars import write_scalar
from autocal_cli.dataset.model import METRIC_VERSION
from autocal_cli.workflow.calibrate import calibrate_file
from autocal_cli.workflow.config_file import Form
from autocal_cli.workflow.dataset import DatasetOptions
from autocal_cli.workflow.explain import explain_file

HEAD = "scale: 2\nnetwork_g: {type: paragonsr2_nano}\ntrain:\n  total_iter: 40000  # long\n"
TAIL = "logger: {print_freq: 100}\n"
EMPTY = HEAD + "  dynamic_loss_scheduling:\n" + TAIL
SKIP = DatasetOptions(skip=True)
Resolve = Callable[..., Any]

KEYS: dict[str, st.SearchStrategy[Value]] = {
    "enabled": st.booleans(),
    "auto_calibrate": st.booleans() | st.none(),
    "momentum": st.floats(0, 0.999) | st.none(),
    "adaptation_rate": st.floats(1e-9, 1),
    "min_weight": st.just("1e-6"),
    "max_weight": st.integers(1, 100) | st.floats(1, 100),
    "baseline_iterations": st.integers(1, 1000) | st.just(50.0),
    "fidelity_budget": st.floats(0.1, 3),
    "custom_param": st.integers() | st.text(max_size=6),
    "phases": st.none(),
    "calibration": st.none(),
}
NATIVE = ("enabled", "auto_calibrate", "momentum", "adaptation_rate", "min_weight", "max_weight", "baseline_iterations")
VALUES = st.permutations(sorted(KEYS)).flatmap(
    lambda order: st.fixed_dictionaries({}, optional={key: KEYS[key] for key in order})
)


def block_text(values: dict[str, Value], flow: bool, comment: bool) -> str:
    if not values:
        return f"  dynamic_loss_scheduling:{' {}' if flow else ''}\n"
    pairs = [f"{key}: {write_scalar(value)}" for key, value in values.items() if not isinstance(value, dict | list)]
    if flow:
        return f"  dynamic_loss_scheduling: {{{', '.join(pairs)}}}\n"
    note = "  # why not" if comment else ""
    return "  dynamic_loss_scheduling:\n" + "".join(f"    {pair}{note}\n" for pair in pairs)


@given(
    values=VALUES,
    form=st.sampled_from(["block", "native"]),
    flow=st.booleans(),
    comment=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
    final=st.booleans(),
    set_too=st.booleans(),
)
@settings(max_examples=60)
def test_only_the_block_changes_and_only_once(
    values: dict[str, Value],
    form: Form,
    flow: bool,
    comment: bool,
    newline: str,
    final: bool,
    set_too: bool,
    resolved: Resolve,
) -> None:
    if form == "native":
        values = {key: value for key, value in values.items() if key in NATIVE}
    text = HEAD + block_text(values, flow, comment) + (TAIL if final else TAIL.rstrip("\n"))
    text = text.replace("\n", newline)
    before = yaml.safe_load(text)
    first = resolved(text, form, {("momentum",): 0.25} if set_too else None)
    after = yaml.safe_load(first.text)
    block, old = after["train"].pop("dynamic_loss_scheduling"), before["train"].pop("dynamic_loss_scheduling") or {}
    assert repr(after) == repr(before)
    assert block.get("auto_calibrate") == old.get("auto_calibrate")
    if "custom_param" in old:
        assert block["custom_param"] == old["custom_param"]
    if set_too:
        assert block["momentum"] == 0.25
    for key in ("enabled", "momentum", "adaptation_rate", "max_weight"):
        if old.get(key) is not None and not (set_too and key == "momentum"):
            assert block[key] == old[key]
    assert kept_comments(text, newline) <= kept_comments(first.text, newline)
    assert resolved(first.text, form).text == first.text


def kept_comments(text: str, newline: str) -> set[tuple[str, str]]:
    """The keys that have a person's comment, with it."""
    assert text.count("\n") == text.count(newline)
    return set(re.findall(r"(\w+):.*?(# why not|# long)", text))


@pytest.mark.parametrize("form", ["block", "native"])
@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (("momentum: 0.85 ", "momentum: 0.8 "), True),
        (("# long", "# longer"), True),
        (("parameters: 10595", "parameters:  10595"), False),  # in the record
        (("#: nano\n", "#: mine\n"), True),
        (("", ""), False),
        ((TAIL, TAIL + "\n"), False),
    ],
)
def test_the_digest_tells_whether_anything_but_the_record_was_touched(
    form: Form, edit: tuple[str, str], told: bool, resolved: Resolve, tmp_path: Path
) -> None:
    text = resolved(EMPTY, form).text
    assert edit[0] in text
    path = tmp_path / "train.yml"
    path.write_text(text.replace(*edit, 1), "utf-8")
    assert ("edited-since" in [one.code for one in explain_file(path, DatasetOptions()).findings]) is told


def test_a_rule_that_no_longer_applies_is_undone(tmp_path: Path) -> None:
    path = tmp_path / "train.yml"
    path.write_text(EMPTY.replace("  dynamic", "  losses: [{type: GANLoss, loss_weight: 0.1}]\n  dynamic"), "utf-8")
    values = []
    for weight in ("0.1", "0", "0.1"):
        text = re.sub(r"loss_weight: [0-9.]+\}", f"loss_weight: {weight}}}", path.read_text("utf-8"))
        path.write_text(text, "utf-8")
        run = calibrate_file(path, {}, SKIP)
        path.write_bytes(run.after)
        values.append(run.calibration.parameters["adaptation_threshold"].value)
    assert values == [0.06, 0.04, 0.06]


def test_a_config_edited_since_is_explained_as_it_stands_with_what_would_be_chosen_today(
    resolved: Resolve, tmp_path: Path
) -> None:
    path = tmp_path / "train.yml"
    path.write_text(resolved(EMPTY).text, "utf-8")
    assert explain_file(path, DatasetOptions()).findings == ()
    path.write_text(path.read_text("utf-8").replace("40000  # long", "80000"), "utf-8")
    told = explain_file(path, DatasetOptions())
    assert [finding.code for finding in told.findings] == ["chosen-before"]
    assert "the config changed: adaptation_rate, baseline_iterations would be" in told.findings[0].message
    rate = told.calibration.parameters["adaptation_rate"]
    assert (rate.value, rate.trail[-1].code, rate.trail[-1].before) == (0.015, "as-written", 0.0122)
    assert told.calibration.parameters["momentum"].trail[-1].code != "as-written"


def test_where_the_presets_have_moved_on_the_page_says_so(
    resolved: Resolve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from autocal_cli.workflow import explain

    path = tmp_path / "train.yml"
    path.write_text(resolved(EMPTY).text, "utf-8")
    presets = explain.load_presets()
    first = replace(presets.presets[0], values={**presets.presets[0].values, "momentum": 0.9})
    moved = replace(presets, version="9", presets=(first, *presets.presets[1:]))
    monkeypatch.setattr(explain, "load_presets", lambda: moved)
    told = explain_file(path, DatasetOptions())
    assert [finding.code for finding in told.findings] == ["chosen-before"]
    assert "the presets changed: momentum would be another today" in told.findings[0].message
    trail = told.calibration.parameters["momentum"].trail
    assert [(step.code, step.after) for step in (trail[0], trail[-1])] == [("preset.nano", 0.9), ("as-written", 0.85)]


def test_manual_mode_is_checked_but_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "train.yml"
    block = "  dynamic_loss_scheduling: {auto_calibrate: off, momentum: 0.9, momentm: 1}\n"
    path.write_text(HEAD + block, "utf-8")
    run = calibrate_file(path, {}, SKIP)
    assert run.after == run.before == path.read_bytes()
    assert list(run.calibration.parameters) == ["momentum"]
    assert [finding.code for finding in run.findings] == ["block-left-alone", "misspelt-key"]


@pytest.mark.parametrize(
    ("block", "form", "expected"),
    [
        ("", None, ["block-added"]),
        ("", "block", ["block-added"]),
        ("  dynamic_loss_scheduling:\n", None, []),
        ("  dynamic_loss_scheduling: {enabled: false}\n", None, ["block-disabled"]),
        ("  dynamic_loss_scheduling: {enabled: true}\n", None, []),
        ("  dynamic_loss_scheduling: {enabled: true, custom: 1}\n", None, ["block-not-native", "unknown-key"]),
    ],
)
def test_what_is_said_about_the_block(block: str, form: Form | None, expected: list[str], tmp_path: Path) -> None:
    path = tmp_path / "train.yml"
    path.write_text(HEAD + block, "utf-8")
    assert [finding.code for finding in calibrate_file(path, {}, SKIP, form=form).findings] == expected


NUMBERS = {"fidelity_budget": "0.9", "baseline_iterations": "60", "max_weight": "7.0", "min_weight": "1.0e-05"}


@pytest.mark.parametrize("form", ["block", "native"])
def test_every_edit_of_one_value_survives_the_next_calibration(form: Form, resolved: Resolve) -> None:
    first = resolved(EMPTY, form)
    names = [name for name in first.calibration.parameters if name in first.block]
    assert len(names) == (6 if form == "native" else 7)
    for name in names:
        edited = re.sub(rf"(\n    {name}: )[^ \n]+", rf"\g<1>{NUMBERS.get(name, '0.03')}", first.text)
        assert edited != first.text
        again = resolved(edited, form)
        assert again.block[name] == float(NUMBERS.get(name, "0.03"))
        assert again.calibration.parameters[name].manual
        assert {key: again.block[key] for key in names if key != name} == {
            key: first.block[key] for key in names if key != name
        }
        record = again.target.block.record
        assert record is not None
        assert key_mark((name,)) not in [word[:MARK] for word in record["wrote"].split()]
        assert f"{name}: {NUMBERS.get(name, '0.03')}" in again.text
        assert "#: by hand; calibrated" in next(line for line in again.text.splitlines() if f" {name}: " in line)


@pytest.mark.parametrize("form", ["block", "native"])
def test_a_search_and_replace_over_the_whole_file_survives(form: Form, resolved: Resolve) -> None:
    """It reaches every place where the number stands: were there a copy in the record, the edit would be undone."""
    first = resolved(EMPTY, form)
    for name in (name for name in first.calibration.parameters if name in first.block):
        written = write_scalar(first.block[name])
        other = NUMBERS.get(name, "0.03")
        edited = re.sub(rf"(?<![\w.]){re.escape(written)}(?![\w.])", other, first.text)
        again = resolved(edited, form)
        assert again.block[name] == float(other)
        assert again.calibration.parameters[name].manual
        assert resolved(again.text, form).text == again.text


BLOCK = """\
  # a person's, above
  dynamic_loss_scheduling:  # beside
    auto_calibrate: yes   # asked for
    momentum: 0.7         # tried
    max_weight: 6         #not autocal's
    #: mine, though it begins like autocal's
    adaptation_rate: 0.01
"""


@pytest.mark.parametrize("form", ["block", "native"])
def test_a_persons_comments_and_auto_calibrate_line_stay_byte_for_byte(form: Form, resolved: Resolve) -> None:
    before = BLOCK.splitlines()
    text = resolved(HEAD + BLOCK + TAIL, form).text
    after = text.splitlines()
    for line in before[:-1]:
        assert line in after
    assert re.search(r"^    adaptation_rate: 0.01 +#: by hand; calibrated 0.015$", text, re.MULTILINE)
    for line in after:
        assert line.count("#") <= 1 or "`" in line
    assert resolved(text, form).text == text


@pytest.mark.parametrize("form", ["block", "native"])
def test_autocals_own_comments_are_renewed_and_leave_nothing_behind(form: Form, resolved: Resolve) -> None:
    first = resolved(EMPTY, form).text
    longer = resolved(first.replace("40000", "400000"), form).text
    assert longer.count("#: ") == first.count("#: ")
    assert "#: nano 0.015, 400,000 iterations" in longer
    assert resolved(longer.replace("400000", "40000"), form).text == first


def test_a_phase_with_one_key_by_hand_is_kept_as_a_whole(resolved: Resolve) -> None:
    text = HEAD + "  dynamic_loss_scheduling: {phases: {early: {until: 0.2}}}\n" + TAIL
    first = resolved(text)
    assert first.block["phases"]["early"] == {"until": 0.2, "rate": 0.5}
    record = first.target.block.record
    assert record is not None
    marks = [word[:MARK] for word in record["wrote"].split()]
    assert [key_mark(("phases", name)) in marks for name in ("early", "middle", "late")] == [False, True, True]
    assert resolved(first.text).text == first.text


def test_a_resolved_block_is_told_from_manual_mode_by_its_record(resolved: Resolve) -> None:
    """Whoever writes `auto_calibrate: false` into a resolved block still has autocal's values renewed."""
    first = resolved(EMPTY).text
    switched = first.replace("    enabled: true\n", "    enabled: true\n    auto_calibrate: false\n")
    again = resolved(switched.replace("40000", "400000"))
    assert again.calibration.parameters["adaptation_rate"].value < 0.015
    assert "    auto_calibrate: false\n" in again.text


@pytest.mark.parametrize(("version", "told"), [(METRIC_VERSION, []), (METRIC_VERSION - 1, ["chosen-before"])])
def test_scores_that_were_measured_in_another_way_are_told(version: int, told: list[str], tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 40).convert("RGB").save(tmp_path / "image.png")
    path = tmp_path / "train.yml"
    path.write_text(EMPTY, "utf-8")
    after = calibrate_file(path, {}, DatasetOptions((tmp_path,), use_cache=False)).after.decode()
    assert f"metric: {METRIC_VERSION}" in after
    path.write_text(after.replace(f"metric: {METRIC_VERSION}", f"metric: {version}"), "utf-8")
    assert [finding.code for finding in explain_file(path, DatasetOptions()).findings] == told
