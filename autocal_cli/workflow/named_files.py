"""The folders and files that a config names: where they are, and what is wrong with them.

Images are only looked at, and the packages for that only imported, where one of the folders is here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from autocal_cli.check.model import Checked
from autocal_cli.check.weights import KEYS, WeightsFile, weights_findings
from autocal_cli.config.model import DatasetRoot, TrainingConfig
from autocal_cli.errors import Finding, Place
from autocal_cli.network.checkpoint import checkpoint_states


def find_root(root: DatasetRoot, config_folder: Path) -> Path | None:
    """Where a dataset folder is: relative paths count from the working directory, then from the config's own folder."""
    try:
        named = Path(root.path).expanduser()
        candidates = (named,) if named.is_absolute() else (named, config_folder / named)
        return next((candidate for candidate in candidates if candidate.exists()), None)
    except (OSError, ValueError, RuntimeError):  # a path, or a user's home, that the system cannot even look up
        return None


def named_folders(config: TrainingConfig) -> dict[DatasetRoot, Path | None]:
    """Every folder of images that the sets of a config name, and where it is; None for one that is not here."""
    beside = Path(config.path).parent
    return {root: find_root(root, beside) for section in config.datasets for root in (*section.gt, *section.lq)}


def missing_root(root: DatasetRoot, fix: str) -> Finding:
    return Finding(
        "dataset-missing", "warning", f"The folder {root.path} ({root.key}) does not exist.", fix, root.place
    )


# A scale in the name of a folder: X4, LRbicx2, lr_x2_bicubic, sr4x.
_SCALE = re.compile(
    r"(?:(?<![a-z])|(?<=lr)|(?<=lq)|(?<=bic)|(?<=bi)|(?<=bd))x([2-8])(?![0-9])|(?<![0-9])([2-8])x(?![a-z0-9])", re.I
)


def scales_of_names(config: TrainingConfig) -> Iterator[Finding]:
    """Folders of LQ images whose names say another scale than the config; the images themselves are not here."""
    for root in (root for section in config.datasets for root in section.lq):
        found = {int(one or other) for one, other in _SCALE.findall(root.path)}
        if len(found) == 1 and (config.scale or 1) > 1 and config.scale not in found:
            message = f"The folder {root.path} is for x{found.pop()} by its name, and the config for x{config.scale}."
            yield Finding("pairs-scale-named", "warning", message, "Name the folder for this scale.", root.place)


def all_missing(named: Sequence[DatasetRoot]) -> Iterator[Finding]:
    """One finding for a config that was written for another machine."""
    if len(named) < 2:
        yield from (missing_root(root, "Correct the path.") for root in named)
        return
    message = f"None of the {len(named)} folders that the config names exists, {named[0].path} the first."
    fix = "Correct the paths; for a config of another machine, --no-dataset."
    yield Finding("dataset-missing", "warning", message, fix, named[0].place)


def check_weights(checked: Checked) -> Iterator[Finding]:
    """Findings on pretrained and resume files, missing ones and what the headers of the others say."""
    files = [file for key in KEYS if (file := _file(checked, key))]
    if not files:
        return
    elsewhere = not any(named_folders(checked.config).values()) and all(file.states is None for file in files)
    yield from weights_findings(checked, files, elsewhere)


def _file(checked: Checked, key: tuple[str, ...]) -> WeightsFile | None:
    path = checked.option(*key)
    if not isinstance(path, str) or not path:
        return None
    place = checked.value_at(key)
    root = DatasetRoot(".".join(key), path, place or Place(checked.config.path))
    found = find_root(root, Path(checked.config.path).parent)
    if found is None:
        return WeightsFile(key, path, place, None)
    if key[-1] == "resume_state":
        return WeightsFile(key, path, place, {})
    try:
        states, _ = checkpoint_states(found)
    except (ValueError, OSError, RecursionError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return WeightsFile(key, path, place, {}, trouble=reason)
    shapes = {of: {name: tensor.shape for name, tensor in state.items()} for of, state in states.items()}
    return WeightsFile(key, path, place, shapes)
