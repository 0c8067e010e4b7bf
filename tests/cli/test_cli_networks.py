"""`autocal networks`, and the options that name where a network comes from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from autocal_cli.report import console
from autocal_cli.workflow.networks import matches

TRAINER = Path(__file__).parents[1] / "trainer"


def test_networks_lists_what_matches(autocal):
    ran = autocal("networks", "paragonsr2_nano", "--scale", "2", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    builder, header, row = ran.out.decode().splitlines()
    assert (builder, header.split()[-1]) == ("by built-in", "network")
    assert row.split() == ["10,595", "26,822", "paragonsr2_nano"]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_networks_are_whole_lines_at_any_width(autocal, columns, monkeypatch):
    monkeypatch.setattr(console, "PLAIN_WIDTH", columns)
    told = autocal("networks", "span", "-q").out.decode()
    assert "\u2026" not in told
    assert re.search(r"^ *2,228,507 +1,834,137 +spanplus$", told, re.MULTILINE)


def test_networks_as_json(autocal):
    ran = autocal("networks", "PARAGONSR2_N*", "--json", "-q")
    told = json.loads(ran.out)
    assert (told["scale"], [network["type"] for network in told["networks"]]) == (4, ["paragonsr2_nano"])
    assert told["networks"][0]["parameters"] == 26_291


@pytest.mark.parametrize(
    ("pattern", "fix"),
    [
        ("paragonsr2_nanoo", "Did you mean paragonsr2_nano?"),
        ("zzz", "autocal networks lists all; --trainer DIR adds"),
    ],
)
def test_a_pattern_that_nothing_matches(autocal, pattern, fix):
    ran = autocal("networks", pattern)
    assert (ran.code, ran.out) == (2, b"")
    assert f"networks that can be built here matches {pattern}." in ran.err
    assert fix in ran.err


@pytest.mark.parametrize(
    ("name", "pattern", "meant"),
    [("span", None, True), ("span_s", "SPAN", True), ("span_s", "span?s", True), ("span_s", "span", True),
     ("span_s", "span*", True), ("temporalspan", "span*", False), ("span_s", "[st]*_s", True), ("dat", "data", False)],
)  # fmt: skip
def test_patterns(name, pattern, meant):
    assert matches(name, pattern) is meant


def test_networks_of_a_trainer(autocal):
    ran = autocal("networks", "plain_*", "--trainer", TRAINER)
    assert ran.code == 0
    lines = ran.out.decode().splitlines()
    assert [line.split()[-1] for line in lines[2:5]] == ["plain_passes_on", "plain_swallows", "plain_without_scale"]
    assert lines[5].startswith("plain_needs_dim: ")  # last: it could not be built
    assert "missing 1 required positional argument: 'dim'" in lines[-1]
    assert "as the package a_package_that_nobody_has is not installed" in ran.err


def test_a_folder_that_is_no_trainer(autocal, config, tmp_path):
    for command in ("networks",), ("calibrate", config), ("explain", config), ("check", config):
        ran = autocal(*command, "--trainer", tmp_path)
        assert (ran.code, ran.out) == (2, b"")
        assert "is no checkout of a trainer known here (traiNNer-redux, neosr, BasicSR, Real-ESRGAN and" in ran.err


def test_calibrate_measures_with_the_trainer_and_explain_tells_it(autocal, config_alone, tmp_path):
    text = config_alone.read_text(encoding="utf-8").replace("type: paragonsr2_nano", "type: Plain\n  dims: 8")
    config_alone.write_text(text, encoding="utf-8")
    target = tmp_path / "resolved.yml"
    ran = autocal("calibrate", config_alone, "--no-dataset", "--trainer", TRAINER, "-o", target)
    assert ran.code == 1  # the trainer would refuse the argument
    assert "train.yml:5:3: error network-argument-unknown: the network Plain of traiNNer-redux (--trainer)" in ran.err
    assert "Did you mean 'dim'?" in ran.err
    explained = autocal("explain", target, "-q").out.decode()
    assert "Plain, 2,188 parameters, 2,160 MACs per pixel at x2" in explained
    assert "measured by traiNNer-redux (--trainer)" in explained
    network = json.loads(autocal("explain", target, "--json", "-q").out)["network"]
    assert (network["builder"], network["passed"]) == ("traiNNer-redux (--trainer)", [])


def test_check_measures_with_the_trainer(autocal, config_alone):
    text = config_alone.read_text(encoding="utf-8").replace("type: paragonsr2_nano", "type: Plain\n  dims: 8")
    config_alone.write_text(text, encoding="utf-8")
    alone = autocal("check", config_alone, "--no-dataset", "--format", "github").out.decode()
    assert "title=network-" not in alone, "what depends on how autocal is installed is no finding on the config"
    ran = autocal("check", config_alone, "--no-dataset", "--trainer", TRAINER, "--format", "github").out.decode()
    assert ("title=network-unknown" in ran, "title=network-argument-unknown" in ran) == (False, True)
    refused = autocal("check", config_alone, "--no-network", "--trainer", TRAINER)
    assert (refused.code, "--trainer and --no-network cannot be used together" in refused.err) == (2, True)


def test_weights_serve_where_nothing_builds_the_network(autocal, config_alone, tmp_path):
    text = config_alone.read_text(encoding="utf-8").replace("type: paragonsr2_nano", "type: nobody_knows")
    torch.save({"params": {"conv.weight": torch.ones(500, 400)}}, tmp_path / "net.pth")
    config_alone.write_text(text, encoding="utf-8")
    named = autocal("explain", config_alone, "--no-dataset", "--json", "-q", "--weights", tmp_path / "net.pth")
    network = json.loads(named.out)["network"]
    assert (network["parameters"], network["macs_per_pixel"], network["builder"]) == (200_000, None, "checkpoint")
    assert [who["builder"] for who in network["passed"]][:1] == ["built-in"]
    config_alone.write_text(text + "path:\n  pretrain_network_g: net.pth\n", encoding="utf-8")
    assert json.loads(autocal("explain", config_alone, "--no-dataset", "--json", "-q").out)["network"] == network
    gone = autocal("explain", config_alone, "--no-dataset", "--weights", tmp_path / "gone.pth")
    assert gone.code == 2
    assert "There is no such checkpoint." in gone.err
