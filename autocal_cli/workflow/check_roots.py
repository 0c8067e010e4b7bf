"""Whether the images that a config names are there, are images, and fit together. Looks at headers of a sample only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from autocal_cli.config.record import DatasetRoot, DatasetSection, TrainingConfig
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.workflow.roots import find_root, missing_root


def check_roots(config: TrainingConfig) -> Iterator[Finding]:
    """Findings on every set of a config: each folder by itself, GT and LQ beside each other, the crop on both."""
    if not config.datasets:
        return
    from autocal_cli.workflow.check_pairs import check_pairs  # pillow and numpy: only where there are images

    folder = Path(config.path).parent
    here = {
        root: found
        for section in config.datasets
        for root in (*section.gt, *section.lq)
        if (found := find_root(root, folder))
    }
    unusable: set[DatasetRoot] = set()
    for section in config.datasets:
        for root in (*section.gt, *section.lq):
            if root not in here:
                yield missing_root(root, "Correct the path.")
            elif (problem := _without_images(root, here[root])) is not None:
                unusable.add(root)
                yield problem
        yield from _same_folder(section, here)
    told = {root.place for root in unusable} | {root.place for s in config.datasets for root in (*s.gt, *s.lq)}
    for finding in check_pairs(config) if here else ():
        if finding.code not in ("dataset-missing", "dataset-unreadable") or finding.place not in told:
            yield finding


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
            if same and section.filename_tmpl == "{}":
                message = f"{section.name}: {lq.path} is both GT and LQ."
                fix = "Name the folder of the smaller images as dataroot_lq."
                yield Finding("dataset-same-folder", "error", message, fix, lq.place)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
