"""`autocal calibrate`: what goes where, what is written, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from autocal_cli.workflow import calibrate as calibrate_file

Run = Callable[..., "object"]


def block_of(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf-8"))["train"]["dynamic_loss_scheduling"]


def test_without_an_output_the_resolved_config_goes_to_standard_output(autocal, config):
    ran = autocal("calibrate", config)
    assert ran.code == 0
    assert yaml.safe_load(ran.out)["train"]["dynamic_loss_scheduling"]["auto_calibrate"] is False
    assert "momentum" in ran.err
    assert config.read_bytes().endswith(b"# the end\n")
    assert b"auto_calibrate: true" in config.read_bytes()


def test_a_dash_is_standard_output_too(autocal, config):
    assert autocal("calibrate", config, "-o", "-").out == autocal("calibrate", config).out


def test_only_lines_of_the_block_change(autocal, config, tmp_path):
    out = tmp_path / "resolved.yml"
    assert autocal("calibrate", config, "-o", out).code == 0
    before, after = config.read_text("utf-8").splitlines(), out.read_text("utf-8").splitlines()
    start = before.index("    auto_calibrate: true")
    assert after[:start] == before[:start]
    assert after[start] == "    auto_calibrate: false"
    assert after[-1:] == before[-1:]
    assert all(line.startswith("    ") for line in after[start:-1])


def test_the_resolved_block_is_whole(autocal, config, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out)
    block = block_of(out)
    assert list(block) == [
        "enabled", "auto_calibrate", "momentum", "adaptation_rate", "adaptation_threshold", "min_weight", "max_weight",
        "baseline_iterations", "fidelity_budget", "phases", "stability", "training_config", "calibration",
    ]  # fmt: skip
    assert block["training_config"]["total_iterations"] == 40000
    assert set(block["training_config"]["dataset_info"]) == {
        "texture_variance", "edge_density", "color_variation", "overall_complexity",
    }  # fmt: skip
    trail = block["calibration"]["trail"]
    names = ("momentum", "adaptation_rate", "max_weight", "baseline_iterations")
    assert [trail[name][0]["after"] for name in names] == [0.85, 0.015, 5.0, 50]


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
@pytest.mark.parametrize("options", [[], ["--no-dataset"], ["--set", "momentum=0.7"]], ids=["scan", "neutral", "set"])
def test_calibrating_the_output_again_changes_no_byte(autocal, config, tmp_path, name, options):
    config.write_bytes(VARIATIONS[name](config.read_text("utf-8")).encode())
    out = tmp_path / "resolved.yml"
    assert autocal("calibrate", config, "-o", out, *options).code == 0
    written = out.read_bytes()
    assert written != config.read_bytes()
    again = [option for option in options if option == "--no-dataset"]
    assert autocal("calibrate", out, "-q", *again).out == written
    assert autocal("calibrate", out, "--in-place", *again).code == 0
    assert out.read_bytes() == written


def test_a_hand_edit_survives_and_is_marked_and_the_rest_is_resolved_anew(autocal, config, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out)
    momentum, rate = block_of(out)["momentum"], block_of(out)["adaptation_rate"]
    text = out.read_text("utf-8").replace(f"\n    momentum: {momentum}\n", "\n    momentum: 0.7  # mine\n", 1)
    out.write_text(text.replace("total_iter: 40000", "total_iter: 10000"), "utf-8")
    ran = autocal("calibrate", out, "--in-place", "--json")
    told = json.loads(ran.out)["parameters"]
    assert told["momentum"]["value"] == 0.7
    assert [told["momentum"]["trail"][-1][key] for key in ("code", "before", "after")] == ["manual", momentum, 0.7]
    assert told["adaptation_rate"]["value"] > rate  # a quarter of the run: faster
    assert "    momentum: 0.7  # mine\n" in out.read_text("utf-8")
    assert "momentum" not in block_of(out)["calibration"]["wrote"]


def test_a_deleted_value_is_resolved_anew(autocal, config, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out)
    value = block_of(out)["momentum"]
    out.write_text(out.read_text("utf-8").replace(f"\n    momentum: {value}\n", "\n", 1), "utf-8")
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
    assert [finding["code"] for finding in told["findings"]] == ["dataset-missing", "dataset-neutral"]
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
    assert told["dataset"]["images"] == {"found": 3, "read": 3, "skipped": 1, "failed": 0}


def test_dry_run_writes_nothing(autocal, config, tmp_path):
    ran = autocal("calibrate", config, "-o", tmp_path / "out.yml", "--dry-run")
    assert (ran.code, ran.out) == (0, b"")
    assert not (tmp_path / "out.yml").exists()


def test_the_diff_shows_the_block_and_nothing_else(autocal, config):
    lines = autocal("calibrate", config, "--diff").out.decode().splitlines()
    removed = [line for line in lines if line.startswith("-") and not line.startswith("---")]
    assert removed == ["-    auto_calibrate: true"]


def test_quiet_says_nothing(autocal, config):
    assert autocal("calibrate", config, "--quiet").err == ""


def test_calibrate_json_keeps_its_contract(autocal, config):
    told = json.loads(autocal("calibrate", config, "--json").out)
    assert set(told) == {"format_version", "network", "dataset", "probe", "parameters", "findings"}
    assert told["format_version"] == 1
    assert set(told["network"]) == {
        "type", "variant", "parameters", "macs_per_pixel", "match",
        "axis", "position", "macs_span", "discriminator", "builder", "asked_before",
    }  # fmt: skip
    assert (told["network"]["variant"], told["network"]["parameters"], told["network"]["match"]) == (
        "nano",
        10595,
        "exact",
    )
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
    config.write_bytes(config.read_bytes().replace(b"40000", b"20000"))
    assert autocal("calibrate", config, "-o", out).code == 0
    assert block_of(out)["training_config"]["total_iterations"] == 20000


@pytest.mark.parametrize("edit", [("2e-4", "1e-4"), ("# the end", "# the very end"), ("momentum: ", "momentum: 0")])
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
        (["explain", "train.yml", "--parameter", "speed"], "There is no parameter speed."),
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


def test_a_dry_run_foresees_a_refusal(autocal, config, tmp_path):
    out = tmp_path / "mine.yml"
    out.write_text("train: {}\n")
    assert autocal("calibrate", config, "-o", out, "--dry-run").code == 2


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
    ran = autocal("calibrate", config, "--dry-run")
    assert ran.code == 0
    assert f"{config}:6:41: warning pairs-missing-lq: train: 3 GT and 1 LQ images; 2 GT have no LQ image" in ran.err
    assert f"{config}:6:45: warning crop-larger-than-images: train: the GT crop of 128 pixels (64 x scale 2)" in ran.err
