"""Over which files a result may be written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autocal_cli.errors import AutocalError
from autocal_cli.workflow.calibrate import calibrate_file
from autocal_cli.workflow.dataset import DatasetOptions
from autocal_cli.workflow.output import check_destination

TEXT = """\
# mine
network_g: {type: paragonsr2_nano}
scale: 2
train:
  total_iter: 40000
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "train.yml"
    path.write_text(TEXT, "utf-8")
    return path


@pytest.fixture
def own(source: Path) -> Path:
    """A file that autocal wrote."""
    path = source.with_name("resolved.yml")
    path.write_bytes(calibrate_file(source, {}, DatasetOptions(skip=True)).after)
    return path


def refused(out: Path, source: Path, force: bool = False) -> str | None:
    try:
        check_destination(out, source, force)
    except AutocalError as error:
        return error.message
    return None


def test_a_free_name_may_be_written(source: Path) -> None:
    assert refused(source.with_name("new.yml"), source) is None


def test_autocals_own_file_may_be_replaced(source: Path, own: Path) -> None:
    assert refused(own, source) is None


@pytest.mark.parametrize(
    "edit",
    [
        ("# mine", "# yours"),
        ("total_iter: 40000", "total_iter: 20000"),
        ("    momentum: 0.85", "    momentum: 0.8"),
        ("    momentum: 0.85\n", ""),
        ("scale: 2\n", "scale: 2\nname: net\n"),
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


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "",
        "just text",
        "train: [broken",
        "train: {dynamic_loss_scheduling: {calibration: {mine: 1}}}",
        "train: {dynamic_loss_scheduling: {calibration: yes}}",
        "\0\1",
    ],
)
def test_a_persons_file_may_not_unless_forced(text: str, source: Path) -> None:
    out = source.with_name("theirs.yml")
    out.write_text(text, "utf-8")
    assert refused(out, source) == "The file exists and autocal did not write it."
    assert refused(out, source, force=True) is None


def test_the_config_itself_may_not_while_it_is_a_persons(source: Path) -> None:
    assert refused(source, source) == "The output is the config itself."
    link = source.with_name("link.yml")
    link.symlink_to(source)
    assert refused(link, source) == "The output is the config itself."


def test_a_resolved_config_may_be_written_to_itself_with_its_edits(own: Path) -> None:
    own.write_text(own.read_text("utf-8").replace("    momentum: 0.85", "    momentum: 0.8"), "utf-8")
    assert refused(own, own) is None


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_never(force: bool, source: Path) -> None:
    assert refused(source.parent, source, force) == "The output is a folder."
    missing = source.parent / "missing"
    assert refused(missing / "out.yml", source, force) == f"The folder {missing} does not exist."


@pytest.mark.skipif(os.name != "posix", reason="makes a pipe")
@pytest.mark.parametrize("force", [False, True])
def test_a_pipe_or_a_device_never(force: bool, source: Path) -> None:
    pipe = source.with_name("pipe.yml")
    os.mkfifo(pipe)
    assert refused(pipe, source, force) == "The output is not a regular file."
    assert refused(Path("/dev/null"), source, force) == "The output is not a regular file."


def test_a_config_that_is_not_there_is_not_compared(own: Path) -> None:
    assert refused(own, own.with_name("missing.yml")) is None
