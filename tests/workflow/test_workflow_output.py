"""The one guard of outputs: over which files a result may be written, and that they are written whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autocal_cli.errors import AutocalError
from autocal_cli.workflow.calibrate import CalibrationRun, calibrate_file
from autocal_cli.workflow.config_file import Form, sidecar_of
from autocal_cli.workflow.dataset import DatasetOptions
from autocal_cli.workflow.output import (
    check_config_outputs,
    check_output,
    owner_of_config,
    owner_of_report,
    write_config_outputs,
)

SKIP = DatasetOptions(skip=True)
FORMS: list[Form] = ["block", "native", "sidecar"]


def calibrated(source: Path, form: Form | None = None) -> CalibrationRun:
    return calibrate_file(source, {}, SKIP, form=form)


@pytest.fixture
def own(source: Path) -> Path:
    """A file that autocal wrote."""
    path = source.with_name("resolved.yml")
    path.write_bytes(calibrated(source, "block").after)
    return path


def refused(out: Path, source: Path, force: bool = False) -> str | None:
    try:
        check_config_outputs(source, out, force)
    except AutocalError as error:
        return error.message
    return None


def test_a_free_name_may_be_written(source: Path) -> None:
    assert refused(source.with_name("new.yml"), source) is None


@pytest.mark.parametrize("form", FORMS)
def test_autocals_own_file_may_be_replaced(source: Path, form: Form) -> None:
    out = source.with_name("resolved.yml")
    run = calibrated(source, form)
    write_config_outputs(run.outputs(out), force=False)
    for output in run.outputs(out):
        assert owner_of_config(output.path) == "autocal"
    source.write_text(source.read_text("utf-8").replace("40000", "10000"), "utf-8")
    write_config_outputs(calibrated(source, form).outputs(out), force=False)
    assert "10000" in out.read_text("utf-8")


@pytest.mark.parametrize(
    "edit",
    [
        ("# mine", "# yours"),
        ("total_iter: 40000", "total_iter: 20000"),
        ("    momentum: 0.85", "    momentum: 0.8"),
        ("    max_weight: 5.0             #: nano\n", ""),
        ("scale: 2\n", "scale: 2\nname: net\n"),
        ("#: nano\n", "#: nano, and a note of mine\n"),
    ],
)
def test_its_own_file_with_an_edit_by_hand_may_not_unless_forced(
    edit: tuple[str, str], source: Path, own: Path
) -> None:
    text = own.read_text("utf-8")
    assert edit[0] in text
    own.write_text(text.replace(*edit, 1), "utf-8")
    assert refused(own, source) == "The file was edited by hand since autocal wrote it."
    assert refused(own, source, force=True) is None


@pytest.mark.parametrize("form", FORMS)
def test_an_edit_of_any_form_is_seen(form: Form, source: Path) -> None:
    out = source.with_name("resolved.yml")
    write_config_outputs(calibrated(source, form).outputs(out), force=False)
    for path in (out, sidecar_of(out)):
        if path.exists():
            before = path.read_bytes()
            path.write_bytes(before + b"# note\n")
            assert owner_of_config(path) == "edited"
            with pytest.raises(AutocalError, match="edited by hand"):
                write_config_outputs(calibrated(source, form).outputs(out), force=False)
            path.write_bytes(before)
            assert owner_of_config(path) == "autocal"


@pytest.mark.parametrize(
    "text",
    [
        "# mine\nscale: 2\ntrain:\n  total_iter: 40000\n",
        "",
        "just text",
        "train: [broken",
        "train: {dynamic_loss_scheduling: {calibration: {mine: 1}}}",
        "train: {dynamic_loss_scheduling: {calibration: yes}}",
        "train: {dynamic_loss_scheduling: {calibration: {made: {record: 3}}}}",
        "dynamic_loss_scheduling: {momentum: 0.9}\n",
        "\0\1",
    ],
)
def test_a_persons_file_may_not_unless_forced(text: str, source: Path) -> None:
    out = source.with_name("theirs.yml")
    out.write_text(text, "utf-8")
    assert refused(out, source) == "The file exists and autocal did not write it."
    assert refused(out, source, force=True) is None
    assert out.read_text("utf-8") == text


def test_a_persons_sidecar_is_in_the_way_of_a_copy(source: Path) -> None:
    out = source.with_name("resolved.yml")
    sidecar_of(out).write_text("notes: mine\n", "utf-8")
    run = calibrated(source)
    with pytest.raises(AutocalError, match="autocal did not write it"):
        write_config_outputs(run.outputs(out), force=False)
    assert not out.exists()  # all or nothing
    write_config_outputs(run.outputs(out), force=True)
    assert out.read_bytes() == source.read_bytes()


@pytest.mark.parametrize(("name", "cure"), [("new", "Name it new.yml: "), ("train", "Use --in-place: ")])
@pytest.mark.parametrize("force", [False, True])
def test_the_name_of_a_sidecar_is_no_name_of_a_config(
    force: bool, name: str, cure: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    out = Path(f"{name}.autocal.yml")  # however the config itself is named
    with pytest.raises(AutocalError, match=r"The ending \.autocal\.yml is a sidecar's") as refusal:
        check_config_outputs(source, out, force)
    assert cure in (refusal.value.fix or "")


def test_the_config_itself_is_no_output(source: Path) -> None:
    assert refused(source, source) == "The output is the config itself."
    link = source.with_name("link.yml")
    link.symlink_to(source)
    assert refused(link, source) == "The output is the config itself."


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_never(force: bool, source: Path) -> None:
    assert refused(source.parent, source, force) == "The output is a folder."
    missing = source.parent / "missing"
    assert refused(missing / "out.yml", source, force) == f"The folder {missing} does not exist."


@pytest.mark.parametrize("force", [False, True])
def test_a_dash_is_no_file(force: bool, source: Path) -> None:
    assert refused(Path("-"), source, force) == "This goes into a file, never to standard output."


@pytest.mark.skipif(os.name != "posix", reason="makes a pipe")
@pytest.mark.parametrize("force", [False, True])
def test_a_pipe_or_a_device_never(force: bool, source: Path) -> None:
    pipe = source.with_name("pipe.yml")
    os.mkfifo(pipe)
    assert refused(pipe, source, force) == "The output is not a regular file."
    assert refused(Path("/dev/null"), source, force) == "The output is not a regular file."


def test_a_config_that_is_not_there_is_not_compared(own: Path) -> None:
    assert refused(own, own.with_name("missing.yml")) is None


@pytest.mark.parametrize(("out", "config", "told"), [("a.toml", "b.yml", True), ("a.yaml", "b.yml", False)])
def test_a_config_stays_what_it_is(out: str, config: str, told: bool, source: Path) -> None:
    found = refused(source.with_name(out), source.with_name(config))
    assert (found is not None) is told


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["beside", "in place"])
def test_a_config_that_changed_meanwhile_is_not_written_over(form: Form, place: str, source: Path) -> None:
    out = source.with_name("resolved.yml") if place == "beside" else None
    run = calibrated(source, form)
    source.write_text(source.read_text("utf-8") + "# just now\n", "utf-8")
    files = {path.name: path.read_bytes() for path in source.parent.iterdir()}
    if form == "sidecar" and out is None:
        return  # the config is not touched
    with pytest.raises(AutocalError, match="changed while autocal was at work"):
        write_config_outputs(run.outputs(out), force=True)
    assert {path.name: path.read_bytes() for path in source.parent.iterdir()} == files


def test_a_sidecar_that_changed_meanwhile_is_not_written_over(source: Path) -> None:
    write_config_outputs(calibrated(source).outputs(None), force=False)
    source.write_text(source.read_text("utf-8").replace("40000", "9000"), "utf-8")
    run = calibrated(source)
    sidecar_of(source).write_bytes(run.before + b"# just now\n")
    with pytest.raises(AutocalError, match="changed while autocal was at work"):
        write_config_outputs(run.outputs(None), force=True)


def test_a_sidecar_that_came_meanwhile_is_not_written_over(source: Path) -> None:
    run = calibrated(source)
    sidecar_of(source).write_text("notes: mine\n", "utf-8")
    with pytest.raises(AutocalError):
        write_config_outputs(run.outputs(None), force=False)
    assert sidecar_of(source).read_text("utf-8") == "notes: mine\n"


def test_a_file_that_is_right_already_is_not_written_again(own: Path) -> None:
    before = own.stat()
    write_config_outputs(calibrated(own).outputs(None), force=False)
    after = own.stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_the_guard_asks_whose_a_file_is(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    out.write_text("x", "utf-8")
    for owner in ("edited", "foreign"):
        with pytest.raises(AutocalError):
            check_output(out, lambda _, owner=owner: owner)
        check_output(out, lambda _, owner=owner: owner, force=True)
    check_output(out, lambda _: "autocal")


@pytest.mark.parametrize(
    ("head", "owner"),
    [
        ("path,status,reason,verdict,reasons,width,height,later\n", "autocal"),  # of a version with other columns
        ("path,status\n", "foreign"),
        ("<!DOCTYPE html><p>mine", "foreign"),
    ],
)
def test_a_report_is_known_by_how_it_begins(tmp_path: Path, head: str, owner: str) -> None:
    out = tmp_path / "out"
    out.write_text(head, "utf-8")
    assert owner_of_report(out) == owner
