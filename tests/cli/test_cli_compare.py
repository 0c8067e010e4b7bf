"""`autocal diff`, `autocal explain --presets` and `autocal schema`; what they print stands in tests/answers/.

After a wanted change: AUTOCAL_REGENERATE=1 pytest tests/cli/test_cli_compare.py, then read the difference.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from autocal_cli.report import console

ANSWERS = Path(__file__).parent.parent / "answers"
CASES = Path(__file__).parent.parent / "cases"


def approved(name: str, found: bytes) -> None:
    path = ANSWERS / name
    if os.environ.get("AUTOCAL_REGENERATE"):
        path.write_bytes(found)
    assert found.decode("utf-8") == path.read_bytes().decode("utf-8")


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Copies two configs of the cases to a.yml and b.yml, where the test then stands."""

    def copy(a: str, b: str) -> None:
        shutil.copy(CASES / a, tmp_path / "a.yml")
        shutil.copy(CASES / b, tmp_path / "b.yml")
        monkeypatch.chdir(tmp_path)

    return copy


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("diff_networks.txt", "automatic/resolved.yml", "between_presets/resolved.yml"),
        ("diff_by_hand.txt", "automatic/train.yml", "manual_mode/train.yml"),
        ("diff_losses.txt", "adversarial/resolved.yml", "unknown_network/train.yml"),
        ("diff_overrides.txt", "by_hand/resolved.yml", "override/resolved.yml"),
    ],
)
def test_the_difference_is_as_it_was_approved(autocal, two, name, a, b):
    two(a, b)
    ran = autocal("diff", "a.yml", "b.yml")
    assert ran.code == 0
    approved(name, ran.out + b"--- findings\n" + ran.err.encode())


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_word_is_broken_in_a_narrow_terminal(autocal, two, monkeypatch, width):
    two("automatic/resolved.yml", "between_presets/resolved.yml")
    whole = autocal("diff", "a.yml", "b.yml").out.decode()
    monkeypatch.setattr("autocal_cli.report.console.PLAIN_WIDTH", width)
    shown = autocal("diff", "a.yml", "b.yml").out.decode()
    assert max(map(len, shown.splitlines())) <= width
    assert shown.split() == whole.split()


@pytest.mark.parametrize("case", ["adversarial", "automatic", "between_presets", "by_hand", "flow_block", "override"])
def test_a_config_does_not_differ_from_what_is_resolved_of_it(autocal, two, case):
    """A value by hand stays by hand in the resolved config, and has the same trail."""
    two(f"{case}/train.yml", f"{case}/resolved.yml")
    ran = autocal("diff", "a.yml", "b.yml", "--exit-code")
    assert (ran.code, ran.out.decode().splitlines()[-1]) == (0, "No difference.")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 0),
        (["--exit-code"], 1),
        (["--exit-code", "--json"], 1),
        (["--exit-code", "--parameter", "momentum"], 1),
        (["--exit-code", "--parameter", "min_weight"], 0),
        (["--exit-code", "--parameter", "min_weight", "--all"], 0),
        (["--parameter", "momentun"], 2),
    ],
)
def test_exit_codes(autocal, two, options, code):
    two("automatic/resolved.yml", "between_presets/resolved.yml")
    assert autocal("diff", "a.yml", "b.yml", *options).code == code


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "There is no such file."),
        ("", "should be a mapping"),
        ("a: [1", "This is not valid YAML"),
        ("scale: 2\n", "There is no `train` mapping"),
        ("train:\n  dynamic_loss_scheduling: {momentum: 9}\n", "`momentum` should be a number"),
        ("train:\n  dynamic_loss_scheduling:\n    calibration: {made: {record: 3}}\n", "record is damaged"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_what_cannot_be_read_is_told(autocal, two, tmp_path, text, message, first):
    two("automatic/train.yml", "automatic/train.yml")
    (tmp_path / "b.yml").unlink() if text is None else (tmp_path / "b.yml").write_text(text, encoding="utf-8")
    ran = autocal("diff", *(("b.yml", "a.yml") if first else ("a.yml", "b.yml")))
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.startswith("autocal: b.yml")
    assert message in ran.err


def test_all_shows_also_what_is_the_same(autocal, two):
    two("automatic/resolved.yml", "override/resolved.yml")
    some, every = (json.loads(autocal("diff", "a.yml", "b.yml", "--json", *more).out) for more in ([], ["--all"]))
    assert [(one["section"], one["name"]) for one in some["values"]] == [
        ("parameters", "momentum"),
        ("block", "custom_param"),
    ]
    assert len(every["values"]) > 20
    assert [one for one in every["values"] if one["differs"]] == some["values"]


def test_json_keeps_its_contract(autocal, two):
    two("automatic/train.yml", "manual_mode/train.yml")
    told = json.loads(autocal("diff", "a.yml", "b.yml", "--json", "--parameter", "max_weight").out)
    assert set(told) == {"format_version", "a", "b", "differs", "values", "findings"}
    assert told["a"] == {"path": "a.yml", "origin": "calibrated", "images_measured": False}
    assert told["b"] == {"path": "b.yml", "origin": "by hand", "images_measured": False}
    (value,) = told["values"]
    assert {key: value[key] for key in ("section", "name", "a", "b", "differs")} == {
        "section": "parameters", "name": "max_weight", "a": 5.0, "b": 100.0, "differs": True,
    }  # fmt: skip
    assert [(pair["a"] and pair["a"]["code"], pair["b"] and pair["b"]["code"]) for pair in value["steps"]] == [
        ("preset.nano", None),
        (None, "manual"),
    ]
    assert [finding["code"] for finding in told["findings"]] == ["images-not-read"]


def test_images_are_read_only_where_it_is_asked(autocal, config, tmp_path):
    resolved = tmp_path / "resolved.yml"
    autocal("calibrate", config, "-o", resolved)
    unread = autocal("diff", config, resolved)
    assert "images-not-read" in unread.err
    assert "complexity-momentum" in unread.out.decode()
    scanned = autocal("diff", config, resolved, "--scan", "--exit-code")
    assert "images-not-read" not in scanned.err
    assert (scanned.code, scanned.out.decode().splitlines()[-1]) == (0, "No difference.")


def test_a_resolved_config_edited_since_says_so_and_the_edit_is_by_hand(autocal, two, tmp_path):
    two("automatic/resolved.yml", "automatic/resolved.yml")
    text = (tmp_path / "b.yml").read_text("utf-8")
    (tmp_path / "b.yml").write_text(text.replace("\n    max_weight: 5.0 ", "\n    max_weight: 9.0 ", 1), "utf-8")
    ran = autocal("diff", "a.yml", "b.yml")
    assert "edited-since" in ran.err
    assert "Set by hand, and what is written by hand wins over everything." in " ".join(ran.out.decode().split())


ODD = """\
train:
  total_iter: 40000
  losses: [{type: "l1\\e[31m", loss_weight: .inf}, {type: l1, loss_weight: .nan}]
  dynamic_loss_scheduling:
    auto_calibrate: true
    "odd\\e[31m key": .nan
    list: [.inf, -.inf, .nan, [true, ~, {a: .nan}]]
    huge: %s
    "": {}
    kinds: {1: 2}
"""


def test_odd_values_are_shown_and_equal_themselves(autocal, two, tmp_path):
    two("automatic/train.yml", "automatic/train.yml")
    (tmp_path / "b.yml").write_text(ODD % ("9" * 6000), encoding="utf-8")
    ran = autocal("diff", "a.yml", "b.yml")
    assert ran.code == 0
    assert b"\x1b" not in ran.out
    values = {one["name"]: one["b"] for one in json.loads(autocal("diff", "a.yml", "b.yml", "--json").out)["values"]}
    assert (values["odd\x1b[31m key"], values["l1"], values["l1\x1b[31m"]) == ("nan", "nan", "inf")
    same = autocal("diff", "b.yml", "b.yml", "--exit-code", "--json")
    assert (same.code, json.loads(same.out)["values"]) == (0, [])


def test_nothing_is_written(autocal, two, tmp_path):
    two("automatic/train.yml", "override/train.yml")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    autocal("diff", "a.yml", "b.yml", "--all")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("presets.txt", []),
        ("presets_nano.txt", ["nano"]),
        ("presets_rules.txt", ["rules"]),
        ("presets_budgets.txt", ["budgets"]),
        ("presets_all.txt", ["all"]),
    ],
)
def test_the_presets_are_as_they_were_approved(autocal, name, options):
    ran = autocal("explain", "--presets", *options)
    assert ran.code == 0
    approved(name, ran.out)


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("name", ["", "nano", "rules", "bounds", "phases", "budgets", "stability"])
def test_a_page_of_presets_breaks_no_word(autocal, name, columns, monkeypatch):
    whole, narrow = (
        monkeypatch.setattr(console, "PLAIN_WIDTH", width) or autocal("explain", "--presets", *filter(None, [name])).out
        for width in (400, columns)
    )
    lines = narrow.decode().splitlines()
    assert max(map(len, lines)) <= columns
    assert sorted(narrow.split()) == sorted(whole.split())


@pytest.mark.parametrize("name", ["nano", "NANO", "paragonsr2_nano"])
def test_one_preset_by_its_name(autocal, name):
    told = json.loads(autocal("explain", "--presets", name, "--json").out)
    (found,) = told["presets"]
    assert (found["values"]["momentum"], told["sources"]["momentum"]) == (0.85, "guide")
    assert found["parameters"]["2"] == 10_595


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("nanno", "Did you mean nano?"),
        ("paragonsr2_mikro", "Did you mean paragonsr2_micro?"),
        ("zzz", "Presets: nano,"),
    ],
)
def test_an_unknown_preset_is_told(autocal, name, fix):
    ran = autocal("explain", "--presets", name)
    assert (ran.code, ran.out) == (2, b"")
    assert f"There is no preset {name}. {fix}" in ran.err


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ([], {"presets", "fallback", "sources"}),
        (["rules"], {"rules"}),
        (["nano"], {"presets", "fallback", "sources"}),
        (["all"], {"presets", "fallback", "sources", "rules", "bounds", "phases", "budgets", "stability"}),
    ],
)
def test_presets_as_json(autocal, options, parts):
    told = json.loads(autocal("explain", "--presets", *options, "--json").out)
    assert set(told) == {"format_version", "version", *parts}


def test_every_number_has_a_source(autocal):
    told = json.loads(autocal("explain", "--presets", "all", "--json").out)
    rows = [*told["rules"], *told["phases"], *told["budgets"].values(), *told["stability"].values(), told["bounds"]]
    assert len(rows) > 20
    assert all(row["source"] for row in rows)
    names = {name for preset in told["presets"] for name in preset["values"]}
    assert all(told["sources"][name] for name in (*names, "fallback"))


def test_the_schema_is_as_it_was_approved(autocal):
    ran = autocal("schema")
    assert ran.code == 0
    approved("schema.json", ran.out)


@pytest.mark.parametrize("options", [[], ["--config"], ["--strict"], ["--config", "--strict"]])
def test_the_schema_is_one_and_goes_where_it_is_asked(autocal, tmp_path, options):
    out = tmp_path / "schema.json"
    assert autocal("schema", *options, "-o", out).out == b""
    schema = json.loads(out.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    assert out.read_bytes() == autocal("schema", *options).out == autocal("schema", *options, "-o", "-").out
    assert autocal("schema", "-o", out).code == 0  # its own file is replaced


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"mine", b"\xff", b"[" * 100_000])
def test_the_schema_replaces_no_file_of_others(autocal, tmp_path, content):
    out = tmp_path / "schema.json"
    out.write_bytes(content)
    ran = autocal("schema", "-o", out)
    assert (ran.code, out.read_bytes()) == (2, content)
    assert "autocal did not write it" in ran.err
    assert autocal("schema", "-o", out, "--force").code == 0
    assert json.loads(out.read_text("utf-8"))["title"] == "dynamic_loss_scheduling"


def test_the_schema_goes_to_no_folder(autocal, tmp_path):
    assert autocal("schema", "-o", tmp_path).code == 2
    assert autocal("schema", "-o", tmp_path / "none" / "schema.json").code == 2


def test_a_block_written_for_the_forks_scheduler_has_the_values_that_stand_in_it(autocal, config, tmp_path):
    native, resolved = tmp_path / "native.yml", tmp_path / "resolved.yml"
    assert autocal("calibrate", config, "--write", "native", "-o", native).code == 0
    assert autocal("calibrate", config, "--write", "block", "-o", resolved).code == 0
    told = json.loads(autocal("diff", native, resolved, "--json", "--all").out)
    assert (told["a"]["origin"], told["b"]["origin"]) == ("record", "record")
    parameters = {one["name"]: one for one in told["values"] if one["section"] == "parameters"}
    assert parameters["momentum"]["a"] == parameters["momentum"]["b"] != 0.85
    assert not any(one["differs"] for one in parameters.values())
