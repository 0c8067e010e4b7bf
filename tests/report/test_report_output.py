"""What a person and a program read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from autocal_cli.calibration.model import Parameter, Step
from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.errors import Finding, Place
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.report.calibration import (
    calibration_view,
    explanation_view,
    findings_view,
    number,
    outcome_view,
    trail,
)
from autocal_cli.report.comparison import unified_diff
from autocal_cli.report.console import one_line, show
from autocal_cli.report.json import calibration_json, dump, finding_json
from autocal_cli.workflow.calibrate import resolve

NANO = NetworkFingerprint("paragonsr2_nano", "paragonsr2", "nano", 2, 10_595, 26_822.0, "built-in", "0" * 64)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(5.0, "5"), (50, "50"), (1e-6, "1e-06"), (0.015, "0.015"), (0.87387, "0.87387"), (100000.0, "100000")],
)
def test_numbers_are_short(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", "plain"), ("a\nb\r", "a\\nb\\r"), ("\x1b[31mred", "\\x1b[31mred"), ("naïve 🧠", "naïve 🧠"), ("", "")],
)
def test_a_message_stays_on_its_line_and_drives_no_terminal(text, shown):
    assert one_line(text) == shown


def rendered(*views, width=100):
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        for view in views:
            console.print(view, markup=False, soft_wrap=isinstance(view, Text))
    return capture.get()


def calibration(block=""):
    text = f"scale: 2\nnetwork_g: {{type: paragonsr2_nano}}\ntrain:\n  total_iter: 40000\n{block}"
    document = parse_document(text.encode(), "train.yml")
    return resolve(document, read_training_config(document), NANO, None, load_presets(), {})[1]


BY_HAND = "  dynamic_loss_scheduling: {momentum: 0.8, max_weight: 5.0}\n"


def test_the_summary_shows_what_was_chosen_and_by_what():
    table = rendered(calibration_view(calibration(BY_HAND))).split("\n\n")[1]
    rows = {line.split()[0]: line.split() for line in table.splitlines()}
    assert rows["parameter"] == ["parameter", "preset", "value", "by"]
    assert rows["momentum"] == ["momentum", "0.85", "0.8", "manual,", "instead", "of", "0.85"]
    assert rows["max_weight"] == ["max_weight", "5", "5", "manual"]
    assert rows["adaptation_rate"] == ["adaptation_rate", "0.015", "0.015", "preset"]


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_nothing_is_cut_off_in_a_narrow_terminal(width):
    lines = rendered(calibration_view(calibration()), explanation_view(calibration()), width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    words = " ".join(" ".join(lines).split())
    assert "not measured: neutral, as ordinary photographs have it" in words


def test_one_parameter_can_be_explained_alone():
    text = rendered(explanation_view(calibration(), "max_weight"))
    assert "max_weight = 5" in text
    assert "momentum" not in text


def test_a_trail_shows_each_step_with_its_source_and_margin():
    steps = (
        Step("preset.nano", "guide", None, 0.85, "The preset itself."),
        Step("complexity-momentum", "chosen", 0.85, 0.87, "Complex. [not markup]", 0.00123),
    )
    text = rendered(trail(Parameter(0.87, steps)))
    assert "complexity-momentum    0.85  0.87 +-0.0012  Complex. [not markup] [chosen]" in text


def test_a_finding_is_one_line_however_long():
    finding = Finding("a-code", "warning", "What\nis wrong. " * 30, "Do [this].", Place("a\nb.yml", 3, 7))
    (line,) = rendered(*findings_view([finding])).splitlines()
    assert line.startswith("a\\nb.yml:3:7: warning a-code: What\\nis wrong.")
    assert line.endswith("Do [this].")


@pytest.mark.parametrize(
    ("target", "changed", "dry_run", "said"),
    [
        (None, True, False, "train.yml: the block is resolved."),
        (None, False, False, "train.yml: nothing to change."),
        ("train.yml", True, False, "train.yml: the block is resolved."),
        ("out.yml", True, False, "train.yml: the block is resolved, written to out.yml."),
        ("out.yml", False, False, "train.yml: nothing to change, written to out.yml."),
        ("out.yml", True, True, "train.yml: the block is resolved (dry run: nothing was written)."),
    ],
)
def test_the_last_line_says_what_became_of_the_config(target, changed, dry_run, said):
    assert outcome_view(Path("train.yml"), target and Path(target), changed, dry_run).plain == said


def test_no_line_ends_in_blanks(capsys):
    show(calibration_view(calibration()), stderr=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line == line.rstrip() for line in lines)


# --- JSON ------------------------------------------------------------------------------------------------------------

STEP = {"code": str, "source": str, "before": (int, float, type(None)), "after": (int, float), "reason": str}
FINDING = {
    "code": str,
    "severity": str,
    "path": (str, type(None)),
    "line": (int, type(None)),
    "column": (int, type(None)),
    "message": str,
    "fix": (str, type(None)),
}
NETWORK = {
    "type": str, "variant": str, "parameters": int, "macs_per_pixel": float, "match": str,
    "builder": (str, type(None)), "asked_before": list,
    "axis": list, "position": float, "macs_span": list, "discriminator": type(None),
}  # fmt: skip


def has_shape(found, shape):
    assert list(found) == list(shape)
    assert all(isinstance(found[key], kind) for key, kind in shape.items())


def test_the_json_of_a_calibration_is_the_contract():
    finding = Finding("a-code", "info", "What.", None, Place("train.yml", 3))
    told = json.loads(dump(calibration_json(calibration(BY_HAND), [finding])))
    assert list(told) == ["format_version", "network", "dataset", "probe", "parameters", "findings"]
    assert (told["format_version"], told["dataset"], told["probe"]) == (1, None, None)
    has_shape(told["network"], NETWORK)
    assert len(told["parameters"]) == 6
    for parameter in told["parameters"].values():
        assert list(parameter) == ["value", "trail"]
        for step in parameter["trail"]:
            has_shape(step, STEP)
    has_shape(told["findings"][0], FINDING)
    assert told["findings"][0] == {**finding_json(finding), "line": 3, "column": None}


def test_json_that_no_reader_takes_is_not_written():
    with pytest.raises(ValueError, match="JSON"):
        dump({"value": float("nan")})


# --- differences ------------------------------------------------------------------------------------------------------


def test_equal_texts_have_no_difference():
    assert unified_diff(b"a: 1\n", b"a: 1\n", "a", "b") == ""


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("a: 1\nb: 2\n", "a: 1\nb: 3\n", ["-b: 2\n", "+b: 3\n"]),
        ("a: 1\r\nb: 2\r\n", "a: 1\r\nb: 3\r\n", ["-b: 2\r\n", "+b: 3\r\n"]),
        ("a: 'x\u2028y\x0cz'\nb: 2\n", "a: 'x\u2028y\x0cz'\nb: 3\n", ["-b: 2\n", "+b: 3\n"]),
        ("b: 2", "b: 2\nc: 3", ["-b: 2\n", "\\ No newline at end of file\n", "+b: 2\n", "+c: 3\n", "\\ No newline"]),
    ],
)
def test_differences_are_told_line_by_line(before, after, changed):
    text = unified_diff(before.encode(), after.encode(), "old.yml", "new.yml")
    assert text.startswith("--- old.yml\n+++ new.yml\n@@")
    assert "".join(changed) in text
    assert text.endswith("\n")
