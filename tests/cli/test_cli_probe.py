"""`--probe N` as a user meets it, on the demo images."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

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
    - {type: distsloss, loss_weight: 0.5}
"""


@pytest.fixture
def train(tmp_path, monkeypatch) -> Path:
    shutil.copytree(ROOT / "sample_configs" / "demo_images", tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    path = Path("train.yml")
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_the_table_is_as_it_was_approved(autocal, train):
    ran = autocal("explain", train, "--no-dataset", "--probe", 8)
    assert ran.code == 0
    found = ran.out + b"--- findings\n" + ran.err.encode()
    if os.environ.get("AUTOCAL_REGENERATE"):
        ANSWER.write_bytes(found)
    assert found.decode("utf-8") == ANSWER.read_bytes().decode("utf-8")


def test_shares_say_what_they_are_of_and_what_is_missing(autocal, train):
    ran = autocal("explain", train, "--no-dataset", "--probe", 2)
    assert "train.yml:11:7: info probe-unmeasured: Not measured: dists (" in ran.err
    told = ran.out.decode()
    assert "of those measured" in told
    assert "dists not measured:" in told
    assert "Its pull is in none of the shares." in told
    train.write_text(CONFIG.replace("    - {type: distsloss, loss_weight: 0.5}\n", ""), encoding="utf-8")
    told = autocal("explain", train, "--no-dataset", "--probe", 2).out.decode()
    assert "not measured:" not in told.partition("momentum")[0].partition("losses")[2]
    assert "of those measured" not in told


def test_a_default_template_of_trainner_redux_has_every_loss_measured_or_named(autocal, train):
    losses = (
        "    - {type: mssimloss, loss_weight: 0.5}\n"
        "    - {type: perceptualloss, criterion: charbonnier, loss_weight: 0.01}\n"
        "    - {type: hsluvloss, criterion: charbonnier, loss_weight: 1.0}\n"
        "    - {type: ganloss, gan_type: vanilla, loss_weight: 0.1}\n    - {type: distsloss, loss_weight: 0}\n"
    )
    head = CONFIG[: CONFIG.index("    - {type: l1loss")]
    train.write_text(head + losses + "network_d: {type: dunet, num_feat: 8}\n", encoding="utf-8")
    probe = json.loads(autocal("calibrate", train, "--no-dataset", "--probe", 2, "--json").out)["probe"]
    measured, missing = ({loss["label"] for loss in probe[key]} for key in ("losses", "unmeasured"))
    assert measured | missing == {"mssim", "perceptual", "hsluv", "gan"}
    assert {"mssim", "hsluv", "gan"} <= measured
    assert all(loss["gradient"] > 0.0 for loss in probe["losses"])


def test_a_probe_is_shown_and_leaves_the_output_as_it_is_without(autocal, train):
    with_probe = autocal("calibrate", train, "--no-dataset", "--probe", 2)
    without = autocal("calibrate", train, "--no-dataset")
    assert with_probe.out == without.out
    assert "what the weights amount to" in with_probe.err
    assert "what the weights amount to" not in without.err


def test_a_resolved_config_is_probed_where_it_is_asked(autocal, train):
    assert autocal("calibrate", train, "--no-dataset", "--write", "block", "-o", "resolved.yml").code == 0
    assert "what the weights amount to" not in autocal("explain", "resolved.yml").out.decode()
    ran = autocal("explain", "resolved.yml", "--probe", 2)
    assert "what the weights amount to" in ran.out.decode()
    assert autocal("calibrate", "resolved.yml", "--no-dataset", "--probe", 2).out == Path("resolved.yml").read_bytes()


def test_a_probe_of_no_batches_is_refused(autocal, train):
    ran = autocal("calibrate", train, "--no-dataset", "--probe", 0)
    assert (ran.code, ran.out) == (2, b"")
    assert "--probe" in ran.err


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
def test_the_losses_of_a_toml_config_are_neosrs(autocal):
    Path("train.toml").write_text(TOML, encoding="utf-8")
    ran = autocal("calibrate", "train.toml", "--no-dataset", "--probe", 2, "--json")
    assert [loss["label"] for loss in json.loads(ran.out)["probe"]["losses"]] == ["pixel", "mssim"]
