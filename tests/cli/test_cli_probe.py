"""`--probe N` as a user meets it, on the demo images: the table, the record, and the weights for wanted shares."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ANSWER = ROOT / "tests" / "answers" / "probe_demo.txt"
CONFIG = """\
scale: 2
network_g:
  type: paragonsr2_nano
datasets:
  train: {dataroot_gt: demo/hr, dataroot_lq: demo/lr_x2, lq_size: 16, batch_size_per_gpu: 4}
train:
  total_iter: 40000
  losses:
    - {type: l1loss, loss_weight: 1.0}
    - {type: mssimloss, loss_weight: 0.1}
    - {type: perceptualloss, loss_weight: 0.5}
"""


@pytest.fixture
def train(tmp_path, monkeypatch) -> Path:
    shutil.copytree(ROOT / "sample_configs" / "demo_images", tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    path = Path("train.yml")
    path.write_text(CONFIG, encoding="utf-8")
    return path


def block(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf-8"))["train"]["dynamic_loss_scheduling"]


def test_the_table_is_as_it_was_approved(autocal, train):
    ran = autocal("explain", train, "--no-dataset", "--probe", 8)
    assert ran.code == 0
    found = ran.out + b"--- findings\n" + ran.err.encode()
    if os.environ.get("AUTOCAL_REGENERATE"):
        ANSWER.write_bytes(found)
    assert found.decode("utf-8") == ANSWER.read_bytes().decode("utf-8")


def test_what_was_measured_stays_when_the_output_is_calibrated_again(autocal, train):
    assert autocal("calibrate", train, "--no-dataset", "--probe", 8, "-o", "resolved.yml").code == 0
    resolved = Path("resolved.yml").read_bytes()
    found = block(Path("resolved.yml"))
    assert [loss["label"] for loss in found["calibration"]["probe"]["losses"]] == ["l1", "mssim"]
    again = autocal("calibrate", "resolved.yml", "--no-dataset")
    assert again.out == resolved
    told = autocal("explain", "resolved.yml").out.decode()
    assert "what the weights amount to" in told


def test_without_a_probe_nothing_of_it_is_written(autocal, train):
    ran = autocal("calibrate", train, "--no-dataset")
    assert b"probe" not in ran.out
    assert "what the weights amount to" not in ran.err


def test_new_weights_have_new_shares_by_the_old_probe(autocal, train):
    autocal("calibrate", train, "--no-dataset", "--probe", 8, "--in-place")
    before = json.loads(autocal("calibrate", train, "--no-dataset", "--json").out)["probe"]["losses"]
    text = train.read_text("utf-8").replace("mssimloss, loss_weight: 0.1", "mssimloss, loss_weight: 100.0")
    train.write_text(text, encoding="utf-8")
    ran = autocal("calibrate", train, "--no-dataset", "--json")
    after = json.loads(ran.out)
    assert [loss["gradient"] for loss in after["probe"]["losses"]] == [loss["gradient"] for loss in before]
    assert after["probe"]["losses"][1]["share"] > 0.95 > before[1]["share"]


@pytest.mark.parametrize(("old", "new"), [("l1loss", "mseloss"), ("paragonsr2_nano", "paragonsr2_micro")])
def test_a_probe_of_other_losses_or_another_network_is_dropped(autocal, train, old, new):
    autocal("calibrate", train, "--no-dataset", "--probe", 8, "--in-place")
    train.write_text(train.read_text("utf-8").replace(old, new, 1), encoding="utf-8")
    ran = autocal("calibrate", train, "--no-dataset", "--in-place")
    assert "probe-outdated" in ran.err
    assert "probe" not in block(train)["calibration"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--probe", "0"), "--probe"),
    ],
)
def test_a_wrong_wish_is_one_line(autocal, train, arguments, why):
    ran = autocal("calibrate", train, "--no-dataset", *arguments)
    assert ran.code == 2
    assert ran.out == b""
    assert why in ran.err
    assert len(ran.err.splitlines()) == 1


def test_without_images_the_calibration_goes_on_without_a_probe(autocal, train):
    shutil.rmtree("demo")
    ran = autocal("calibrate", train, "--probe", 8)
    assert ran.code == 0
    assert "probe-failed" in ran.err
    assert b"probe" not in ran.out


def test_pairs_of_one_size_are_told_from_images_that_cannot_be_read(autocal, train):
    train.write_text(CONFIG.replace("demo/lr_x2", "demo/hr"), encoding="utf-8")
    ran = autocal("calibrate", train, "--no-dataset", "--probe", 8)
    assert "in no pair could both images be read, hold a crop of 32 pixels, and differ in size by 2" in ran.err


def test_a_block_in_manual_mode_is_probed_and_left_alone(autocal, train):
    manual = CONFIG + "  dynamic_loss_scheduling: {auto_calibrate: false, momentum: 0.9}\n"
    train.write_text(manual, encoding="utf-8")
    ran = autocal("calibrate", train, "--probe", 8)
    assert ran.out == manual.encode()
    assert "what the weights amount to" in ran.err


def test_hr_names_the_targets_of_a_probe(autocal, train):
    ran = autocal("calibrate", train, "--hr", "demo/hr", "--probe", 2, "--json")
    assert json.loads(ran.out)["probe"]["lq"] == "bicubic reduction"


TOML = """\
scale = 2
[network_g]
type = "paragonsr2_nano"
[datasets.train]
dataroot_gt = "demo/hr"
patch_size = 16
[train]
[train.pixel_opt]
type = "L1Loss"
loss_weight = 1.0
[train.mssim_opt]
type = "mssim_loss"
loss_weight = 1.0
[logger]
total_iter = 40000
"""


@pytest.mark.usefixtures("train")
def test_a_toml_config_keeps_its_probe_too(autocal):
    Path("train.toml").write_text(TOML, encoding="utf-8")
    ran = autocal("calibrate", "train.toml", "--no-dataset", "--probe", 8, "-o", "resolved.toml")
    assert ran.code == 0
    resolved = Path("resolved.toml").read_bytes()
    assert b"probe" in resolved
    assert autocal("calibrate", "resolved.toml", "--no-dataset").out == resolved
