"""`calibrate --write native`: the block that the fork's own scheduler reads."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from blocks import BLOCK, KEY, NATIVE, block_of, rewrite, wrote

from autocal_cli.calibration.block import key_mark


def test_a_config_written_for_the_fork_is_measured_as_one_of_the_fork(autocal, vanilla, tmp_path):
    """Else the next calibration, which takes it for one, would change the record."""
    rewrite(vanilla, ("paragonsr2_nano", "atd"))
    out = tmp_path / "native.yml"
    assert autocal("calibrate", vanilla, "--write", "native", "-o", out).code == 0
    first = out.read_bytes()
    assert autocal("calibrate", out, "--in-place").code == 0
    assert out.read_bytes() == first


@pytest.mark.parametrize(
    ("loss", "trainer"), [("contrastiveloss", "traiNNer-redux-fork"), ("mssimloss", "traiNNer-redux")]
)
def test_a_loss_of_the_fork_marks_its_config_and_a_sidecar_suits_every_fork(autocal, vanilla, tmp_path, loss, trainer):
    rewrite(vanilla, ("paragonsr2_nano", "span"), ("l1loss", loss))
    out = tmp_path / "copy.yml"
    ran = autocal("calibrate", vanilla, "-o", out)
    assert ("--write native writes it" in ran.err) == trainer.endswith("fork")
    assert out.read_bytes() == vanilla.read_bytes()
    sidecar = out.with_suffix(".autocal.yml").read_bytes()
    assert yaml.safe_load(sidecar)[KEY]["calibration"]["made"]["trainer"] == trainer
    assert autocal("calibrate", out, "--in-place").code == 0
    assert out.with_suffix(".autocal.yml").read_bytes() == sidecar


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
    asked = "auto_calibrate" in config.read_text("utf-8")
    out = tmp_path / "native.yml"
    assert autocal("calibrate", config, "--write", "native", "-o", out).code == 0
    assert set(block_of(out)) == (NATIVE | {"auto_calibrate"} if asked else NATIVE)
    assert block_of(out)["enabled"] is True
    written = out.read_bytes()
    assert autocal("calibrate", out, "-q").out == written
    assert autocal("calibrate", config, "--write", "native", "-o", out).code == 0  # its own file, untouched
    assert out.read_bytes() == written
    before, after = config.read_text("utf-8"), out.read_text("utf-8")
    assert [note for note in re.findall("#.*", before) if note not in after] == []


def test_a_config_of_the_fork_gets_the_keys_that_its_scheduler_takes(autocal, config, tmp_path):
    """`python train.py` starts with it: that is what the last line says."""
    out = tmp_path / "resolved.yml"
    ran = autocal("calibrate", config, "-o", out)
    assert set(block_of(out)) == NATIVE | {"auto_calibrate"}
    assert ran.err.splitlines()[-1] == f"start    python train.py -opt {out}"
    ran = autocal("calibrate", config, "-o", out, "--write", "block")
    assert ran.err.splitlines()[-1] == f"start    autocal run train.py -opt {out}"


def test_what_was_measured_of_our_scheduler_is_not_written_for_the_forks_own(autocal, config, tmp_path):
    rewrite(config, ("  losses:\n", "  losses:\n    - {type: ganloss, loss_weight: 0.1}\n"))
    out, trails = tmp_path / "resolved.yml", {}
    for form, most in (("native", 5.0), ("block", 30.0)):
        autocal("calibrate", config, "-o", out, "--write", form)
        assert block_of(out)["max_weight"] == most
        told = json.loads(autocal("explain", out, "--json").out)["parameters"]["max_weight"]
        trails[form] = [step["code"] for step in told["trail"]]
    assert trails == {"native": ["preset.nano"], "block": ["preset.nano", "adversarial-ceiling"]}


def test_a_hand_edit_of_a_native_block_is_kept_and_the_rest_is_resolved_anew(autocal, config, tmp_path):
    out = tmp_path / "native.yml"
    autocal("calibrate", config, "-o", out)
    before = block_of(out)
    rewrite(out, (f"momentum: {before['momentum']}", "momentum: 0.7  # mine"), ("iter: 40000", "iter: 10000"))
    assert autocal("calibrate", config, "-o", out).code == 2  # edited by hand since
    ran = autocal("calibrate", out, "--in-place", "--json")
    told = json.loads(ran.out)["parameters"]
    assert [told["momentum"]["trail"][-1][key] for key in ("code", "after")] == ["manual", 0.7]
    assert block_of(out)["momentum"] == 0.7
    assert block_of(out)["adaptation_rate"] > before["adaptation_rate"]
    assert "momentum: 0.7  # mine" in out.read_text("utf-8")
    told = json.loads(autocal("explain", out, "--json").out)["parameters"]
    assert (told["momentum"]["trail"][-1]["code"], told["max_weight"]["trail"][-1]["code"]) == ("manual", "preset.nano")


def test_from_native_to_a_block_and_no_further(autocal, config, tmp_path):
    native, whole = tmp_path / "native.yml", tmp_path / "whole.yml"
    autocal("calibrate", config, "-o", native)
    assert autocal("calibrate", native, "--write", "block", "-o", whole).code == 0
    assert {key: value for key, value in block_of(whole).items() if key in NATIVE} == {
        key: value for key, value in block_of(native).items() if key in NATIVE
    }
    assert wrote(block_of(whole)) > {key_mark((name,)) for name in NATIVE if name != "enabled"}
    assert whole.read_text("utf-8").count("network: {type: paragonsr2_nano") == 1  # one record
    ran = autocal("calibrate", whole, "--write", "native")
    assert (ran.code, "`fidelity_budget` stands in the block, and the fork's own scheduler" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("key", "named"),
    [("custom: 1", "custom"), ("phases: {early: {rate: 0.4}}", "phases"), ("mode: observe", "mode")],
)
def test_what_the_forks_scheduler_raises_on_is_refused(autocal, config, key, named):
    rewrite(config, ("auto_calibrate: true", key))
    before = config.read_bytes()
    ran = autocal("calibrate", config, "--write", "native", "--in-place")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert f"`{named}` stands in the block, and the fork's own scheduler raises on that key." in ran.err
    assert config.read_bytes() == before
    assert autocal("calibrate", config, "--in-place").code == 0  # as it stands: a block for `autocal run`
    assert "calibration" in block_of(config)


@pytest.mark.parametrize("setting", ["mode=observe", "fidelity_budget=1", "dataset_info.edge_density=0.5"])
def test_what_is_set_by_hand_must_stand_in_the_output(autocal, config, setting):
    ran = autocal("calibrate", config, "--set", setting)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "Use --write block with it." in ran.err
    assert autocal("calibrate", config, "--write", "block", "--set", setting).code == 0


def test_enable_monitoring_is_the_forks_own(autocal, config, tmp_path):
    rewrite(config, ("auto_calibrate: true", "enable_monitoring: false"))
    out = tmp_path / "native.yml"
    assert autocal("calibrate", config, "--write", "native", "-o", out).code == 0
    assert block_of(out)["enable_monitoring"] is False
