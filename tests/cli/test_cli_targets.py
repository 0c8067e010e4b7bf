"""`calibrate --target native`, `--sidecar`, `--trainer-kind`, and TOML: whose scheduler, which file, which trainer."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from autocal_cli.workflow.run import read_source

NATIVE = {
    "enabled", "momentum", "adaptation_rate", "adaptation_threshold", "min_weight", "max_weight", "baseline_iterations",
}  # fmt: skip
KEY = "dynamic_loss_scheduling"
BLOCK = f"  {KEY}:\n    enabled: true\n    auto_calibrate: true\n"


def block_of(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf-8"))["train"][KEY]


def rewrite(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_bytes().decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_bytes(text.encode())


@pytest.fixture
def vanilla(config):
    """A config of traiNNer-redux itself: without a block."""
    rewrite(config, (BLOCK, ""))
    return config


# --- native


@pytest.mark.parametrize(
    "change",
    [
        (BLOCK, BLOCK),
        (BLOCK, ""),
        (BLOCK, f"  {KEY}: ~\n"),
        (BLOCK, f"  {KEY}: {{enabled: true, auto_calibrate: true}}  # mine\n"),
        (BLOCK, f"  # of mine\n  {KEY}:  # beside\n    # above\n    auto_calibrate: true  # old\n    momentum: 0.8\n"),
        ("\n", "\r\n"),
    ],
)
def test_a_native_block_holds_the_flat_keys_and_comes_out_the_same_again(autocal, config, tmp_path, change):
    config.write_bytes(config.read_bytes().replace(change[0].encode(), change[1].encode()))
    out = tmp_path / "native.yml"
    assert autocal("calibrate", config, "--target", "native", "-o", out).code == 0
    assert set(block_of(out)) == NATIVE
    assert block_of(out)["enabled"] is True
    written = out.read_bytes()
    assert autocal("calibrate", out, "--target", "native", "-q").out == written
    assert autocal("calibrate", config, "--target", "native", "-o", out).code == 0  # its own file, untouched
    assert out.read_bytes() == written
    before, after = config.read_text("utf-8"), out.read_text("utf-8")
    assert [note for note in re.findall("#.*", before) if note not in after] == []


def test_a_hand_edit_of_a_native_block_is_kept_and_the_rest_is_resolved_anew(autocal, config, tmp_path):
    out = tmp_path / "native.yml"
    autocal("calibrate", config, "--target", "native", "-o", out)
    before = block_of(out)
    rewrite(out, (f"momentum: {before['momentum']}", "momentum: 0.7  # mine"), ("iter: 40000", "iter: 10000"))
    assert autocal("calibrate", config, "--target", "native", "-o", out).code == 2  # edited by hand since
    ran = autocal("calibrate", out, "--target", "native", "--in-place", "--json")
    told = json.loads(ran.out)["parameters"]
    assert [told["momentum"]["trail"][-1][key] for key in ("code", "after")] == ["manual", 0.7]
    assert block_of(out)["momentum"] == 0.7
    assert block_of(out)["adaptation_rate"] > before["adaptation_rate"]
    assert "momentum: 0.7  # mine\n" in out.read_text("utf-8")
    told = json.loads(autocal("explain", out, "--json").out)["parameters"]
    assert (told["momentum"]["trail"][-1]["code"], told["max_weight"]["trail"][-1]["code"]) == ("manual", "preset.nano")


def test_there_and_back_again(autocal, config, tmp_path):
    native, runtime, back = (tmp_path / name for name in ("native.yml", "runtime.yml", "back.yml"))
    autocal("calibrate", config, "--target", "native", "-o", native)
    autocal("calibrate", native, "-o", runtime)
    assert block_of(runtime)["calibration"]["wrote"]["momentum"] == block_of(native)["momentum"]
    assert "wrote: " not in runtime.read_text("utf-8")
    autocal("calibrate", runtime, "--target", "native", "-o", back)
    assert block_of(back) == block_of(native)
    assert set(block_of(back)) == NATIVE


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("custom: 1", "custom"),
        ("phases: {early: {rate: 0.4}}", "phases.early.rate"),
        ("mode: observe", "mode"),
    ],
)
def test_what_the_forks_scheduler_raises_on_is_refused(autocal, config, key, named):
    rewrite(config, ("auto_calibrate: true", key))
    before = config.read_bytes()
    ran = autocal("calibrate", config, "--target", "native", "--in-place")
    assert ran.code == 2
    assert f"`{named}` is set by hand, and the fork's own scheduler raises on that key." in ran.err
    assert config.read_bytes() == before


def test_enable_monitoring_is_the_forks_own(autocal, config, tmp_path):
    rewrite(config, ("auto_calibrate: true", "enable_monitoring: false"))
    out = tmp_path / "native.yml"
    assert autocal("calibrate", config, "--target", "native", "-o", out).code == 0
    assert block_of(out)["enable_monitoring"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trainer-kind", "BasicSR", "--target", "native"], "BasicSR has no scheduler of its own"),
        (["--trainer-kind", "traiNNer-redux", "--target", "native"], "traiNNer-redux has no scheduler of its own"),
        (["--trainer-kind", "redux"], "There is no trainer kind redux. Known: traiNNer-redux, "),
        (["--trainer-kind", "neosr"], "neosr reads TOML; this is YAML."),
        (["--sidecar", "--target", "native"], "--sidecar and --target native cannot be used together."),
        (["--sidecar", "--in-place"], "--in-place and --sidecar cannot be used together."),
        (["--sidecar"], "This config holds a `dynamic_loss_scheduling` block; a sidecar would be a second."),
    ],
)
def test_refused(autocal, config, arguments, message):
    ran = autocal("calibrate", config, *arguments)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert message in ran.err


# --- what the trainer makes of the block


@pytest.mark.parametrize(
    ("kind", "block", "codes"),
    [
        (None, "", {"block-added", "block-rejected"}),
        (None, BLOCK, set()),
        ("traiNNer-redux", BLOCK, {"block-rejected"}),
        ("traiNNer-redux-fork", BLOCK, set()),
        ("traiNNer-redux-fork", BLOCK + "  training_automations: {}\n", {"block-not-native"}),
        ("BasicSR", BLOCK, {"block-ignored"}),
        ("Real-ESRGAN", "", {"block-added", "block-ignored"}),
    ],
)
def test_what_the_trainer_makes_of_the_block_is_said(autocal, config, kind, block, codes):
    rewrite(config, (BLOCK, block))
    ran = autocal("calibrate", config, "--no-dataset", *(["--trainer-kind", kind] if kind else []))
    assert ran.code == 0
    assert set(re.findall(r"\bblock-[a-z-]+", ran.err)) == codes


def test_a_trainer_that_rejects_the_block_is_told_with_both_ways_out(autocal, vanilla):
    told = " ".join(autocal("calibrate", vanilla, "--dry-run").err.split())
    assert "traiNNer-redux by itself refuses a config with a `dynamic_loss_scheduling` block" in told
    assert "`autocal run`" in told
    assert "--sidecar" in told


# --- sidecar


def test_a_sidecar_leaves_the_config_alone_and_is_found_by_the_runtime(autocal, vanilla, tmp_path):
    before = vanilla.read_bytes()
    ran = autocal("calibrate", vanilla, "--sidecar")
    sidecar = tmp_path / "train.autocal.yml"
    assert ran.code == 0
    assert "written to" in ran.err
    assert "block-rejected" not in ran.err
    assert vanilla.read_bytes() == before
    block = yaml.safe_load(sidecar.read_text("utf-8"))[KEY]
    assert block["calibration"]["wrote"]["momentum"] == block["momentum"]
    source = read_source(vanilla)
    assert (source.holder, source.block, source.text_for_trainer) == (sidecar, block, before.decode())
    written = sidecar.read_bytes()
    assert autocal("calibrate", vanilla, "--sidecar").code == 0
    assert sidecar.read_bytes() == written


def test_hand_edits_in_the_sidecar_are_kept_and_the_rest_is_resolved_anew(autocal, vanilla, tmp_path):
    sidecar = tmp_path / "train.autocal.yml"
    autocal("calibrate", vanilla, "--sidecar")
    block = yaml.safe_load(sidecar.read_text("utf-8"))[KEY]
    assert "edited-since" not in autocal("explain", vanilla).err
    rewrite(sidecar, (f"momentum: {block['momentum']}", "momentum: 0.7  # mine"))
    rewrite(vanilla, ("iter: 40000", "iter: 10000"))
    ran = autocal("explain", vanilla, "--json")
    told = json.loads(ran.out)["parameters"]
    assert "edited-since" in ran.err
    assert told["momentum"]["trail"][-1]["code"] == "manual"
    assert told["adaptation_rate"]["value"] == block["adaptation_rate"]  # told from the record
    autocal("calibrate", vanilla, "--sidecar")
    again = yaml.safe_load(sidecar.read_text("utf-8"))[KEY]
    assert again["momentum"] == 0.7
    assert again["adaptation_rate"] > block["adaptation_rate"]
    assert "momentum: 0.7  # mine\n" in sidecar.read_text("utf-8")
    assert "edited-since" not in autocal("explain", vanilla).err


def test_an_edit_of_the_config_alone_shows_too(autocal, vanilla):
    autocal("calibrate", vanilla, "--sidecar")
    rewrite(vanilla, ("# the end", "# the very end"))
    assert "edited-since" in autocal("explain", vanilla).err


def test_a_sidecar_written_by_hand_is_completed(autocal, vanilla, tmp_path):
    sidecar = tmp_path / "train.autocal.yml"
    sidecar.write_text(f"# mine\n{KEY}: {{momentum: 0.7}}\n", "utf-8")
    assert autocal("calibrate", vanilla, "--sidecar").code == 0
    text = sidecar.read_text("utf-8")
    assert text.startswith(f"# mine\n{KEY}: {{momentum: 0.7, enabled: true")
    assert yaml.safe_load(text)[KEY]["momentum"] == 0.7


def test_a_sidecar_may_be_a_whole_config(autocal, vanilla, tmp_path):
    sidecar = tmp_path / "train.autocal.yml"
    sidecar.write_text(f"train:\n  {KEY}: {{auto_calibrate: true}}\n", "utf-8")
    assert autocal("calibrate", vanilla, "--sidecar").code == 0
    assert block_of(sidecar)["auto_calibrate"] is False


def test_dry_run_and_diff_write_no_sidecar(autocal, vanilla, tmp_path):
    for option in ("--dry-run", "--diff"):
        ran = autocal("calibrate", vanilla, "--sidecar", option, *(["--dry-run"] if option == "--diff" else []))
        assert ran.code == 0
        assert not (tmp_path / "train.autocal.yml").exists()
    assert b"+dynamic_loss_scheduling:" in ran.out


def test_a_sidecar_that_holds_no_block_is_refused(autocal, vanilla, tmp_path):
    (tmp_path / "train.autocal.yml").write_text("notes: mine\n", "utf-8")
    ran = autocal("calibrate", vanilla, "--sidecar")
    assert ran.code == 2
    assert "train.autocal.yml: The sidecar holds no `dynamic_loss_scheduling` mapping." in ran.err


def test_a_block_beside_a_sidecar_is_refused_before_it_is_written(autocal, vanilla, tmp_path):
    before = vanilla.read_bytes()
    autocal("calibrate", vanilla, "--sidecar")
    for out in (("--in-place",), ("--in-place", "--dry-run"), ("-o", vanilla, "--force")):
        ran = autocal("calibrate", vanilla, *out)
        assert ran.code == 2
        assert "There is a sidecar train.autocal.yml beside it: with a block in both, neither would count." in ran.err
    assert vanilla.read_bytes() == before
    assert autocal("calibrate", vanilla, "-o", tmp_path / "other.yml").code == 0  # which has no sidecar
    autocal("calibrate", vanilla)
    vanilla.write_bytes((tmp_path / "other.yml").read_bytes())
    ran = autocal("explain", vanilla)
    assert ran.code == 2
    assert "Both this config and train.autocal.yml hold a `dynamic_loss_scheduling` block. Remove one." in ran.err


# --- TOML

TOML = """\
# a comment above
scale = 2   # and beside
[datasets.train]
dataroot_gt = 'hr'
batch_size = 16
patch_size = 32

[network_g]
type = "paragonsr2_nano"

[train]
ema = 0.999

[train.pixel_opt]
type = "L1Loss"
loss_weight = 1.0
[logger]
total_iter = 40_000
# the end"""


@pytest.fixture
def toml_config(tmp_path, images):
    assert images.is_dir()
    path = tmp_path / "train.toml"
    path.write_bytes(TOML.encode())
    return path


def test_a_toml_config_is_calibrated_as_the_same_yaml_would_be(autocal, toml_config, config, tmp_path):
    out, other = tmp_path / "resolved.toml", tmp_path / "resolved.yml"
    ran = autocal("calibrate", toml_config, "-o", out)
    assert ran.code == 0
    assert "block-ignored: neosr by itself takes no notice" in ran.err
    autocal("calibrate", config, "-o", other)
    found = tomllib.loads(out.read_text("utf-8"))["train"][KEY]
    wanted = block_of(other)
    names = ("momentum", "adaptation_rate", "max_weight", "baseline_iterations", "phases", "stability")
    assert [found[name] for name in names] == [wanted[name] for name in names]
    before, after = TOML.splitlines(), out.read_text("utf-8").splitlines()
    at = after.index(f"[train.{KEY}]")
    assert before == after[: at - 1] + after[at - 1 + len(after) - len(before) :]
    assert not out.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("block", ["", f"{KEY} = {{auto_calibrate = true}}\n", f"{KEY}.momentum = 0.7\n"])
def test_toml_again_changes_no_byte_and_hand_edits_stay(autocal, toml_config, tmp_path, newline, block):
    text = TOML.replace("ema = 0.999\n", f"ema = 0.999\n{block}").replace("\n", newline)
    toml_config.write_bytes(b"\xef\xbb\xbf" + text.encode())
    out = tmp_path / "resolved.toml"
    assert autocal("calibrate", toml_config, "-o", out).code == 0
    written = out.read_bytes()
    assert written.startswith(b"\xef\xbb\xbf")
    assert autocal("calibrate", out, "-q").out == written
    assert autocal("calibrate", toml_config, "-o", out).code == 0  # its own file, untouched
    assert autocal("explain", out).code == 0
    value = tomllib.loads(written.decode("utf-8-sig"))["train"][KEY]["max_weight"]
    rewrite(out, (f"max_weight = {value}", "max_weight = 8"))
    assert "edited-since" in autocal("explain", out).err
    autocal("calibrate", out, "--in-place")
    found = tomllib.loads(out.read_bytes().decode("utf-8-sig"))["train"][KEY]
    assert found["max_weight"] == 8
    assert "max_weight" not in found["calibration"]["wrote"]


def test_toml_with_a_sidecar_and_without_a_native_scheduler(autocal, toml_config, tmp_path):
    before = toml_config.read_bytes()
    assert autocal("calibrate", toml_config, "--sidecar").code == 0
    assert toml_config.read_bytes() == before
    assert KEY in yaml.safe_load((tmp_path / "train.autocal.yml").read_text("utf-8"))
    ran = autocal("calibrate", toml_config, "-o", tmp_path / "resolved.yml")
    assert ran.code == 2
    assert "The config is .toml, and stays what it is; the output would end in .yml. Name it resolved.toml." in ran.err
    ran = autocal("calibrate", toml_config, "--target", "native")
    assert ran.code == 2
    assert "neosr has no scheduler of its own" in ran.err


def test_diff_takes_the_block_from_a_sidecar(autocal, vanilla, tmp_path):
    autocal("calibrate", vanilla, "--sidecar")
    other = tmp_path / "other.yml"
    other.write_bytes(vanilla.read_bytes())
    autocal("calibrate", other, "--set", "momentum=0.5", "--in-place", "--no-dataset")
    ran = autocal("diff", vanilla, other, "--json")
    assert ran.code == 0
    assert (json.loads(ran.out)["a"]["origin"], json.loads(ran.out)["b"]["origin"]) == ("record", "record")


@pytest.mark.parametrize(
    ("kind", "rejected"), [(None, True), ("traiNNer-redux", True), ("traiNNer-redux-fork", False), ("BasicSR", False)]
)
def test_the_output_is_taken_for_the_trainer_that_it_was_made_for(autocal, tmp_path, kind, rejected):
    """The block that autocal itself writes must not make a config of the fork out of another trainer's."""
    config = tmp_path / "train.yml"
    config.write_text(
        "scale: 2\nnetwork_g: {type: paragonsr2_nano}\ntrain:\n  total_iter: 40000\n  grad_clip_max_norm: 1.0\n"
        "  losses:\n    - {type: l1loss, loss_weight: 1.0}\n",
        encoding="utf-8",
    )
    told = () if kind is None else ("--trainer-kind", kind)
    assert autocal("calibrate", config, "--no-dataset", "-o", tmp_path / "resolved.yml", *told).code == 0
    found = autocal("check", tmp_path / "resolved.yml", "--no-dataset", "--json")
    codes = {finding["code"] for file in json.loads(found.out)["files"] for finding in file["findings"]}
    assert ("block-rejected" in codes) is rejected
    assert ("grad-clip-unknown" in codes) is not rejected  # only upstream has grad_clip_max_norm
    again = autocal("calibrate", tmp_path / "resolved.yml", "--no-dataset")
    assert again.out == (tmp_path / "resolved.yml").read_bytes()
