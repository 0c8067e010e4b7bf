"""Whether the GT and LQ images of a config's training and validation sets belong together, and its crop fits them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from autocal_cli.config.record import DatasetRoot, DatasetSection, TrainingConfig
from autocal_cli.dataset.file_table import ListedFile
from autocal_cli.dataset.listing import list_images
from autocal_cli.dataset.named import MetaInfo
from autocal_cli.dataset.pairs import Matching, match, sample_pairs, sizes_of
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.workflow.pair_findings import about_crop, about_names, about_roots, about_sizes, about_template
from autocal_cli.workflow.roots import find_root, meta_info_of, missing_root


def check_pairs(config: TrainingConfig, seed: int = 0) -> tuple[Finding, ...]:
    """Findings on every set of the config whose images are here; a set of which nothing is here is passed over."""
    return tuple(finding for section in config.datasets for finding in _check(section, config, seed))


def _check(section: DatasetSection, config: TrainingConfig, seed: int) -> Iterator[Finding]:
    folder = Path(config.path).parent
    here = {root: find_root(root, folder) for root in (*section.gt, *section.lq)}
    if not any(here.values()) or not (section.trains or section.lq):
        return
    if not _is_template(section.filename_tmpl):
        yield about_template(section)
        return
    if section.lq and len(section.gt) != len(section.lq):
        yield about_roots(section)
    for root in (*(section.lq if section.gt else ()), *(() if section.trains else section.gt)):
        if here[root] is None:
            yield missing_root(root, "Correct the path.")
    try:
        listed = meta_info_of(section, folder)
        for number, gt in enumerate(section.gt):
            lq = section.lq[number] if number < len(section.lq) else None
            yield from _check_roots(section, (gt, here[gt]), (lq, here[lq]) if lq else None, listed, config.scale, seed)
    except AutocalError as error:
        yield Finding("dataset-unreadable", "warning", error.message, error.fix, error.place)


Found = tuple[DatasetRoot, Path | None]


def _check_roots(
    section: DatasetSection, gt: Found, lq: Found | None, listed: MetaInfo | None, scale: int | None, seed: int
) -> Iterator[Finding]:
    """One GT root, with the LQ root that belongs to it where there is one."""
    if gt[1] is None or (lq is not None and lq[1] is None):
        return
    gt_files = _list(section, gt[0], gt[1], listed.names if listed else None)
    if lq is None or lq[1] is None:
        yield from about_crop(section, sizes_of(sample_pairs([(file,) for file in gt_files], seed)), scale)
        return
    lq_files = _list(section, lq[0], lq[1], _lq_names(listed, section.filename_tmpl))
    matching = match(gt_files, lq_files, section.filename_tmpl, listed)
    yield from about_names(section, lq[0], matching, len(gt_files), len(lq_files))
    sizes = sizes_of(sample_pairs(_files(matching, gt_files, lq_files), seed))
    yield from about_sizes(section, lq[0], sizes, len(matching.pairs), scale)
    yield from about_crop(section, sizes, scale)


def _list(
    section: DatasetSection, root: DatasetRoot, folder: Path, names: Sequence[str] | None
) -> Sequence[ListedFile]:
    try:
        return list_images([folder], names=names).files
    except AutocalError as error:
        raise AutocalError(f"{section.name}: {error.message}", place=root.place, fix=error.fix) from error


def _files(
    matching: Matching, gt: Sequence[ListedFile], lq: Sequence[ListedFile]
) -> list[tuple[ListedFile, ListedFile]]:
    return [(gt[i], lq[j]) for i, j in matching.pairs]


def _lq_names(listed: MetaInfo | None, template: str) -> list[str] | None:
    return [listed.lq_name(name, template) for name in listed.names] if listed else None


def _is_template(template: str) -> bool:
    return template.count("{}") == 1 and template.count("{") == template.count("}") == 1
