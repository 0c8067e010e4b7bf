"""benchmarks/diagnose_runs.py without a trainer: the configs that it writes, the crops, and what it keeps of a log."""

from __future__ import annotations

import pytest
import yaml
from diagnose_runs import CASES, TRAINERS, trainer_of, worth_keeping, write_config, write_crops
from PIL import Image

from autocal_cli.config.files import open_config
from autocal_cli.workflow.run import read_source

KNOWN = {case.name: case for case in CASES}


@pytest.mark.parametrize("trainer", TRAINERS, ids=lambda trainer: trainer.package)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_config_holds_the_fault_and_is_one_of_its_trainer(tmp_path, trainer, case):
    path = write_config(trainer, case, tmp_path, scheduled=False)
    train = yaml.safe_load(path.read_text("utf-8"))["train"]
    losses = train.get("losses", [train.get("gan_opt")])
    weights = [one["loss_weight"] for one in losses if one and one["type"].lower() == "ganloss"]
    assert weights == ([] if case.gan is None else [case.gan])
    assert train["optim_g"]["lr"] == case.rate
    assert ("optim_d" in train) == (case.gan is not None)
    if case.rate_d is not None:
        assert train["optim_d"]["lr"] == case.rate_d
    assert open_config(path).training.total_iter == case.total


@pytest.mark.parametrize("trainer", TRAINERS, ids=lambda trainer: trainer.package)
def test_a_scheduled_config_holds_a_block_that_can_be_used(tmp_path, trainer):

    source = read_source(write_config(trainer, KNOWN["gan_x100"], tmp_path, scheduled=True))
    assert source.block
    assert source.total_iter == 700


def test_crops_are_pairs_and_no_validation_image_is_trained_on(tmp_path):
    photographs, runs = tmp_path / "photographs", tmp_path / "runs"
    photographs.mkdir()
    for index in range(10):
        Image.new("RGB", (160, 130), (index * 20, 0, 0)).save(photographs / f"{index}.png")
    write_crops(photographs, runs)
    colours = {}
    for kind, size, count in (("train", 128, 150), ("tiny", 80, 2), ("val", 128, 8)):
        files = sorted((runs / "data" / kind / "hr").iterdir())
        assert [file.name for file in files] == [file.name for file in sorted((runs / "data" / kind / "lr").iterdir())]
        assert len(files) == count
        assert Image.open(files[0]).size == (size, size)
        colours[kind] = {Image.open(file).getpixel((0, 0)) for file in files}
    assert not colours["train"] & colours["val"]


def test_what_diagnose_reads_stays_in_a_log_and_paths_go():
    lines = ["  name: x\n", "  scale: 2\n", "    dataroot_gt: /home/me/hr\n", "  total_iter: 100\n",
             "2026-01-01 00:00:00,000 INFO: Start training from epoch: 0, iter: 0\n", "anything after\n"]  # fmt: skip
    assert list(worth_keeping(lines)) == [lines[1], lines[3], *lines[4:]]


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="is no checkout of"):
        trainer_of(tmp_path)
