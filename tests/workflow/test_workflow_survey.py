"""What a training config tells `analyze-dataset`, and what `--batches` comes to."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autocal_cli.calibration.model import DatasetScores
from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.model import TrainingConfig
from autocal_cli.dataset.model import TrainingCrops
from autocal_cli.dataset.scan import ScanProgress
from autocal_cli.errors import AutocalError
from autocal_cli.workflow.dataset import (
    DatasetOptions,
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


def training(
    folder: Path, gt: str = "gt", lq: str = "lq", more: str = "lq_size: 8, batch_size_per_gpu: 3"
) -> TrainingConfig:
    path = folder / "train.yml"
    path.write_text(TEXT.format(gt=gt, lq=lq, more=more), "utf-8")
    return read_training_config(parse_document(path.read_bytes(), str(path)))


def codes(findings: object) -> list[str]:
    assert isinstance(findings, tuple)
    return [finding.code for finding in findings]


def test_every_folder_is_listed_once(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir, listed = os.scandir, []
    monkeypatch.setattr(os, "scandir", lambda folder: (listed.append(Path(folder).name), scandir(folder))[1])
    config = training(planted)
    for act in (survey, lambda *given: measure_dataset(given[0], {}, given[1])):
        act(config, DatasetOptions())
        assert [name for name in listed if name in ("gt", "lq")] == ["gt", "lq"]
        listed.clear()
    Image.linear_gradient("L").save(planted / "gt" / "later.png")
    assert survey(config, DatasetOptions())[0].fingerprint.found == 4


def test_the_last_that_is_told_of_a_scan_is_that_its_images_are_judged(planted: Path) -> None:
    told: list[ScanProgress] = []
    survey(None, DatasetOptions((planted / "gt",), use_cache=False, on_progress=told.append))
    assert [state.judging for state in told] == [False] * (len(told) - 1) + [True]
    assert told[-1].found == 3


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


def test_gt_and_lq_of_the_config_are_held_against_each_other_where_it_names_the_images_or_is_calibrated(
    planted: Path,
) -> None:
    (planted / "lq" / "c.png").unlink()
    known = training(planted)
    other = DatasetOptions((planted / "other",))
    assert "pairs-missing-lq" in codes(survey(known, DatasetOptions())[1])
    assert "pairs-missing-lq" not in codes(survey(known, other)[1])
    assert "pairs-missing-lq" in codes(measure_dataset(known, {}, other)[1])


def test_what_is_given_by_hand_counts(planted: Path) -> None:
    options = DatasetOptions((planted / "other",), batches=5, crop=20, batch_size=1)
    report, _ = survey(training(planted), options)
    assert report.fingerprint.roots == (str(planted / "other"),)
    assert (report.health.crop, report.fingerprint.crops) == (20, TrainingCrops(5, 20))


def test_batches_are_counted_by_optimiser_steps_over_all_gpus(planted: Path) -> None:
    known = training(planted, more="lq_size: 8, batch_size_per_gpu: 3, accum_iter: 2")
    report, findings = survey(known, DatasetOptions(batches=2))
    assert report.fingerprint.crops == TrainingCrops(2 * 3 * 2 * 2, 16)
    assert "crops-measured" in codes(findings)
    dataset, findings = measure_dataset(known, {}, DatasetOptions(batches=2))
    assert dataset is not None
    assert dataset == DatasetScores.of(report.fingerprint)
    assert "crops-measured" in codes(findings)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Five pairs of x2, the LQ image of b.png moved by a pixel."""
    noise = np.random.default_rng(0)
    for name in ("gt", "lq"):
        (tmp_path / name).mkdir()
    for name in "abcde":
        pixels = noise.integers(0, 256, (12, 12, 3)).astype(np.uint8)
        gt = Image.fromarray(pixels).resize((96, 96), Image.Resampling.BICUBIC)
        gt.save(tmp_path / "gt" / f"{name}.png")
        box = (2, 0, 98, 96) if name == "b" else (0, 0, 96, 96)
        gt.crop(box).resize((48, 48), Image.Resampling.BOX).save(tmp_path / "lq" / f"{name}.png")
    return tmp_path


def test_pairs_of_a_config_are_measured(pairs: Path) -> None:
    report, _ = survey(training(pairs), DatasetOptions())
    (summed,) = report.curation.pairs
    assert (summed.root, summed.count, summed.scale) == (str(pairs / "gt"), 5, pytest.approx(2, abs=0.01))
    assert {row.facts.pair.lq for row in report.rows if row.facts.pair} == {
        str(pairs / "lq" / f"{name}.png") for name in "abcde"
    }
    b = str(pairs / "gt" / "b.png")
    assert "pair-shift" in [reason.code for reason in report.curation.reasons[b]]


@pytest.mark.parametrize("gt_alone", [False, True])
def test_pairs_that_crops_do_not_judge_are_told(pairs: Path, gt_alone: bool) -> None:
    options = DatasetOptions((pairs / "gt",) if gt_alone else (), batches=1)
    report, findings = survey(training(pairs), options)
    (told,) = (one.message for one in findings if one.code == "crops-measured")
    assert (report.curation.pairs, told.endswith("names and sizes alone are looked at.")) == ((), not gt_alone)


def test_pairs_given_by_hand_are_those_of_a_config(pairs: Path) -> None:
    by_config = survey(training(pairs), DatasetOptions())[0]
    by_hand, findings = survey(None, DatasetOptions((pairs / "gt",), lq=(pairs / "lq",)))
    assert by_hand.curation.pairs == by_config.curation.pairs
    assert codes(findings) == []


def test_what_is_kept_has_the_paths_of_this_scan(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOCAL_CACHE", str(pairs / "cache"))
    monkeypatch.chdir(pairs)
    for gt, lq in ((Path("gt"), Path("lq")), (pairs / "gt", pairs / "lq")):
        report, _ = survey(None, DatasetOptions((gt,), lq=(lq,)))
        assert [row.facts.path for row in report.rows] == [str(gt / f"{name}.png") for name in "abcde"]
        assert [row.facts.pair.lq for row in report.rows if row.facts.pair] == [
            str(pairs / "lq" / f"{name}.png") for name in "abcde"
        ]


def test_what_has_no_partner_is_said(pairs: Path) -> None:
    (pairs / "lq" / "c.png").unlink()
    report, findings = survey(None, DatasetOptions((pairs / "gt",), lq=(pairs / "lq",)))
    assert codes(findings) == ["pairs-missing-lq"]
    assert findings[0].place.path == str(pairs / "lq")
    (missing,) = report.curation.by_reason()["pair-missing"]["drop"].paths
    assert missing == str(pairs / "gt" / "c.png")
    (pairs / "gt" / "a.png").rename(pairs / "lq" / "c.png")  # which is seen, whatever is kept of c.png
    again, _ = survey(None, DatasetOptions((pairs / "gt",), lq=(pairs / "lq",)))
    assert "pair-missing" not in again.curation.by_reason()


def test_no_image_is_dropped_for_an_lq_image_that_cannot_be_looked_for(
    pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("gt", "lq"):
        (pairs / folder / "sub").mkdir()
        (pairs / folder / "c.png").rename(pairs / folder / "sub" / "c.png")
    scandir = os.scandir

    def closed(path: str) -> object:
        if Path(path) == pairs / "lq" / "sub":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("os.scandir", closed)
    report, _ = survey(None, DatasetOptions((pairs / "gt",), lq=(pairs / "lq",)))
    assert "pair-missing" not in report.curation.by_reason()


def rename_lq(pairs: Path, template: str) -> None:
    for path in list((pairs / "lq").iterdir()):
        path.rename(path.with_stem(template.replace("{}", path.stem)))


@pytest.mark.parametrize("template", ["{}x2", "LR_{}"])
def test_names_of_one_pattern_are_paired_by_it(pairs: Path, template: str) -> None:
    known = survey(None, DatasetOptions((pairs / "gt",), lq=(pairs / "lq",)))[0].curation.pairs
    rename_lq(pairs, template)
    report, (finding,) = survey(None, DatasetOptions((pairs / "gt",), lq=(pairs / "lq",)))
    assert (finding.code, finding.severity) == ("pairs-template-guessed", "info")
    assert report.curation.pairs == known
    report, findings = survey(training(pairs), DatasetOptions())
    assert report.curation.pairs == known
    (finding,) = (one for one in findings if one.code.startswith("pairs"))
    assert (finding.severity, finding.fix) == ("error", f"Write `filename_tmpl: '{template}'` under datasets.train.")
    (pairs / "lq" / f"{template.replace('{}', 'c')}.png").unlink()
    assert "pairs-template-guessed" not in codes(
        survey(training(pairs), DatasetOptions())[1]
    )  # one in five is too many


def test_names_that_pair_nowhere_drop_every_image(pairs: Path) -> None:
    for number, path in enumerate(sorted((pairs / "lq").iterdir())):
        path.rename(path.with_stem(f"other{number}"))
    report, findings = survey(None, DatasetOptions((pairs / "gt",), lq=(pairs / "lq",)))
    assert codes(findings) == ["pairs-missing-lq", "pairs-missing-gt"]
    assert report.curation.by_reason()["pair-missing"]["drop"].count == 5


def test_gt_and_lq_that_are_swapped_are_told_without_a_scale(pairs: Path) -> None:
    (finding,) = survey(None, DatasetOptions((pairs / "lq",), lq=(pairs / "gt",)))[1]
    assert (finding.code, finding.fix) == ("pairs-swapped", "Swap PATH and --lq.")


def test_folders_of_several_scales_are_told(pairs: Path) -> None:
    (pairs / "lq4").mkdir()
    for path in (pairs / "gt").iterdir():
        Image.open(path).reduce(4).save(pairs / "lq4" / path.name)
    shutil.copytree(pairs / "gt", pairs / "gt4")
    report, findings = survey(None, DatasetOptions((pairs / "gt", pairs / "gt4"), lq=(pairs / "lq", pairs / "lq4")))
    assert [round(most.scale) for most in report.curation.pairs] == [2, 4]
    assert "pair-size" not in report.curation.by_reason()
    (told,) = (one.message for one in findings if one.code == "pairs-scales-differ")
    assert told.endswith(f"{pairs / 'gt'} is x2, {pairs / 'gt4'} is x4.")


def test_pairs_that_are_all_shifted_are_told(pairs: Path) -> None:
    for path in (pairs / "gt").iterdir():
        Image.fromarray(np.asarray(Image.open(path))[::2, ::2]).save(pairs / "lq" / path.name)
    findings = survey(training(pairs), DatasetOptions())[1]
    assert codes(findings)[-1] == "pairs-shifted"
    assert re.search(r"lie \+0\.2\d pixels right and \+0\.2\d below", findings[-1].message)


def test_pairs_that_are_all_coloured_alike_are_told(pairs: Path) -> None:
    def told() -> list[str]:
        return codes(survey(None, DatasetOptions((pairs / "gt",), lq=(pairs / "lq",)))[1])

    assert told() == []
    for path in (pairs / "lq").iterdir():
        Image.fromarray(np.asarray(Image.open(path))[..., ::-1] // 2).save(path)
    assert told() == ["pairs-coloured"]


@pytest.mark.parametrize(("copied", "code"), [(False, "dataset-same-folder"), (True, "pairs-identical")])
def test_gt_images_as_their_own_lq_images_are_told(pairs: Path, copied: bool, code: str) -> None:
    lq = Path(shutil.copytree(pairs / "gt", pairs / "copy")) if copied else pairs / "gt"
    assert codes(survey(None, DatasetOptions((pairs / "gt",), lq=(lq,)))[1]) == [code]
    assert code in codes(survey(training(pairs, lq=lq.name, more=""), DatasetOptions())[1])


def test_lq_folders_belong_to_one_folder_each(pairs: Path) -> None:
    with pytest.raises(AutocalError, match="--lq names 1 folder, PATH 2"):
        survey(None, DatasetOptions((pairs / "gt", pairs / "lq"), lq=(pairs / "lq",)))
    with pytest.raises(AutocalError, match="no such file"):
        survey(None, DatasetOptions((pairs / "gt",), lq=(pairs / "gone",)))


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
