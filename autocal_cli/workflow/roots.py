"""Where the folders are that a config names."""

from __future__ import annotations

from pathlib import Path

from autocal_cli.config.record import DatasetRoot, DatasetSection, TrainingConfig
from autocal_cli.dataset.named import MetaInfo, read_meta_info
from autocal_cli.errors import AutocalError, Finding


def find_root(root: DatasetRoot, config_folder: Path) -> Path | None:
    """Where a dataset folder is: relative paths count from the working directory, then from the config's own folder."""
    try:
        named = Path(root.path).expanduser()
        candidates = (named,) if named.is_absolute() else (named, config_folder / named)
        return next((candidate for candidate in candidates if candidate.exists()), None)
    except (OSError, ValueError, RuntimeError):  # a path, or a user's home, that the system cannot even look up
        return None


def missing_root(root: DatasetRoot, fix: str) -> Finding:
    return Finding(
        "dataset-missing", "warning", f"The folder {root.path} ({root.key}) does not exist.", fix, root.place
    )


def meta_info_of(section: DatasetSection, config_folder: Path) -> MetaInfo | None:
    """What the section's meta_info file names, None where it has none. Raises AutocalError for one that is gone."""
    if section.meta_info is None:
        return None
    path = find_root(section.meta_info, config_folder)
    if path is None:
        message = f"The meta_info file {section.meta_info.path} does not exist."
        raise AutocalError(message, place=section.meta_info.place, fix="Correct the path.")
    return read_meta_info(path, section.meta_info.place)


def existing_roots(config: TrainingConfig, by_hand: str = "--hr DIR") -> tuple[list[Path], tuple[Finding, ...]]:
    """The folders of training images that are here, and findings on those that are not; `by_hand` names others."""
    if not config.dataset_roots:
        message = "The config names no folder of training images (datasets.train.dataroot_gt)."
        fix = f"Name them with {by_hand}."
        return [], (Finding("dataset-unnamed", "warning", message, fix, config.place),)
    present, findings = [], []
    for root in config.dataset_roots:
        folder = find_root(root, Path(config.path).parent)
        if folder is not None:
            present.append(folder)
        else:
            findings.append(missing_root(root, f"Correct the path, or name the images with {by_hand}."))
    return present, tuple(findings)


def training_section(config: TrainingConfig) -> DatasetSection | None:
    return next((section for section in config.datasets if section.name == "train"), None)


def training_names(config: TrainingConfig) -> tuple[str, ...] | None:
    """What the meta_info file of the training set names; None where there is none."""
    train = training_section(config)
    listed = meta_info_of(train, Path(config.path).parent) if train else None
    return listed.names if listed else None
