"""`--probe N` as a user meets it, on the demo images: the table, and that nothing of it is written."""

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


def test_the_table_is_as_it_was_approved(autocal, train, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", "nowhere")  # no pretrained weights, whatever this machine has
    monkeypatch.delenv("AUTOCAL_VGG", raising=False)
    ran = autocal("explain", train, "--no-dataset", "--probe", 8)
    assert ran.code == 0
    found = ran.out + b"--- findings\n" + ran.err.encode()
    if os.environ.get("AUTOCAL_REGENERATE"):
        ANSWER.write_bytes(found)
    assert found.decode("utf-8") == ANSWER.read_bytes().decode("utf-8")


@pytest.mark.parametrize("written", [[], ["--write", "block"]])
def test_a_probe_is_shown_and_changes_nothing_that_is_written(autocal, train, written):
    plain = autocal("calibrate", train, "--no-dataset", *written)
    probed = autocal("calibrate", train, "--no-dataset", "--probe", 8, *written)
    assert (plain.code, probed.code, probed.out) == (0, 0, plain.out)
    assert b"probe" not in probed.out
    assert "what the weights amount to" in probed.err
    assert "what the weights amount to" not in plain.err
    told = json.loads(autocal("calibrate", train, "--no-dataset", "--probe", 8, "--json").out)
    assert [loss["label"] for loss in told["probe"]["losses"]][:2] == ["l1", "mssim"]


def test_a_resolved_config_is_probed_where_it_is_asked(autocal, train):
    assert autocal("calibrate", train, "--no-dataset", "--write", "block", "-o", "resolved.yml").code == 0
    assert "what the weights amount to" not in autocal("explain", "resolved.yml").out.decode()
    ran = autocal("explain", "resolved.yml", "--probe", 2)
    assert "what the weights amount to" in ran.out.decode()
    assert autocal("calibrate", "resolved.yml", "--no-dataset", "--probe", 2).out == Path("resolved.yml").read_bytes()


def test_other_weights_have_other_shares(autocal, train):
    shares = []
    for weight in ("0.1", "100.0"):
        text = CONFIG.replace("mssimloss, loss_weight: 0.1", f"mssimloss, loss_weight: {weight}")
        train.write_text(text, encoding="utf-8")
        told = json.loads(autocal("calibrate", train, "--no-dataset", "--probe", 8, "--json").out)
        shares.append(told["probe"]["losses"][1]["share"])
    assert shares[0] < shares[1]


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
