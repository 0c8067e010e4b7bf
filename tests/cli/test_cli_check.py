"""`autocal check` and `autocal explain CODE` as a user has them.

Golden files: tests/cases_check/<name>/train.yml with check.txt beside it. After a wanted change:
AUTOCAL_REGENERATE=1 pytest tests/cli/test_cli_check.py, then read the difference.
"""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from autocal_cli.check.checks import load_catalogue
from autocal_cli.diagnose.verdict import FAULTS
from autocal_cli.report.check import rule_text
from autocal_cli.workflow import check as check_files

CASES = Path(__file__).parent.parent / "cases_check"
RESOLVED = Path(__file__).parent.parent / "cases"
NAMES = sorted(path.name for path in CASES.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_the_report_is_as_it_was_approved(name: str, autocal, monkeypatch) -> None:
    monkeypatch.chdir(CASES / name)
    ran = autocal("check", "train.yml")
    found = ran.out + b"--- standard error\n" + ran.err.encode() + f"--- exit code {ran.code}\n".encode()
    path = CASES / name / "check.txt"
    if os.environ.get("AUTOCAL_REGENERATE"):
        path.write_bytes(found)
    assert found.decode("utf-8") == path.read_bytes().decode("utf-8")


def test_the_guides_wrong_block_has_four_findings(autocal) -> None:
    ran = autocal("check", CASES / "before_nano" / "train.yml", "--json")
    (file,) = json.loads(ran.out)["files"]
    found = [finding for finding in file["findings"] if finding["severity"] != "info"]
    assert [finding["code"] for finding in found] == ["value-unsupported"] * 4
    assert [finding["line"] for finding in found] == [11, 12, 13, 14]
    assert ran.code == 1


@pytest.mark.parametrize("name", sorted(path.name for path in RESOLVED.iterdir()))
def test_a_resolved_config_has_no_mistake_in_its_block(name: str, autocal, tmp_path: Path) -> None:
    """A case is checked as it is written: the config, or its copy with the sidecar beside it."""
    config, text = tmp_path / "train.yml", (RESOLVED / name / "resolved.yml").read_text("utf-8")
    if "\ntrain:\n" in text:
        config.write_text(text, encoding="utf-8")
    else:
        config.write_bytes((RESOLVED / name / "train.yml").read_bytes())
        (tmp_path / "train.autocal.yml").write_text(text, encoding="utf-8")
    ran = autocal("check", config, "--json", "--select", "block,values,numbers,run")
    files = json.loads(ran.out)["files"]
    assert [file["error"] for file in files] == [None] * len(files)
    found = {finding["code"] for file in files for finding in file["findings"] if finding["severity"] != "info"}
    # manual_mode is no resolved config: calibrate leaves a block that is wholly the user's as it is.
    assert found == ({"value-unsupported"} if name == "manual_mode" else set())


SAMPLES = Path(__file__).parents[2] / "sample_configs"
# What the comments of the samples call wrong on purpose.
ON_PURPOSE = {
    "automatic.yml": set(),
    "by_hand.yml": {"value-unsupported"},
    "complete.yml": {"network-argument-unknown", "gan-without-pretrain"},
    "manual_mode.yml": {"value-unsupported"},
    "override.yml": set(),
}


def test_a_sample_config_has_no_mistake_but_those_on_purpose(autocal) -> None:
    files = json.loads(autocal("check", SAMPLES, "--json").out)["files"]
    found = {Path(file["path"]).name: [one for one in file["findings"] if one["severity"] != "info"] for file in files}
    assert {name: {one["code"] for one in told} for name, told in found.items()} == ON_PURPOSE
    assert not [one for told in found.values() for one in told if one["severity"] == "error"]


CLEAN = (CASES / "clean" / "train.yml").read_text("utf-8")
WRONG = CLEAN.replace("0.1}", "1e-1}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two training configs, one of them wrong, a config without `train`, and a file that is no YAML."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "clean.yml").write_text(CLEAN, encoding="utf-8")
    (tmp_path / "deep" / "wrong.yaml").write_text(WRONG, encoding="utf-8")
    (tmp_path / "test.yml").write_text("scale: 2\n", encoding="utf-8")
    (tmp_path / "odd.yml").write_text("a: [1\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("train: 1", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_a_folder_is_searched_and_what_is_no_training_config_is_counted(autocal) -> None:
    ran = autocal("check", ".")
    assert ran.code == 1
    assert ran.out.decode().startswith(f"{Path('deep/wrong.yaml')}:13:36: number-as-text [error] ")
    assert ran.err == "2 configs checked: 1 error; 2 other files passed over.\n"


def test_one_config_that_cannot_be_read_keeps_no_other_from_being_checked(folder: Path, autocal) -> None:
    (folder / "broken.yml").write_text("train: [1\n", encoding="utf-8")
    ran = autocal("check", ".", "missing.yml")
    assert ran.code == 2
    assert b"number-as-text" in ran.out
    assert "cannot read: broken.yml:2:1: This is not valid YAML" in ran.err
    assert "cannot read: missing.yml: There is no such file." in ran.err
    assert "2 configs checked: 1 error; 2 could not be read; 2 other files passed over." in ran.err


@pytest.mark.usefixtures("folder")
def test_a_named_file_must_be_a_training_config(autocal) -> None:
    ran = autocal("check", "test.yml")
    assert (ran.code, "no `train` mapping" in ran.err) == (2, True)


@pytest.mark.usefixtures("folder")
def test_a_clean_config_says_so(autocal) -> None:
    ran = autocal("check", "clean.yml")
    assert (ran.code, ran.out, ran.err) == (0, b"", "1 config checked: nothing found.\n")
    assert autocal("check", "clean.yml", "--quiet").err == ""


@pytest.mark.usefixtures("folder")
def test_notices_alone_are_clean(autocal) -> None:
    Path("own.yml").write_text(CLEAN + "    custom_param: 1\n", encoding="utf-8")
    ran = autocal("check", "own.yml")
    assert (ran.code, b"unknown-key [info]" in ran.out) == (0, True)


def test_standard_input(autocal, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WRONG.encode()), encoding="utf-8"))
    ran = autocal("check", "-", "--format", "github")
    assert ran.code == 1
    assert ran.out.decode().startswith("::error file=<stdin>,line=13,col=36,title=number-as-text::`loss_weight: 1e-1` ")


@pytest.mark.usefixtures("folder")
def test_what_github_gets_is_escaped(autocal) -> None:
    odd = "a,b:100%.yml" if os.name != "nt" else "a,b100%.yml"
    Path(odd).write_text(WRONG, encoding="utf-8")
    line = autocal("check", odd, "--format", "github").out.decode()
    escaped = odd.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    assert line.startswith(f"::error file={escaped},line=13,")
    assert line.count("\n") == 1


@pytest.mark.usefixtures("folder")
def test_select_and_ignore(autocal) -> None:
    assert autocal("check", "deep", "--ignore", "numbers").code == 0
    assert autocal("check", "deep", "--select", "values").code == 0
    assert autocal("check", "deep", "--select", "number-*").code == 1
    ran = autocal("check", "deep", "--ignore", "number-as-txt")
    assert (ran.code, "Did you mean number-as-text?" in ran.err) == (2, True)


def test_diff_shows_and_writes_nothing_fix_writes(folder: Path, autocal) -> None:
    path = folder / "deep" / "wrong.yaml"
    ran = autocal("check", path, "--diff")
    assert ran.code == 1
    assert b"-    - {type: ganloss, loss_weight: 1e-1}\n+    - {type: ganloss, loss_weight: 1.0e-01}" in ran.out
    assert path.read_text("utf-8") == WRONG
    ran = autocal("check", path, "--fix")
    assert ran.code == 0
    assert "1 mended" in ran.err
    assert path.read_text("utf-8") == WRONG.replace("1e-1}", "1.0e-01}")
    assert autocal("check", path, "--diff").out == b""


def test_a_diff_that_is_empty_says_why(folder: Path, autocal) -> None:
    path = folder / "clean.yml"
    assert autocal("check", path, "--fix", "--diff").err == "1 config checked: nothing found.\n"
    path.write_text(CLEAN.replace("scale: 2", ""), encoding="utf-8")
    ran = autocal("check", path, "--fix", "--diff")
    assert (ran.code, ran.out) == (1, b"")
    remain = f"{len(json.loads(autocal('check', path, '--json').out)['files'][0]['findings'])} findings remain"
    assert ran.err == f"autocal: Nothing here can be mended without doubt; {remain} (run without --diff to see them).\n"
    assert autocal("check", path, "--diff", "--quiet").err == ""
    wrong = autocal("check", folder / "deep" / "wrong.yaml", "--diff")
    assert (wrong.code, wrong.err) == (1, "")
    unread = autocal("check", "missing.yml", "--diff")
    assert (unread.code, "cannot read: missing.yml: There is no such file." in unread.err) == (2, True)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("select", "code"), [("number-as-text", 1), ("option-missing", 1), ("unknown-key", 0), ("loss-twice", 0)]
)
def test_errors_and_warnings_exit_with_1_and_notices_with_0(select: str, code: int, autocal) -> None:
    Path("all.yml").write_text(WRONG.replace("scale: 2", "") + "    custom_param: 1\n", encoding="utf-8")
    assert autocal("check", "all.yml", "--select", select).code == code


def test_standard_input_is_not_mended(autocal) -> None:
    assert autocal("check", "-", "--fix").code == 2


@pytest.mark.usefixtures("folder")
def test_a_trainer_that_refuses_the_block(autocal) -> None:
    ran = autocal("check", "clean.yml", "--trainer-kind", "traiNNer-redux")
    assert (ran.code, b"block-rejected [info]" in ran.out) == (0, True)
    assert autocal("check", "clean.yml", "--trainer-kind", "nonesuch").code == 2


@pytest.mark.usefixtures("folder")
def test_json_names_the_error_of_a_file(autocal) -> None:
    ran = autocal("check", "test.yml", "deep", "--json")
    data = json.loads(ran.out)
    assert (ran.code, data["exit_code"]) == (2, 2)
    assert [file["error"] is None for file in data["files"]] == [False, True]
    assert data["files"][1]["findings"][0]["why"]


@pytest.mark.parametrize("code", sorted(load_catalogue()))
def test_every_rule_can_be_read(code: str) -> None:
    assert rule_text(load_catalogue()[code]).startswith(f"{code} [")


def test_rules_are_listed(autocal) -> None:
    codes = {*load_catalogue(), *FAULTS}
    assert len(autocal("explain", "codes").out.splitlines()) == len(codes)
    assert {rule["code"] for rule in json.loads(autocal("explain", "codes", "--json").out)["rules"]} == codes


# What is wrong in the templates of trainers, by the trainers' own code: the run ends, or is not what was meant.
QUEUE = {(f"{name}.yml", "queue-not-a-multiple") for name in (
    "RealPLKSR_OTF_gan", "SPANPlus_OTF_gan", "SRFormer_OTF_fidelity", "Swin2SR_S_OTF_fidelity",
)}  # fmt: skip
UPSTREAM = QUEUE | {
    ("train_EDVR_L_x4_SR_REDS_woTSA.yml", "network-argument-unknown"),  # ema_decay below network_g
    ("train_hifacegan.yml", "rate-decays-early"),
    ("train_hifacegan.yml", "type-unknown"),
    ("train_hifacegan.yml", "validation-on-training-data"),
}


@pytest.mark.corpus
def test_well_made_templates_raise_no_false_alarm(corpus: Path, autocal) -> None:
    """The templates of trainers are right but for a few mistakes; of a fork's configs some are known to be wrong."""
    ran = autocal("check", corpus / "configs", "--json", "--ignore", "dataset-missing")
    data = json.loads(ran.out)
    assert len(data["files"]) >= 60
    assert not any(file["error"] for file in data["files"])
    found: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
    for file in data["files"]:
        path = Path(file["path"])
        serious = {(path.name, one["code"]) for one in file["findings"] if one["severity"] != "info"}
        found["fork" in path.parent.name] |= serious
    assert found[False] == UPSTREAM
    automatic, by_hand = "2xParagonSR2_Nano_AUTO_CALIBRATED.yml", "2xParagonSR2_Nano_PSISR_D.yml"
    assert found[True] >= {
        (automatic, "network-argument-unknown"),
        (automatic, "number-as-text"),  # lr: 2e-4
        (automatic, "discriminator-missing"),
        (by_hand, "value-unsupported"),
    }
    wrong = {name for name, _ in found[True]}
    right = [file for file in data["files"] if "fork" in Path(file["path"]).parent.name]
    assert len(right) - len(wrong) >= 15


REDUX = """scale: 2
network_g: {type: paragonsr2_nano}
train:
  total_iter: 40000
  losses:
    - {type: l1loss, loss_weight: 1.0}
    - {type: mssimloss, loss_weight: 0.5}
"""


def test_a_sidecar_is_checked_with_its_config_and_left_as_it_is(autocal, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.yml").write_text(REDUX, encoding="utf-8")
    assert autocal("calibrate", "train.yml", "--in-place", "--no-dataset", "-q").code == 0
    clean = json.loads(autocal("check", "train.yml", "--json").out)["files"]
    assert [one["code"] for file in clean for one in file["findings"] if one["severity"] != "info"] == []
    sidecar = Path("train.autocal.yml")
    sidecar.write_text(
        "dynamic_loss_scheduling:\n  enabled: true\n  momentum: 0.99\n  max_wieght: 5.0\n", encoding="utf-8"
    )
    before = sidecar.read_bytes()
    ran = autocal("check", "train.yml", "--fix", "--json")
    config, beside = json.loads(ran.out)["files"]
    assert config["findings"] == []
    serious = [(one["code"], one["line"]) for one in beside["findings"] if one["severity"] != "info"]
    assert serious == [("value-unsupported", 3), ("misspelt-key", 4)]
    assert ran.code == 1
    assert sidecar.read_bytes() == before


def test_a_sidecar_that_cannot_be_read_is_told(autocal, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.yml").write_text(REDUX, encoding="utf-8")
    Path("train.autocal.yml").write_text("other: {}\n", encoding="utf-8")
    ran = autocal("check", "train.yml")
    assert ran.code == 2
    assert "train.autocal.yml: The sidecar holds no `dynamic_loss_scheduling` mapping." in ran.err


def test_what_changes_while_it_is_checked_is_not_mended(autocal, tmp_path, monkeypatch) -> None:
    path = tmp_path / "train.yml"
    path.write_text(REDUX.replace("0.5", "5e-1"), encoding="utf-8")
    mend_file = check_files.mend_file

    def mend_while_somebody_writes(*given):
        found = mend_file(*given)
        path.write_text("train: {total_iter: 7}  # just now\n", encoding="utf-8")
        return found

    monkeypatch.setattr(check_files, "mend_file", mend_while_somebody_writes)
    ran = autocal("check", path, "--fix")
    assert ran.code == 2
    assert "The config changed while it was checked, so it was not mended. Check it again." in ran.err
    assert path.read_text(encoding="utf-8") == "train: {total_iter: 7}  # just now\n"
