"""Whether the images that a config names are there, are images, and fit together. Looks at headers of a sample only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from autocal_cli.config.record import DatasetRoot, DatasetSection, TrainingConfig
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.workflow.roots import find_root, missing_root


def check_roots(config: TrainingConfig) -> Iterator[Finding]:
    """Findings on every set of a config: each folder by itself, GT and LQ beside each other, the crop on both."""
    folder = Path(config.path).parent
    named = [root for section in config.datasets for root in (*section.gt, *section.lq)]
    here = {root: found for root in named if (found := find_root(root, folder))}
    same = {section: tuple(_same_folder(section, here)) for section in config.datasets}
    yield from (finding for findings in same.values() for finding in findings)
    if not here:
        yield from _all_missing(named)
        return
    for section in config.datasets:
        for root in (*section.gt, *section.lq):
            if root not in here:
                yield missing_root(root, "Correct the path.")
            elif (problem := _without_images(root, here[root])) is not None:
                yield problem
    from autocal_cli.workflow.check_pairs import check_pairs  # pillow and numpy: only where there are images

    told = {root.place for root in named}
    apart = tuple(section for section in config.datasets if not same[section])
    for finding in check_pairs(replace(config, datasets=apart)):
        if finding.code not in ("dataset-missing", "dataset-unreadable") or finding.place not in told:
            yield finding


def _all_missing(named: Sequence[DatasetRoot]) -> Iterator[Finding]:
    """One finding for a config that was written for another machine."""
    if len(named) < 2:
        yield from (missing_root(root, "Correct the path.") for root in named)
        return
    message = f"None of the {len(named)} folders that the config names exists, {named[0].path} the first."
    fix = "Correct the paths; for a config of another machine, --no-dataset."
    yield Finding("dataset-missing", "warning", message, fix, named[0].place)


def _without_images(root: DatasetRoot, found: Path) -> Finding | None:
    """An empty folder, one without a single image, or one that cannot be read."""
    from autocal_cli.dataset.listing import list_images

    try:
        list_images([found])
    except AutocalError as error:
        return Finding("dataset-unreadable", "warning", error.message, error.fix or "Correct the path.", root.place)
    return None


def _same_folder(section: DatasetSection, here: dict[DatasetRoot, Path]) -> Iterator[Finding]:
    """A root that is GT and LQ at once trains a network to change nothing."""
    for lq in section.lq:
        for gt in section.gt:
            same = gt.path == lq.path or (gt in here and lq in here and _is_same(here[gt], here[lq]))
            if same and section.filename_tmpl == "{}" and section.meta_info is None:
                message = f"{section.name}: {lq.path} is both GT and LQ."
                fix = "Name the folder of the smaller images as dataroot_lq."
                yield Finding("dataset-same-folder", "error", message, fix, lq.place)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
