"""`open_config`: one object a config, each part of it read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autocal_cli.config import files
from autocal_cli.config.files import open_config
from autocal_cli.errors import AutocalError

TEXT = """\
scale: 4
network_g: {type: paragonsr2_nano}
train:
  total_iter: 5000
  losses:
    - {type: l1loss, loss_weight: 1.0}
  dynamic_loss_scheduling:
    momentum: 0.9
    calibration: {made: {record: 3, trainer: traiNNer-redux}}
"""
NAME = Path("train.yml")


def test_a_file_and_its_bytes_are_opened_alike(tmp_path: Path) -> None:
    path = tmp_path / "train.yml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    file, given = open_config(path), open_config(path, path.read_bytes())
    assert (file.path, file.raw) == (path, path.read_bytes())
    assert file.text == TEXT.replace("\n", "\r\n")
    assert (given.layout, given.training, given.block) == (file.layout, file.training, file.block)


def test_what_it_holds() -> None:
    file = open_config(NAME, TEXT.encode())
    assert file.layout.trainer == "traiNNer-redux"  # as the record says
    assert file.training.total_iter == 5000
    assert file.block is not None
    assert file.block.values["momentum"] == 0.9
    assert file.training.block == file.block
    assert file.block.record == {"made": {"record": 3, "trainer": "traiNNer-redux"}}
    assert open_config(NAME, TEXT.encode(), "basicsr").layout.trainer == "BasicSR"


@pytest.mark.parametrize(
    ("text", "block"),
    [("train: {}\n", None), ("train: {dynamic_loss_scheduling: {calibration: mine}}\n", {"calibration": "mine"})],
)
def test_no_record(text: str, block: object) -> None:
    file = open_config(NAME, text.encode())
    assert (file.block.values if file.block else None) == block
    assert file.block is None or file.block.record is None


def test_each_part_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object) -> object:
            calls.append(name)
            return real(*given)

        return call

    for name in ("read_block", "read_training_config", "parse_document"):
        monkeypatch.setattr(files, name, counted(name, getattr(files, name)))
    file = open_config(NAME, TEXT.encode())
    for _ in range(2):
        assert file.training.block == file.block
        assert file.block
    assert sorted(calls) == ["parse_document", "read_block", "read_training_config"]


def test_what_cannot_be_read_is_a_problem_or_an_error() -> None:
    file = open_config(NAME, TEXT.replace("5000", "many").replace("type: l1loss", "typo: l1loss").encode())
    config, problems = file.reading
    assert [problem.code for problem in problems] == ["count-invalid", "losses-malformed"]
    assert (config.total_iter, config.losses, config.scale) == (None, (), 4)
    with pytest.raises(AutocalError, match=r"`train\.total_iter` should be a whole number"):
        assert file.training
    assert file.block is not None


def test_a_sidecar_has_its_block_at_the_top() -> None:
    held = open_config(NAME, b"dynamic_loss_scheduling: {momentum: 0.9}\n")
    at_top = replace(held, layout=replace(held.layout, block=("dynamic_loss_scheduling",)))
    assert held.block is None
    assert at_top.block is not None
    with pytest.raises(AutocalError, match="no `train` mapping"):
        assert held.training


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(AutocalError, match="There is no such file"):
        open_config(tmp_path / "no.yml")
    with pytest.raises(AutocalError, match="There is no trainer kind"):
        open_config(NAME, TEXT.encode(), "nobody")
