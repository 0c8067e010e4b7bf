"""`autocal explain` and `autocal analyze-dataset`."""

from __future__ import annotations

import json


def test_explain_tells_every_step(autocal, config):
    ran = autocal("explain", config)
    text = ran.out.decode()
    assert ran.code == 0
    assert all(code in text for code in ("preset.nano", "complexity-momentum", "length-rate", "batch-baseline"))
    assert "momentum = 0.8" in text


def test_explain_of_a_resolved_config_equals_that_of_its_source(autocal, config, images, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out)
    images.rename(tmp_path / "gone")  # a record needs no images
    told = json.loads(autocal("explain", out, "--json").out)
    calibrated = json.loads(autocal("calibrate", config, "--hr", tmp_path / "gone", "--json").out)
    assert told["parameters"] == calibrated["parameters"]
    assert told["network"] == calibrated["network"]
    assert told["dataset"]["metrics"].keys() == calibrated["dataset"]["metrics"].keys()


def test_explain_of_one_parameter(autocal, config):
    told = json.loads(autocal("explain", config, "--parameter", "max_weight", "--json").out)
    assert list(told["parameters"]) == ["max_weight"]
    assert b"momentum =" not in autocal("explain", config, "--parameter", "max_weight").out


def test_explain_of_a_resolved_config_says_that_it_measures_nothing(autocal, config, images, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out)
    assert "told-from-record" in autocal("explain", out, "--hr", images).err
    assert "told-from-record" not in autocal("explain", out).err


def test_explain_says_what_was_changed_by_hand_since(autocal, config, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", out)
    out.write_text(out.read_text("utf-8").replace("\n    max_weight: 5.0\n", "\n    max_weight: 9.0\n", 1), "utf-8")
    ran = autocal("explain", out, "--json")
    trail = json.loads(ran.out)["parameters"]["max_weight"]["trail"]
    assert [trail[-1][key] for key in ("code", "before", "after")] == ["manual", 5.0, 9.0]


def test_analyze_json_keeps_its_contract(autocal, images):
    ran = autocal("analyze-dataset", images, "--json")
    told = json.loads(ran.out)
    assert set(told) == {
        "format_version", "images", "roots", "skipped", "failures", "metrics", "overall_complexity", "overall_ci95",
        "identity", "metric_version", "device", "device_reason", "seconds", "crops", "sharpness", "histograms",
        "health", "curation", "extremes", "findings",
    }  # fmt: skip
    assert told["images"] == {"found": 3, "read": 3, "skipped": 1, "failed": 0}
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
    ran = autocal("calibrate", config, "--dry-run")
    assert f"{config}:6:24: warning trainer-hidden-file: 1 hidden file (" in ran.err


def test_analyze_leaves_out_what_is_over_the_cap(autocal, images):
    ran = autocal("analyze-dataset", images, "--max-pixels", "100")
    assert ran.code == 2
    assert "too large: 128 x 96 is over the limit of 100 pixels" in ran.err
    assert autocal("analyze-dataset", images, "--max-pixels", "0").code == 2
