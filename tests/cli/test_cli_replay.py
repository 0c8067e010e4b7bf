"""`autocal replay`: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

CASE = Path(__file__).parent.parent / "cases" / "replayed"
LOG = "train_replayed_20240702_214117.log"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a resolved config and the logs of its run."""
    folder = tmp_path / "run"
    shutil.copytree(CASE, folder)
    monkeypatch.chdir(folder)
    return folder


def test_json_keeps_its_contract(autocal, run):
    told = json.loads(autocal("replay", run, "--config", "resolved.yml", "--json").out)
    assert set(told) == {
        "format_version", "log", "total_iter", "replayed_with", "losses", "phases", "events", "not_known", "findings",
    }  # fmt: skip
    assert (told["log"]["points"], told["log"]["interval"], told["log"]["averaged"]) == (100, 100, True)
    assert [loss["name"] for loss in told["losses"]] == ["l_g_mse", "l_g_perceptual", "l_g_gan"]
    for loss in told["losses"]:
        assert len(loss["iterations"]) == len(loss["raw"]) == len(loss["multipliers"]) == 100
        assert loss["multiplier"]["lowest"] <= loss["multiplier"]["final"] <= loss["multiplier"]["highest"]
    spike = {"iteration": 6200, "loss": "l_g_perceptual", "cause": "spike"}
    assert [event.items() >= spike.items() for event in told["events"]] == [True]
    assert told["phases"][-1] == {"name": "late", "first": 8000, "last": 10000}


def test_a_value_that_is_not_finite_is_null_in_json(autocal, run):
    log = run / LOG
    text = re.sub(r"(iter:     500,.*?l_g_gan: )\S+", r"\1nan", log.read_text("utf-8"))
    log.write_text(text, "utf-8")
    told = json.loads(autocal("replay", run, "--config", "resolved.yml", "--json").out)
    assert told["losses"][2]["raw"][3:6].count(None) == 1
    assert [event["cause"] for event in told["events"]] == ["not finite", "spike"]


def test_the_page_names_every_loss_and_loads_nothing(autocal, run):
    pytest.importorskip("matplotlib")
    assert autocal("replay", run, "--config", "resolved.yml", "--html", "page.html").code == 0
    page = (run / "page.html").read_text("utf-8")
    assert all(label in page for label in ("l_g_mse", "l_g_perceptual", "l_g_gan", "<svg ", "Gradients are not logged"))
    assert re.findall(r"https?://|<script|<link|@import|url\((?!#)|src=", page) == []


def test_what_comes_from_the_logs_is_escaped_in_the_page(autocal, run):
    pytest.importorskip("matplotlib")
    hostile = run / "<script>alert(1)</script>"[:8]
    hostile.mkdir()
    (run / LOG).rename(hostile / LOG)
    assert autocal("replay", hostile, "--config", "resolved.yml", "--html", "page.html").code == 0
    page = (run / "page.html").read_text("utf-8")
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_the_picture_opens(autocal, run):
    pytest.importorskip("matplotlib")
    assert autocal("replay", run, "--config", "resolved.yml", "--png", "figure.png").code == 0
    with Image.open(run / "figure.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 10


def test_its_own_drawings_are_replaced_and_nobody_elses(autocal, run):
    pytest.importorskip("matplotlib")
    command = ("replay", run, "--config", "resolved.yml")
    assert [autocal(*command, "--html", "page.html", "--png", "a.png").code for _ in range(2)] == [0, 0]
    Image.new("RGB", (8, 8)).save(run / "mine.png")
    (run / "mine.html").write_text("<!DOCTYPE html><p>mine", "utf-8")
    for option, name in (("--png", "mine.png"), ("--html", "mine.html"), ("--html", "a.png/x.html"), ("--png", ".")):
        before = (run / name).read_bytes() if (run / name).is_file() else None
        ran = autocal(*command, option, name)
        assert (ran.code, len(ran.err.splitlines()), ran.out) == (2, 1, b""), name
        assert before is None or (run / name).read_bytes() == before
    assert autocal(*command, "--png", "mine.png", "--force").code == 0
    for option in ("--html", "--png"):  # not even by force over what is to be read
        assert autocal(*command, option, "resolved.yml", "--force").code == 2
        assert autocal("replay", LOG, "--config", "resolved.yml", option, LOG, "--force").code == 2
    assert autocal(*command, "--html", "same", "--png", "same").code == 2
    assert (run / LOG).read_bytes() == (CASE / LOG).read_bytes()


def test_without_the_extra_a_text_log_is_replayed_and_drawing_refused(autocal, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_file_loader", None)
    assert autocal("replay", run, "--config", "resolved.yml").code == 0
    ran = autocal("replay", run, "--config", "resolved.yml", "--png", "figure.png")
    assert (ran.code, "pip install 'autocal-cli[replay]'" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("    enabled: true\n    auto_calibrate: false", "    auto_calibrate: true"), None),  # its record resolves it
        (("  dynamic_loss_scheduling:", "  other_block:"), "There is no `dynamic_loss_scheduling` block"),
        (("MSELoss", "SSIMLoss"), None),
        (("    momentum: 0.85\n", "    momentum: 1.85\n"), "momentum"),
    ],
)
def test_a_config_that_cannot_be_replayed_is_refused(autocal, run, change, said):
    config = run / "resolved.yml"
    text = config.read_text("utf-8")
    assert change[0] in text
    config.write_text(text.replace(*change, 1), "utf-8")
    ran = autocal("replay", run, "--config", config, "-q")
    assert ran.code == (2 if said else 0)
    if said:
        assert (len(ran.err.splitlines()), ran.out) == (1, b"")
        assert said in ran.err
        assert "resolved.yml:" in ran.err


def test_an_unresolved_block_is_refused(autocal, run):
    (run / "open.yml").write_text(
        (run / "train.yml").read_text("utf-8") + "  dynamic_loss_scheduling: {auto_calibrate: true}\n", "utf-8"
    )
    ran = autocal("replay", run, "--config", "open.yml")
    assert (ran.code, "autocal calibrate open.yml" in ran.err) == (2, True)


def test_logs_of_another_config_are_refused_with_both_sides_named(autocal, run):
    log = run / LOG
    log.write_text(re.sub(r"l_g_(mse|perceptual|gan)", r"l_g_other\1", log.read_text("utf-8")), "utf-8")
    ran = autocal("replay", run, "--config", "resolved.yml")
    assert ran.code == 2
    assert all(label in ran.err for label in ("l_g_othermse", "expected l_g_mse, l_g_perceptual, l_g_gan"))


def test_what_does_not_fit_together_is_reported(autocal, run):
    log = run / LOG
    lines = log.read_text("utf-8").replace("l_g_gan", "l_g_dists").splitlines(keepends=True)
    log.write_text("".join(lines[50:])[:-5], "utf-8")
    config = run / "resolved.yml"
    config.write_text(config.read_text("utf-8").replace("    enabled: true", "    enabled: false", 1), "utf-8")
    ran = autocal("replay", run, "--config", "resolved.yml")
    assert ran.code == 0
    for code in ("loss-not-logged", "label-unknown", "log-begins-late", "log-truncated", "block-disabled"):
        assert ran.err.count(code) == 1, code


def test_nothing_is_said_of_a_log_that_fits(autocal, run):
    assert autocal("replay", run, "--config", "resolved.yml").err == ""


BASICSR = """\
scale: 4
network_g: {type: MSRResNet}
train:
  total_iter: !!float 3e4
  pixel_opt: {type: MSELoss, loss_weight: !!float 1e-2}
  perceptual_opt: {type: PerceptualLoss, perceptual_weight: 1.0, style_weight: 0.5}
  gan_opt: {type: GANLoss, loss_weight: !!float 5e-3}
"""


def test_a_run_of_basicsr_is_replayed_from_its_config_and_log(autocal, tmp_path):
    (tmp_path / "train.yml").write_text(BASICSR, "utf-8")
    resolved = tmp_path / "resolved.yml"
    assert autocal("calibrate", tmp_path / "train.yml", "--no-dataset", "-q", "-o", resolved).code == 0
    lines = [
        f"2024-01-01 00:00:00,000 INFO: [001_M..][epoch:  0, iter:{i:8,d}, lr:(2.000e-04,)] [eta: 0:10:00, "
        f"time (data): 0.501 (0.003)] l_g_pix: 1.0000e-03 l_g_percep: 2.0000e+00 l_g_style: 2.5000e-01 "
        "l_g_gan: 1.5000e-02 l_d_real: 7.0000e-01 out_d_real: 1.0000e-01 \n"
        for i in range(100, 3001, 100)
    ]
    (tmp_path / "train_001_20240101_000000.log").write_text("".join(lines), "utf-8")
    told = json.loads(autocal("replay", tmp_path, "--config", resolved, "--json", "-q").out)
    assert {loss["name"]: (loss["weight"], round(loss["raw"][-1], 6)) for loss in told["losses"]} == {
        "l_g_pix": (0.01, 0.1), "l_g_percep": (1.0, 2.0), "l_g_style": (0.5, 0.5), "l_g_gan": (0.005, 3.0),
    }  # fmt: skip
    assert (told["log"]["averaged"], told["total_iter"], told["events"]) == (False, 30_000, [])
    assert "A point is one step of 100, as BasicSR logs it" in " ".join(told["not_known"])
