"""`autocal calibrate`: what goes where, what is written, what is refused."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from autocal_cli.calibration.block import key_mark
from autocal_cli.workflow import calibrate as calibrate_file

Run = Callable[..., "object"]


def block_of(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf-8"))["train"]["dynamic_loss_scheduling"]


WHOLE = ["--write", "block"]


def test_without_an_output_the_resolved_config_goes_to_standard_output(autocal, config):
    ran = autocal("calibrate", config)
    assert ran.code == 0
    block = yaml.safe_load(ran.out)["train"]["dynamic_loss_scheduling"]
    assert (block["auto_calibrate"], 0.8 < block["momentum"] < 0.9) == (True, True)
    assert "momentum" in ran.err
    assert config.read_bytes().endswith(b"auto_calibrate: true\n# the end\n")


def test_a_dash_is_standard_output_too(autocal, config):
    assert autocal("calibrate", config, "-o", "-").out == autocal("calibrate", config).out


def test_lines_are_added_to_the_block_and_none_is_changed(autocal, config, tmp_path):
    out = tmp_path / "resolved.yml"
    assert autocal("calibrate", config, "-o", out, *WHOLE).code == 0
    before, after = config.read_text("utf-8").splitlines(), out.read_text("utf-8").splitlines()
    added = [line.removeprefix("+ ") for line in difflib.ndiff(before, after) if line.startswith("+ ")]
    assert [line for line in after if line not in added] == before
    assert len(added) <= 24
    start = after.index("    auto_calibrate: true")
    assert after[start - 3].startswith("  #: autocal ")
    assert after[start + 1 : -1] == added[1:]
    assert all(line.startswith("    ") for line in added[1:])


def test_the_resolved_block_is_whole_and_says_nothing_twice(autocal, config, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out, *WHOLE)
    block = block_of(out)
    assert list(block) == [
        "enabled", "auto_calibrate", "momentum", "adaptation_rate", "adaptation_threshold", "min_weight", "max_weight",
        "baseline_iterations", "fidelity_budget", "phases", "calibration",
    ]  # fmt: skip
    record = block["calibration"]
    assert list(record) == ["made", "network", "dataset", "wrote"]
    assert set(record["dataset"]) == {
        "read", "found", "texture", "edges", "colour", "complexity", "ci95", "identity", "metric",
    }  # fmt: skip
    lines = out.read_text("utf-8").splitlines()
    at = lines.index("    calibration:")
    assert [line.split(":")[0].strip() for line in lines[at + 1 : -1]] == list(record)


VARIATIONS = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "byte order mark": lambda text: "\ufeff" + text,
    "no final newline": lambda text: text.rstrip("\n"),
    "no block": lambda text: text.replace(
        "  dynamic_loss_scheduling:\n    enabled: true\n    auto_calibrate: true\n", ""
    ),
    "null block": lambda text: text.replace(":\n    enabled: true\n    auto_calibrate: true\n", ": ~  # later\n"),
    "flow block": lambda text: text.replace(
        ":\n    enabled: true\n    auto_calibrate: true\n", ": {enabled: true, auto_calibrate: true}\n"
    ),
    "four spaces": lambda text: text.replace("  ", "    "),
    "emoji": lambda text: text.replace("a comment above", "a 🧠 above"),
}


@pytest.mark.parametrize("name", VARIATIONS)
@pytest.mark.parametrize("form", ["block", "native"])
@pytest.mark.parametrize("options", [[], ["--no-dataset"], ["--set", "momentum=0.7"]], ids=["scan", "neutral", "set"])
def test_calibrating_the_output_again_changes_no_byte(autocal, config, tmp_path, name, form, options):
    config.write_bytes(VARIATIONS[name](config.read_text("utf-8")).encode())
    out = tmp_path / "resolved.yml"
    assert autocal("calibrate", config, "-o", out, "--write", form, *options).code == 0
    written = out.read_bytes()
    assert written != config.read_bytes()
    again = [option for option in options if option == "--no-dataset"]
    assert autocal("calibrate", out, "-q", *again).out == written  # how it is written is told from the file
    assert autocal("calibrate", out, "--in-place", *again).code == 0
    assert out.read_bytes() == written


def test_a_hand_edit_survives_and_is_marked_and_the_rest_is_resolved_anew(autocal, config, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out, *WHOLE)
    momentum, rate = block_of(out)["momentum"], block_of(out)["adaptation_rate"]
    text = re.sub("\n    momentum: .*\n", "\n    momentum: 0.7  # mine\n", out.read_text("utf-8"), count=1)
    out.write_text(text.replace("total_iter: 40000", "total_iter: 10000"), "utf-8")
    ran = autocal("calibrate", out, "--in-place", "--json")
    told = json.loads(ran.out)["parameters"]
    assert told["momentum"]["value"] == 0.7
    assert [told["momentum"]["trail"][-1][key] for key in ("code", "before", "after")] == ["manual", momentum, 0.7]
    assert told["adaptation_rate"]["value"] > rate  # a quarter of the run: faster
    assert "    momentum: 0.7  # mine\n" in out.read_text("utf-8")
    assert key_mark(("momentum",)) not in block_of(out)["calibration"]["wrote"]


def test_a_deleted_value_is_resolved_anew(autocal, config, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out)
    value = block_of(out)["momentum"]
    out.write_text(re.sub("\n    momentum: .*\n", "\n", out.read_text("utf-8"), count=1), "utf-8")
    autocal("calibrate", out, "--in-place")
    assert block_of(out)["momentum"] == value


def test_extras_are_kept_and_reported(autocal, config, tmp_path):
    config.write_text(
        config.read_text("utf-8").replace(
            "    auto_calibrate: true\n", "    auto_calibrate: true\n    custom_param: 123\n"
        )
    )
    out = tmp_path / "resolved.yml"
    ran = autocal("calibrate", config, "-o", out)
    assert block_of(out)["custom_param"] == 123
    assert f"{config}:15:19: info unknown-key: " in ran.err


def test_a_block_with_auto_calibrate_false_is_left_alone(autocal, config):
    config.write_bytes(
        config.read_bytes().replace(b"auto_calibrate: true", b"auto_calibrate: false\n    momentum: 0.9")
    )
    ran = autocal("calibrate", config)
    assert (ran.code, ran.out) == (0, config.read_bytes())
    assert "block-left-alone" in ran.err


def test_missing_folders_are_a_warning_and_count_as_neutral(autocal, config_alone):
    ran = autocal("calibrate", config_alone, "--json", "-q")
    told = json.loads(ran.out)
    assert ran.code == 0
    assert told["dataset"] is None
    assert [finding["code"] for finding in told["findings"]][1:] == ["dataset-missing", "dataset-neutral"]
    step = next(step for step in told["parameters"]["momentum"]["trail"] if step["code"] == "complexity-momentum")
    assert step["before"] == step["after"] == 0.85
    assert "neutral, 0.5" in step["reason"]


def test_what_was_measured_once_serves_where_the_images_are_not(autocal, config, images, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out)
    images.rename(tmp_path / "elsewhere")
    ran = autocal("calibrate", out)
    assert ran.out == out.read_bytes()
    assert "dataset-from-record" in ran.err


def test_other_images_can_be_named(autocal, config, images):
    images.rename(images.parent / "others")
    told = json.loads(autocal("calibrate", config, "--hr", images.parent / "others", "--json").out)
    assert {key: told["dataset"][key] for key in ("found", "read", "failed")} == {"found": 3, "read": 3, "failed": 0}


def test_without_anything_known_nothing_is_written_unless_forced(autocal, config_alone, tmp_path):
    unknown = config_alone.read_text("utf-8").replace("paragonsr2_nano", "nobody_knows")
    config_alone.write_text(unknown, "utf-8")
    out = tmp_path / "resolved.yml"
    for options in (["-o", out], ["--in-place"], []):
        ran = autocal("calibrate", config_alone, *options)
        assert (ran.code, ran.out, config_alone.read_text("utf-8")) == (1, b"", unknown)
        assert ran.err.startswith("Nothing is known of the network and nothing of the images: these are the numbers")
        assert not out.exists()
    forced = autocal("calibrate", config_alone, "-o", out, "--force")
    assert (forced.code, block_of(out)["momentum"]) == (0, 0.95)
    by_hand = ["--set", "dataset_info.overall_complexity=0.6"]
    assert autocal("calibrate", config_alone, *WHOLE, *by_hand).code == 0


def test_the_diff_shows_the_block_and_nothing_else(autocal, config):
    ran = autocal("calibrate", config, "--diff", *WHOLE)
    lines = ran.out.decode().splitlines()
    assert ran.code == 0
    assert [line for line in lines if line.startswith("-") and not line.startswith("---")] == []
    assert 10 < len([line for line in lines if line.startswith("+") and not line.startswith("+++")]) <= 24
    assert b"momentum" not in config.read_bytes()


def test_quiet_says_nothing(autocal, config):
    assert autocal("calibrate", config, "--quiet").err == ""


def test_calibrate_json_keeps_its_contract(autocal, config):
    told = json.loads(autocal("calibrate", config, "--json").out)
    assert set(told) == {
        "format_version", "network", "placement", "dataset", "dataset_info", "parameters", "phases", "stability",
        "total_iter", "manual", "presets_version", "findings",
    }  # fmt: skip
    assert told["format_version"] == 2
    assert (told["placement"]["variant"], told["placement"]["match"]) == ("nano", "exact")
    assert (told["network"]["type"], told["network"]["parameters"]) == ("paragonsr2_nano", 10595)
    for parameter in told["parameters"].values():
        assert parameter["trail"][-1]["after"] == parameter["value"]
        assert all({"code", "source", "before", "after", "reason"} <= set(step) for step in parameter["trail"])
    assert set(told["parameters"]) == {
        "momentum", "adaptation_rate", "adaptation_threshold", "min_weight", "max_weight", "baseline_iterations",
        "fidelity_budget",
    }  # fmt: skip


# --- outputs that are in the way -------------------------------------------------------------------------------------


def test_autocals_own_output_is_replaced(autocal, config, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out)
    before = block_of(out)["adaptation_rate"]
    config.write_bytes(config.read_bytes().replace(b"40000", b"20000"))
    assert autocal("calibrate", config, "-o", out).code == 0
    assert block_of(out)["adaptation_rate"] > before


@pytest.mark.parametrize("edit", [("2e-4", "1e-4"), ("# the end", "# the very end"), ("momentum: 0.", "momentum: 0.1")])
def test_an_output_edited_by_hand_is_not_overwritten(autocal, config, tmp_path, edit):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out)
    out.write_text(out.read_text("utf-8").replace(*edit, 1), "utf-8")
    kept = out.read_bytes()
    ran = autocal("calibrate", config, "-o", out)
    assert (ran.code, out.read_bytes()) == (2, kept)
    assert "edited by hand" in ran.err
    assert autocal("calibrate", config, "-o", out, "--force").code == 0
    assert out.read_bytes() != kept


def test_a_persons_file_is_replaced_only_by_force(autocal, config, tmp_path):
    out = tmp_path / "mine.yml"
    out.write_text("train: {}\n")
    ran = autocal("calibrate", config, "-o", out)
    assert ran.code == 2
    said = "The file exists and autocal did not write it. Choose another name, or use --force to replace it."
    assert ran.err == f"autocal: {out}: {said}\n"
    assert out.read_text() == "train: {}\n"
    assert autocal("calibrate", config, "-o", out, "--force").code == 0


def test_the_config_itself_is_no_output(autocal, config):
    kept = config.read_bytes()
    assert autocal("calibrate", config, "-o", config).code == 2
    assert config.read_bytes() == kept


# --- bad input: one line, exit 2, nothing written ---------------------------------------------------------------------

MOMENTUM = "    auto_calibrate: true\n    momentum: {}\n"
BAD = {
    "not YAML": ("type: paragonsr2_nano", "type: [", ""),
    "two documents": ("# the end", "---\na: 1", "more than one document"),
    "duplicate train": ("# the end", "train: {}", "stands twice"),
    "the block as a list": (":\n    enabled: true\n    auto_calibrate: true", ":\n    - enabled", "Found a list"),
    "momentum: high": ("    auto_calibrate: true\n", MOMENTUM.format("high"), ":15:15: `momentum` should be a number"),
    "momentum: 1.5": ("    auto_calibrate: true\n", MOMENTUM.format("1.5"), ":15:15: `momentum` should be a number"),
    "unknown variant arguments": ("type: paragonsr2_nano", "type: paragonsr2_nano\n  num_feet: 12", "num_feet"),
    "impossible arguments": ("type: paragonsr2_nano", "type: ParagonSR2\n  num_feat: many", "num_feat"),
    "a record that is damaged": ("    auto_calibrate: true", "    calibration: mine", "calibration"),
    "phases out of order": (
        "    auto_calibrate: true\n",
        "    auto_calibrate: true\n    phases: {early: {until: 0.9}}\n",
        ":15:29: The phase middle ends at 0.8, no later than early at 0.9",
    ),
    "a network that is a list": (
        "network_g:\n  type: paragonsr2_nano",
        "network_g: [1]",
        "`network_g` should be a mapping",
    ),
    "losses that are none": (
        "losses:\n    - {type: l1loss, loss_weight: 1.0}",
        "losses: 5",
        "should be a list of losses",
    ),
    "a loss without a type": ("{type: l1loss, loss_weight: 1.0}", "{loss_weight: 1.0}", "with a `type`"),
    "no train": ("train:\n  total_iter", "training:\n  total_iter", "no `train` mapping"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["calibrate", "explain"])
def test_a_mistake_is_one_line_with_its_place(autocal, config, tmp_path, name, command):
    old, new, said = BAD[name]
    text = config.read_text("utf-8")
    assert old in text
    config.write_text(text.replace(old, new), "utf-8")
    kept, out = config.read_bytes(), tmp_path / "out.yml"
    ran = autocal(command, config, *(["-o", out] if command == "calibrate" else []))
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.count("\n") == 1
    assert ran.err.startswith(f"autocal: {config}")
    assert said in ran.err
    assert not out.exists()
    assert config.read_bytes() == kept


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["calibrate", "none.yml"], "none.yml: There is no such file."),
        (["calibrate", "."], "a folder"),
        (["calibrate"], "CONFIG"),
        (["calibrate", "train.yml", "--frobnicate"], "--frobnicate"),
        (["calibrate", "train.yml", "--in-place", "-o", "x.yml"], "cannot be used together"),
        (["calibrate", "train.yml", "--json", "--diff"], "cannot be used together"),
        (["calibrate", "train.yml", "--set", "momentun=0.9"], "Did you mean momentum?"),
        (["calibrate", "train.yml", "--set", "momentum"], "key=value"),
        (["calibrate", "train.yml", "--set", "momentum=2"], "below 1"),
        (["calibrate", "train.yml", "--hr", "nowhere"], "nowhere"),
        (["calibrate", "train.yml", "--device", "tpu"], "tpu"),
        (["calibrate", "train.yml", "--no-dataset", "--device", "tpu"], "tpu"),
        (["calibrate", "train.yml", "-o", "no/such/folder/x.yml"], "does not exist"),
        (["explain", "train.yml", "speed"], "There is no parameter speed."),
        (["analyze-dataset", "nowhere"], "nowhere"),
        (["analyze-dataset", "empty"], "no image"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(autocal, config, tmp_path, monkeypatch, arguments, said):
    assert config.parent == tmp_path
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    ran = autocal(*arguments)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert said in ran.err
    assert {path.name for path in tmp_path.iterdir()} == {"train.yml", "hr", "empty"}


def test_images_that_cannot_be_read_are_said(autocal, config, images):
    assert "images-unreadable" not in autocal("calibrate", config).err
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ran = autocal("calibrate", config)
    assert ran.code == 0
    assert "warning images-unreadable: Could not be read: 1 of 4 image files" in ran.err


@pytest.mark.parametrize("changed", ["config", "output"])
def test_what_changes_during_a_long_scan_is_not_overwritten(autocal, config, tmp_path, monkeypatch, changed):
    out = tmp_path / "resolved.yml"
    victim = config if changed == "config" else out
    measure = calibrate_file.measure_network

    def measure_while_somebody_writes(*given):
        victim.write_text("train: {total_iter: 7}  # just now\n", "utf-8")
        return measure(*given)

    monkeypatch.setattr(calibrate_file, "measure_network", measure_while_somebody_writes)
    ran = autocal("calibrate", config, *(["--in-place"] if changed == "config" else ["-o", out]))
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert victim.read_text("utf-8") == "train: {total_iter: 7}  # just now\n"


def test_a_setting_may_be_named_with_its_whole_path(autocal, config):
    block = "train.dynamic_loss_scheduling."
    ran = autocal("calibrate", config, "--set", f"{block}momentum=0.7", "--json")
    assert json.loads(ran.out)["parameters"]["momentum"]["value"] == 0.7


def test_images_without_a_partner_are_said_at_the_line_of_the_folder(autocal, config, tmp_path):
    text = config.read_text("utf-8").replace("dataroot_gt: hr,", "dataroot_gt: hr, dataroot_lq: lq, lq_size: 64,")
    config.write_text(text, "utf-8")
    (tmp_path / "lq").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "lq" / "noise.png")
    ran = autocal("calibrate", config)
    assert ran.code == 0
    assert f"{config}:6:41: warning pairs-missing-lq: train: 3 GT and 1 LQ images; 2 GT have no LQ image" in ran.err
    assert f"{config}:6:45: warning crop-larger-than-images: train: the GT crop of 128 pixels (64 x scale 2)" in ran.err
