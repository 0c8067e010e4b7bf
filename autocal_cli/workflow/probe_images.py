"""The images that a probe takes its crops from: the training's own, with the network's inputs where they are paired."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autocal_cli.config.record import DatasetRoot, DatasetSection, TrainingConfig
from autocal_cli.workflow.roots import find_root, meta_info_of, training_section

if TYPE_CHECKING:
    from autocal_cli.probing.crops import Images


def probe_images(config: TrainingConfig, folders: tuple[Path, ...]) -> tuple[Images, ...]:
    """Targets from `folders` (given by hand, then without inputs), else from the config's training set.

    Roots that are not here are passed over. Raises AutocalError for one that holds no image.
    """
    from autocal_cli.dataset.listing import list_images
    from autocal_cli.probing.crops import Images

    if folders:
        return tuple(Images(file.source) for file in list_images(folders).files)
    section = training_section(config)
    if section is None:
        return ()
    found: list[Images] = []
    for number, root in enumerate(section.gt):
        lq = section.lq[number] if number < len(section.lq) else None
        found += _of_root(config, section, root, lq)
    return tuple(found)


def _of_root(config: TrainingConfig, section: DatasetSection, gt: DatasetRoot, lq: DatasetRoot | None) -> list[Images]:
    """The targets of one root; of a paired one those that have a partner."""
    from autocal_cli.dataset.listing import list_images
    from autocal_cli.dataset.pairs import match
    from autocal_cli.probing.crops import Images

    folder = Path(config.path).parent
    here, partners = find_root(gt, folder), find_root(lq, folder) if lq else None
    if here is None:
        return []
    listed = meta_info_of(section, folder)
    high = list_images([here], names=listed.names if listed else None).files
    if partners is None:
        return [Images(file.source) for file in high]
    names = [listed.lq_name(name, section.filename_tmpl) for name in listed.names] if listed else None
    low = list_images([partners], names=names).files
    pairs = match(high, low, section.filename_tmpl, listed).pairs
    return [Images(high[i].source, low[j].source) for i, j in pairs]
