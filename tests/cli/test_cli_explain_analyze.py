"""`autocal explain` and `autocal analyze-dataset`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from autocal_cli.calibration.model import PARAMETERS
from autocal_cli.check.checks import load_catalogue
from autocal_cli.dataset.curation import FIXED, load_policy
from autocal_cli.diagnose.verdict import FAULTS
from autocal_cli.report import console

CASES = Path(__file__).parent.parent / "cases"


CODES = ("preset.nano", "complexity-momentum", "length-rate", "batch-baseline")


def test_the_page_tells_each_value_with_the_few_steps_that_changed_it(autocal, config):
    config.write_text(config.read_text("utf-8").replace("40000", "8000"), "utf-8")
    ran = autocal("explain", config)
    text = ran.out.decode()
    assert ran.code == 0
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in text.splitlines() if line.startswith(PARAMETERS)}
    assert list(rows) == list(PARAMETERS)
    assert rows["baseline_iterations"] == ["25", "nano 50, 8,000 iterations"]
    assert rows["momentum"][1].startswith("nano 0.85, complexity 0.")
    assert not any(code in text for code in CODES)


def test_one_parameter_is_told_with_every_step(autocal, config):
    found = {name: autocal("explain", config, name).out.decode() for name in PARAMETERS}
    assert all(text.startswith(f"{name} = ") for name, text in found.items())
    assert all(any(code in text for text in found.values()) for code in CODES)
    assert "complexity-momentum" in found["momentum"]
    assert "complexity-momentum" not in found["max_weight"]
    told = json.loads(autocal("explain", config, "max_weight", "--json").out)
    assert list(told["parameters"]) == ["max_weight"]


@pytest.mark.parametrize("code", sorted({*FIXED, *(rule.reason for rule in load_policy().rules), "surplus"}))
def test_a_reason_is_told_with_what_it_means(autocal, code):
    ran = autocal("explain", code)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.decode().startswith(f"{code}: ")
    assert code not in {*load_catalogue(), *FAULTS}  # whose texts could not be told then
    assert json.loads(autocal("explain", code, "--json").out)["reason"] == code


@pytest.mark.parametrize("code", sorted({*FIXED, *(rule.reason for rule in load_policy().rules), "surplus"}))
def test_what_is_told_to_change_a_reason_can_be_done(autocal, code):
    told = autocal("explain", code).out.decode()
    changes = re.findall(r"--threshold (\S+=\w+)", told)
    load_policy(None, [change.replace("NUMBER", "1" if code == "small" else "0.5") for change in changes])
    measures = {rule.measure for rule in load_policy().rules if rule.reason == code}
    assert {change.partition("=")[0] for change in changes} <= {code, *measures}
    assert changes or "--choose" in told


def test_a_measured_reason_is_told_with_unit_bounds_and_source(autocal):
    text = " ".join(autocal("explain", "jpeg-blocks").out.decode().split())
    assert "Look at above 0.18, drop above 0.28: levels of 255" in text
    assert "Source: measured." in text


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("name", ["adversarial", "between_presets", "esrgan_arguments", "unknown_network"])
def test_everything_wraps_and_nothing_is_cut(autocal, name, columns, monkeypatch):
    monkeypatch.setattr(console, "PLAIN_WIDTH", columns)
    config = CASES / name / "train.yml"
    page = autocal("explain", config, "--no-dataset").out.decode()
    trails = (autocal("explain", config, name, "--no-dataset").out.decode() for name in ("momentum", "max_weight"))
    wide = [page, *trails]
    for text in wide:
        assert "\u2026" not in text
        assert max(len(line) for line in text.splitlines()) <= columns
    if columns == 80:
        assert len(page.splitlines()) <= 40
    monkeypatch.setattr(console, "PLAIN_WIDTH", 1000)
    whole = autocal("explain", config, "momentum", "--no-dataset").out.decode()
    assert " ".join(whole.split()) == " ".join(wide[1].split())


def test_a_terminal_gets_code_frames_in_one_line_each(autocal, config, monkeypatch):
    terminal = Console(width=40, force_terminal=True, color_system=None)
    monkeypatch.setattr("autocal_cli.report.check.console", lambda: terminal)
    text = config.read_text("utf-8").replace("lr: !!float 2e-4", f"lr: 2e-4, eps: 1.0e-8, no: a{80 * 'b'}")
    config.write_text(text, "utf-8")
    frames = [line for line in autocal("check", config).out.decode().splitlines() if re.match(r" +\d* \| ", line)]
    assert frames
    assert max(map(len, frames)) <= 40


@pytest.mark.parametrize("written", [["--write", "block"], ["--write", "native"]])
def test_a_resolved_config_is_explained_from_its_record_as_its_source_is(autocal, config, images, tmp_path, written):
    out = tmp_path / "resolved.yml"
    calibrated = json.loads(autocal("calibrate", config, "-o", out, "--json", *written).out)
    images.rename(tmp_path / "gone")  # a record needs no images
    told = json.loads(autocal("explain", out, "--json").out)
    same = ("parameters", "placement", "dataset", "dataset_info", "phases", "total_iter", "presets_version")
    assert {key: told[key] for key in same} == {key: calibrated[key] for key in same}
    assert told["findings"] == []


def test_a_sidecar_is_explained_as_its_config(autocal, config, images, tmp_path):
    block = "  dynamic_loss_scheduling:\n    enabled: true\n    auto_calibrate: true\n"
    config.write_text(config.read_text("utf-8").replace(block, ""), "utf-8")
    calibrated = json.loads(autocal("calibrate", config, "--in-place", "--json").out)
    images.rename(tmp_path / "gone")
    told = json.loads(autocal("explain", config, "--json").out)
    assert told["parameters"] == calibrated["parameters"]
    assert told["dataset"] == calibrated["dataset"] is not None


def test_what_is_asked_for_is_measured_anew(autocal, config, images, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out)
    assert json.loads(autocal("explain", out, "--json").out)["dataset"]["read"] == 3
    (images / "noise.png").unlink()
    assert json.loads(autocal("explain", out, "--json").out)["dataset"]["read"] == 3
    assert json.loads(autocal("explain", out, "--json", "--hr", images).out)["dataset"]["read"] == 2


@pytest.mark.parametrize("written", [["--write", "block"], ["--write", "native"]])
def test_explain_says_what_was_changed_by_hand_since(autocal, config, tmp_path, written):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out, *written)
    assert "edited-since" not in autocal("explain", out).err
    edited = out.read_text("utf-8").replace("\n    max_weight: 5.0 ", "\n    max_weight: 9.0 ", 1)
    assert edited != out.read_text("utf-8")
    out.write_text(edited, "utf-8")
    ran = autocal("explain", out, "--json")
    trail = json.loads(ran.out)["parameters"]["max_weight"]["trail"]
    assert [trail[-1][key] for key in ("code", "before", "after")] == ["manual", 5.0, 9.0]
    assert "edited-since" in ran.err


@pytest.mark.parametrize("code", ["value-unsupported", "edited-since", "automation-never-called"])
def test_a_code_is_explained(autocal, code):
    ran = autocal("explain", code)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.decode().startswith(f"{code} [")
    assert json.loads(autocal("explain", code, "--json").out)["rules"][0]["code"] == code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name a config, the code of a finding, or --presets."),
        (["adversarial-ceiling"], "adversarial-ceiling is a rule of calibration. See autocal explain --presets rules."),
        (["jpeg-block"], "There is no finding jpeg-block. Did you mean jpeg-blocks?"),
        (["discriminator-blnd"], "There is no finding discriminator-blnd. Did you mean discriminator-blind?"),
        (["value-unsuported"], "There is no finding value-unsuported. Did you mean value-unsupported?"),
        (["value-unsupported", "momentum"], "value-unsupported is no config, so it has no momentum."),
        (["none.yml"], "none.yml: There is no such file."),
        (["train.yml", "momentun"], "There is no parameter momentun."),
    ],
)
def test_what_cannot_be_explained_is_one_line(autocal, config, monkeypatch, arguments, said):
    monkeypatch.chdir(config.parent)
    ran = autocal("explain", *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, b"", 1)
    assert said in ran.err


def test_analyze_json_keeps_its_contract(autocal, images):
    ran = autocal("analyze-dataset", images, "--json")
    told = json.loads(ran.out)
    assert set(told) == {
        "format_version", "images", "roots", "skipped", "failures", "metrics", "overall_complexity", "overall_ci95",
        "identity", "metric_version", "device", "device_reason", "seconds", "crops", "sharpness", "histograms",
        "health", "variety", "model", "model_scores", "curation", "extremes", "findings",
    }  # fmt: skip
    assert told["images"] == {"found": 3, "read": 3, "skipped": 1, "failed": 0, "lq_failed": 0}
    assert set(told["metrics"]) == {"texture_variance", "edge_density", "color_variation"}
    for metric in told["metrics"].values():
        assert set(metric) == {"score", "ci95", "p5", "median", "p95", "raw_mean"}
        assert metric["ci95"][0] <= metric["score"] <= metric["ci95"][1]
    assert 0.0 <= told["overall_complexity"] <= 1.0


def test_analyze_goes_on_past_a_broken_file_and_names_it(autocal, images):
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ran = autocal("analyze-dataset", images)
    assert ran.code == 0
    text = ran.out.decode()
    assert "3 of 4 images read, 1 failed" in text
    assert "broken.png" in text
    told = json.loads(autocal("analyze-dataset", images, "--json").out)
    assert told["failures"][0]["path"].endswith("broken.png")


def test_the_numbers_do_not_depend_on_workers(autocal, images):
    results = [json.loads(autocal("analyze-dataset", images, "--json", "--workers", str(n)).out) for n in (1, 2, 4)]
    for result in results:
        del result["seconds"]
    assert results[0] == results[1] == results[2]


def test_analyze_tells_what_the_trainer_would_stumble_over(autocal, images):
    (images / ".DS_Store").write_bytes(b"x")
    ran = autocal("analyze-dataset", images)
    assert ran.code == 0
    assert "trainer-hidden-file" in ran.err
    assert "NotADirectoryError" in ran.err
    assert autocal("analyze-dataset", images, "--quiet").err == ""
    codes = [finding["code"] for finding in json.loads(autocal("analyze-dataset", images, "--json").out)["findings"]]
    assert codes == ["trainer-hidden-file", "trainer-not-an-image"]


def test_calibrate_tells_it_at_the_line_of_the_folder(autocal, config, images):
    (images / ".DS_Store").write_bytes(b"x")
    ran = autocal("calibrate", config)
    assert f"{config}:6:24: warning trainer-hidden-file: 1 hidden file (" in ran.err


def test_analyze_leaves_out_what_is_over_the_cap(autocal, images):
    ran = autocal("analyze-dataset", images, "--max-pixels", "100")
    assert ran.code == 2
    assert "too large: 128 x 96 is over the limit of 100 pixels (--max-pixels)" in ran.err
    Image.new("RGB", (200, 96)).save(images / "large.png")
    ran = autocal("analyze-dataset", images, "--max-pixels", 128 * 96)
    assert "3 of 4 images read, 0 failed, 1 left out for its size" in ran.out.decode()
    assert "1 to look at (25%): large.png" in ran.out.decode()
    assert autocal("analyze-dataset", images, "--max-pixels", "0").code == 2
