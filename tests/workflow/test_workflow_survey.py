"""What a training config tells `analyze-dataset`, and what `--batches` comes to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from autocal_cli.calibration.model import DatasetScores
from autocal_cli.dataset.model import TrainingCrops
from autocal_cli.errors import AutocalError
from autocal_cli.workflow.dataset import (
    DatasetOptions,
    Training,
    known_training,
    measure_dataset,
    survey,
    training_crops,
)

TEXT = """\
scale: 2
num_gpu: 2
datasets:
  train: {{dataroot_gt: [{gt}, gone], dataroot_lq: [{lq}, gone_lq], {more}}}
train: {{total_iter: 1000}}
"""


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    for folder, size in (("gt", 48), ("lq", 24), ("other", 40)):
        (tmp_path / folder).mkdir()
        for name in "abc":
            Image.linear_gradient("L").resize((size, size)).save(tmp_path / folder / f"{name}.png")
    return tmp_path


def training(folder: Path, gt: str = "gt", lq: str = "lq", more: str = "lq_size: 8, batch_size_per_gpu: 3") -> Training:
    path = folder / "train.yml"
    path.write_text(TEXT.format(gt=gt, lq=lq, more=more), "utf-8")
    return known_training(path, None, None)


def codes(findings: object) -> list[str]:
    assert isinstance(findings, tuple)
    return [finding.code for finding in findings]


def test_a_config_names_images_and_crop(planted: Path) -> None:
    report, findings = survey(training(planted), DatasetOptions())
    assert report.fingerprint.roots == (str(planted / "gt"),)
    assert (report.health.crop, report.sharpness.crop, report.fingerprint.crops) == (16, 16, None)
    assert codes(findings) == ["dataset-missing", "dataset-missing"]  # a GT and an LQ folder are gone


def test_a_meta_info_file_restricts_the_configs_images_but_not_others(planted: Path) -> None:
    (planted / "meta.txt").write_text("b.png\n", "utf-8")
    known = training(planted, more="meta_info: meta.txt")
    assert survey(known, DatasetOptions())[0].fingerprint.found == 1
    assert survey(known, DatasetOptions((planted / "other",)))[0].fingerprint.found == 3


def test_gt_and_lq_of_the_config_are_held_against_each_other_whatever_is_scanned(planted: Path) -> None:
    (planted / "lq" / "c.png").unlink()
    known = training(planted)
    other = DatasetOptions((planted / "other",))
    assert "pairs-missing-lq" in codes(survey(known, DatasetOptions())[1])
    assert "pairs-missing-lq" in codes(survey(known, other)[1])
    assert known.config is not None
    assert "pairs-missing-lq" in codes(measure_dataset(known.config, {}, other)[1])


def test_what_is_given_by_hand_counts(planted: Path) -> None:
    known = replace(training(planted), crop=20, batch_size=1)
    report, _ = survey(known, DatasetOptions((planted / "other",), batches=5))
    assert report.fingerprint.roots == (str(planted / "other"),)
    assert (report.health.crop, report.fingerprint.crops) == (20, TrainingCrops(5, 20))


def test_batches_are_counted_by_optimiser_steps_over_all_gpus(planted: Path) -> None:
    known = training(planted, more="lq_size: 8, batch_size_per_gpu: 3, accum_iter: 2")
    report, findings = survey(known, DatasetOptions(batches=2))
    assert report.fingerprint.crops == TrainingCrops(2 * 3 * 2 * 2, 16)
    assert "crops-measured" in codes(findings)
    assert known.config is not None
    dataset, findings = measure_dataset(known.config, {}, DatasetOptions(batches=2))
    assert dataset is not None
    assert dataset == DatasetScores.of(report.fingerprint)
    assert "crops-measured" in codes(findings)


def test_a_config_whose_images_are_not_here_is_an_error(planted: Path) -> None:
    with pytest.raises(AutocalError, match=r"training images is here \(absent, gone\)") as caught:
        survey(training(planted, gt="absent"), DatasetOptions())
    assert "PATH" in str(caught.value)


@pytest.mark.parametrize(
    ("batch_size", "crop", "config", "said"),
    [
        (None, 64, None, r"batch size, which is not known. Give --batch-size N, or --config FILE."),
        (None, 64, "t.yml", r"t.yml: .*batch size, which is not known. State datasets.train.batch_size_per_gpu."),
        (4, None, None, r"crop, which is not known. Give --crop N, or --config FILE."),
        (4, None, "t.yml", r"t.yml: .*crop, which is not known. State datasets.train.lq_size or gt_size."),
        (4, 6, None, r"cannot measure crops of 6 pixels: it takes 7 a side or more."),
    ],
)
def test_what_batches_need_is_said(batch_size: int | None, crop: int | None, config: str | None, said: str) -> None:
    with pytest.raises(AutocalError) as caught:
        training_crops(2, batch_size, crop, config)
    assert re.search(said, str(caught.value))
    assert training_crops(None, batch_size, crop, config) is None


def test_crops_of_seven_pixels_can_be_measured() -> None:
    assert training_crops(2, 4, 7) == TrainingCrops(8, 7)
