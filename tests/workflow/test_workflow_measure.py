"""Which images are measured, and what is said when there are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from autocal_cli.calibration.calibrate import DATASET_INFO
from autocal_cli.calibration.model import Presets
from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.files import ConfigFile, parse_document
from autocal_cli.config.model import DatasetRoot, DatasetSection, KeyPath, TrainingConfig, Value
from autocal_cli.config.trainers import recognise_trainer
from autocal_cli.dataset.model import METRIC_NAMES
from autocal_cli.errors import AutocalError, Place
from autocal_cli.workflow.calibrate import resolve
from autocal_cli.workflow.config_file import BlockFile
from autocal_cli.workflow.dataset import DatasetOptions, measure_dataset
from autocal_cli.workflow.named_files import find_root
from autocal_cli.workflow.networks import measure_network

PLACE = Place("train.yml", 3, 5)


def root(path: str | Path) -> DatasetRoot:
    return DatasetRoot("datasets.train.dataroot_gt", str(path), PLACE)


def config_with(*roots: str | Path, path: str = "train.yml") -> TrainingConfig:
    return TrainingConfig(path, "traiNNer-redux", dataset_roots=tuple(map(root, roots)), place=Place(path, 1, 1))


def photograph(folder: Path, name: str = "0.png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    Image.linear_gradient("L").resize((64, 64)).save(folder / name)
    return folder


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The working directory, and the config's folder elsewhere."""
    here, beside = tmp_path / "here", tmp_path / "beside"
    here.mkdir()
    beside.mkdir()
    monkeypatch.chdir(here)
    return here, beside


def test_a_relative_folder_counts_from_the_working_directory_first(apart: tuple[Path, Path]) -> None:
    here, beside = apart
    (beside / "hr").mkdir()
    assert find_root(root("hr"), beside) == beside / "hr"
    (here / "hr").mkdir()
    assert find_root(root("hr"), beside) == Path("hr")


def test_an_absolute_folder_counts_alone(apart: tuple[Path, Path]) -> None:
    here, beside = apart
    assert find_root(root(here), beside) == here
    assert find_root(root(here / "missing"), beside) is None


def test_the_home_folder_may_be_written_short(apart: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    here, beside = apart
    (here / "hr").mkdir()
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setenv("USERPROFILE", str(here))
    assert find_root(root("~/hr"), beside) == here / "hr"


@pytest.mark.parametrize("path", ["hr", "", "a" * 300, "a\0b", "~nobody-of-this-name/hr", "\udc80"])
def test_a_folder_that_is_nowhere_is_none(path: str, apart: tuple[Path, Path]) -> None:
    _, beside = apart
    found = find_root(root(path), beside)
    assert found is None or path == ""


def codes(findings: object) -> list[str]:
    assert isinstance(findings, tuple)
    return [finding.code for finding in findings]


def test_what_is_missing_is_a_warning_and_the_rest_is_read(tmp_path: Path) -> None:
    present = photograph(tmp_path / "present")
    config = config_with(tmp_path / "missing", present)
    dataset, findings = measure_dataset(config, {}, DatasetOptions())
    assert dataset is not None
    assert (dataset.found, dataset.read) == (1, 1)
    assert [(finding.code, finding.severity, finding.place) for finding in findings] == [
        ("dataset-missing", "warning", PLACE)
    ]


@pytest.mark.parametrize(
    ("roots", "expected"),
    [
        ([], ["dataset-unnamed", "dataset-neutral"]),
        (["missing"], ["dataset-missing", "dataset-neutral"]),
        (["missing", "gone"], ["dataset-missing", "dataset-missing", "dataset-neutral"]),
        (["empty"], ["dataset-unreadable", "dataset-neutral"]),
        (["broken"], ["dataset-unreadable", "dataset-neutral"]),
    ],
)
def test_without_images_the_data_count_as_neutral_with_a_warning(
    roots: list[str], expected: list[str], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "0.png").write_bytes(b"no image")
    dataset, findings = measure_dataset(config_with(*(tmp_path / name for name in roots)), {}, DatasetOptions())
    assert dataset is None
    assert codes(findings) == expected
    assert all(finding.severity == "warning" for finding in findings)


def test_folders_by_hand_must_be_there(tmp_path: Path) -> None:
    present = photograph(tmp_path / "present")
    with pytest.raises(AutocalError, match="missing"):
        measure_dataset(config_with(present), {}, DatasetOptions(folders=(tmp_path / "missing",)))


def test_a_wrong_device_is_a_mistake_and_no_unreadable_dataset(tmp_path: Path) -> None:
    present = photograph(tmp_path / "present")
    with pytest.raises(AutocalError, match="abacus"):
        measure_dataset(config_with(present), {}, DatasetOptions(device="abacus"))


ALL_SCORES: dict[KeyPath, Value] = {(*DATASET_INFO, name): 0.7 for name in METRIC_NAMES}


def test_where_the_user_wrote_every_score_nothing_is_read(tmp_path: Path) -> None:
    config = config_with(photograph(tmp_path / "present"))
    assert measure_dataset(config, ALL_SCORES, DatasetOptions()) == (None, ())
    two = dict(list(ALL_SCORES.items())[:2])
    assert measure_dataset(config, two, DatasetOptions())[0] is not None


def test_nothing_is_read_where_nothing_is_wanted(tmp_path: Path) -> None:
    assert measure_dataset(config_with(tmp_path / "missing"), {}, DatasetOptions(skip=True)) == (None, ())


TEXT = b"""\
scale: 2
network_g: {type: paragonsr2_nano}
train:
  total_iter: 40000
"""


def opened(text: bytes, *roots: Path) -> tuple[ConfigFile, TrainingConfig]:
    document = parse_document(text, "train.yml")
    file = ConfigFile(document, recognise_trainer(document))
    return file, replace(file.training, dataset_roots=tuple(map(root, roots)))


@pytest.fixture(scope="module")
def presets() -> Presets:
    return load_presets()


def test_a_measurement_in_the_record_serves_where_the_images_are_gone(tmp_path: Path, presets: Presets) -> None:
    folder = photograph(tmp_path / "hr")
    photograph(folder, "1.png")
    (folder / "broken.png").write_bytes(b"no image")
    file, config = opened(TEXT, folder)
    network = measure_network(config)
    dataset, _ = measure_dataset(config, {}, DatasetOptions())
    resolved, first = resolve(BlockFile(file, file, "block"), config, network, dataset, presets, {})

    file, again = opened(resolved.text.encode(), tmp_path / "gone")
    recorded, findings = measure_dataset(again, {}, DatasetOptions())
    assert codes(findings) == ["dataset-missing", "dataset-from-record"]
    assert recorded == dataset
    assert recorded is not None
    assert (recorded.found, recorded.read, recorded.failed) == (3, 2, 1)
    unchanged, second = resolve(BlockFile(file, file, "block"), again, network, recorded, presets, {})
    assert unchanged.text == resolved.text
    assert second.parameters == first.parameters


def test_neutral_scores_that_autocal_wrote_are_not_taken_for_the_users(tmp_path: Path, presets: Presets) -> None:
    file, config = opened(TEXT)
    target = BlockFile(file, file, "block")
    resolved, calibration = resolve(target, config, measure_network(config), None, presets, {})
    assert calibration.dataset_info["edge_density"] == 0.5
    _, again = opened(resolved.text.encode(), photograph(tmp_path / "hr"))
    dataset, _ = measure_dataset(again, {}, DatasetOptions())
    assert dataset is not None


def test_a_meta_info_file_restricts_what_is_measured(tmp_path: Path) -> None:
    folder = photograph(tmp_path / "hr")
    photograph(folder, "1.png")
    (folder / ".DS_Store").write_bytes(b"x")
    (tmp_path / "meta.txt").write_text("1.png (64,64,3)\n", "utf-8")
    section = DatasetSection("train", gt=(root(folder),), meta_info=root("meta.txt"))
    config = replace(config_with(folder, path=str(tmp_path / "train.yml")), datasets=(section,))
    dataset, findings = measure_dataset(config, {}, DatasetOptions())
    assert dataset is not None
    assert (dataset.found, dataset.read, codes(findings)) == (1, 1, [])
