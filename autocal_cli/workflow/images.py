"""Where the folders are that a config names."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from autocal_cli.config.model import DatasetRoot, DatasetSection, TrainingConfig
from autocal_cli.config.trainers import FORK, REDUX
from autocal_cli.dataset.files import ListedFile
from autocal_cli.dataset.listing import MetaInfo, list_images, read_meta_info
from autocal_cli.dataset.pairs import Files, ImageSizes, Matching, is_template, match, sampled, sizes_of
from autocal_cli.errors import AutocalError, Finding, listed
from autocal_cli.workflow.named_files import all_missing, find_root, missing_root, named_folders

if TYPE_CHECKING:
    from autocal_cli.probing.probe import Images


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


def training_names(config: TrainingConfig) -> tuple[str, ...] | None:
    """What the meta_info file of the training set names; None where there is none."""
    train = config.training_set
    listed = meta_info_of(train, Path(config.path).parent) if train else None
    return listed.names if listed else None


# Whether the GT and LQ images of a config's training and validation sets belong together, and its crop fits them. Each
# mismatch is told by name up to a limit, then counted. What trainers do was found in their sources, and tried with
# their loaders (data_util.py): traiNNer-redux compares names without endings, and with a template takes what fits; the
# others look for whole names, and count both folders first. neosr has no template.

SHOWN = 5
MOST_OF = 0.9  # of the pairs that were looked at, to speak of all; chosen
COMPARED = 16  # images that are compared byte for byte; chosen
WHOLE_NAMES = ("BasicSR", "Real-ESRGAN", "neosr", FORK.trainer)


def check_pairs(config: TrainingConfig, seed: int = 0) -> tuple[Finding, ...]:
    """Findings on every set of the config whose images are here; a set of which nothing is here is passed over."""
    return tuple(finding for section in config.datasets for finding in _check(section, config, seed))


def _check(section: DatasetSection, config: TrainingConfig, seed: int) -> Iterator[Finding]:
    folder = Path(config.path).parent
    here = {root: find_root(root, folder) for root in (*section.gt, *section.lq)}
    if not any(here.values()) or not (section.trains or section.lq):
        return
    if not is_template(section.filename_tmpl):
        message = f"{section.name}: filename_tmpl {section.filename_tmpl!r} does not make a name out of each GT name."
        place = section.lq[0].place if section.lq else None
        yield Finding("pairs-template", "warning", message, "It should hold {} once, as in '{}x4'.", place)
        return
    if section.gt and section.lq and len(section.gt) != len(section.lq):
        message = (
            f"{section.name}: {len(section.gt)} GT folders, {len(section.lq)} LQ folders; they pair one by one, and "
            "those left over are not trained on."
        )
        yield Finding("pairs-roots-differ", "warning", message, "Name as many of each.", section.lq[-1].place)
    for root in (*(section.lq if section.gt else ()), *(() if section.trains else section.gt)):
        if here[root] is None:
            yield missing_root(root, "Correct the path.")
    try:
        listed = meta_info_of(section, folder)
        for gt, lq in zip_longest(section.gt, section.lq[: len(section.gt)]):
            if here[gt] and (lq is None or here[lq]):
                yield from _check_root(section, gt, lq, here, listed, config, seed)
    except AutocalError as error:
        yield Finding("dataset-unreadable", "warning", error.message, error.fix, error.place)


def _check_root(
    section: DatasetSection,
    gt: DatasetRoot,
    lq: DatasetRoot | None,
    here: Mapping[DatasetRoot, Path | None],
    listed: MetaInfo | None,
    config: TrainingConfig,
    seed: int,
) -> Iterator[Finding]:
    """One GT root, with the LQ root that belongs to it where there is one."""

    def files_of(root: DatasetRoot, names: Sequence[str] | None) -> Sequence[ListedFile]:
        try:
            return list_images([here[root] or Path()], names=names).files
        except AutocalError as error:
            raise AutocalError(f"{section.name}: {error.message}", place=root.place, fix=error.fix) from error

    gt_files = files_of(gt, listed.names if listed else None)
    if lq is None:
        sizes = sizes_of((gt_files[i],) for i in sampled(len(gt_files), seed))
    else:
        lq_files = files_of(lq, listed.lq_names(section.filename_tmpl) if listed else None)
        matching = match(gt_files, lq_files, section.filename_tmpl, listed)
        counts = f"{section.name}: {len(gt_files):,} GT and {len(lq_files):,} LQ images"
        yield from about_names(section, lq, matching, counts, config.trainer)
        places = matching.pairs[sampled(len(matching.pairs), seed)].tolist()
        chosen = [(gt_files[i], lq_files[j]) for i, j in places]
        yield from about_endings(section, lq, chosen, config.trainer)
        sizes = sizes_of(chosen)
        yield from about_sizes(section, lq, sizes, len(matching.pairs), config.scale)
    yield from about_crop(section, sizes, config.scale)


def about_names(
    section: DatasetSection, lq: DatasetRoot, matching: Matching, counts: str, trainer: str
) -> Iterator[Finding]:
    """GT images without LQ, and the other way round; LQ images to spare do no harm where a template makes names."""
    template, stated = matching.template, section.filename_tmpl
    if template != stated:
        rest = f"no LQ image in {lq.path} is named as filename_tmpl '{stated}' makes it, nearly all by '{template}'"
        fix = f"Write `filename_tmpl: '{template}'` under datasets.{section.name}."
        fix = "Rename the LQ images: neosr has no filename_tmpl." if trainer == "neosr" else fix
        message, by_hand = f"{counts}; {rest}: paired so here.", lq.key == "--lq"
        yield Finding("pairs-template-guessed", "info" if by_hand else "error", message, fix, lq.place)
    takes_what_fits = template != "{}" and trainer not in WHOLE_NAMES
    deed = f"{trainer or 'every trainer'} ends before the first step"
    if takes_what_fits:
        deed = f"traiNNer-redux leaves them out without a word{'' if trainer else ', others end before the first step'}"
    if section.meta_info:
        deed = "training ends where one is drawn"
    if matching.without_lq:
        gt = _having_no(matching.without_lq, "GT")
        rest = f"{gt} LQ image in {lq.path} ({listed(matching.without_lq, SHOWN)})"
        by_template = "" if trainer == "neosr" else f", or state their filename_tmpl under datasets.{section.name}"
        fix = f"Name LQ images as their GT images{by_template}."
        yield Finding("pairs-missing-lq", "warning", f"{counts}; {rest}: {deed}.", fix, lq.place)
    if matching.without_gt and not takes_what_fits:
        rest = f"{_having_no(matching.without_gt, f'LQ in {lq.path}')} GT image ({listed(matching.without_gt, SHOWN)})"
        fix = "Delete them, or add their GT images."
        yield Finding("pairs-missing-gt", "warning", f"{counts}; {rest}: {deed}.", fix, lq.place)
    if matching.doubled:
        deed = "traiNNer-redux trains on one of them, which is left to the disk's order"
        deed = f"{trainer} counts both folders, and ends where they differ" if trainer in WHOLE_NAMES else deed
        several = f"{len(matching.doubled):,} beside one of the same name and another ending"
        message = f"{counts}, {several} ({listed(matching.doubled, SHOWN)}): {deed}."
        yield Finding("pairs-doubled", "warning", message, "Keep one GT and one LQ image of each name.", lq.place)


def about_endings(section: DatasetSection, lq: DatasetRoot, pairs: Sequence[Files], trainer: str) -> Iterator[Finding]:
    """GT and LQ images of other endings, which most trainers do not take for a pair."""
    other = [pair for pair in pairs if len(set(map(_ending, pair))) > 1]
    if not other or section.meta_info or trainer == REDUX.trainer:
        return
    example = ", ".join(Path(file.name).name for file in other[0])
    strict = "BasicSR, Real-ESRGAN, neosr and forks of traiNNer-redux look for whole names, and end"
    strict = f"{trainer} looks for the whole name, and ends" if trainer else strict
    counted = f"{section.name}: in {len(other):,} of {len(pairs):,} pairs looked at LQ has another ending than GT"
    message = f"{counted} ({example}): {strict} before the first step."
    yield Finding("pairs-endings", "error" if trainer else "info", message, "Save GT and LQ in one format.", lq.place)


def _ending(file: ListedFile) -> str:
    return "" if file.database else Path(file.name).suffix


def _having_no(names: Sequence[str], which: str) -> str:
    return f"{len(names):,} {which} {'has' if len(names) == 1 else 'have'} no"


def about_sizes(
    section: DatasetSection, lq: DatasetRoot, sizes: Sequence[ImageSizes], pairs: int, scale: int | None
) -> Iterator[Finding]:
    """Sizes that are not scale x LQ, and headers that cannot be read."""
    checked = f"{section.name}: of {len(sizes):,} pairs" + (f" checked of {pairs:,}" if pairs > len(sizes) else "")
    unread = [f"{pair.name}: {pair.reason}" for pair in sizes if pair.reason]
    if unread:
        message = f"{checked}, {len(unread):,} cannot be opened ({listed(unread, SHOWN, '; ')})."
        yield Finding("pairs-unreadable", "warning", message, "Replace or delete them, GT and LQ.", lq.place)
    readable = [pair for pair in sizes if not pair.reason]
    misfits = [pair for pair in readable if not _fits(pair, scale, section.trains)]
    wrong = [f"{pair.name} GT {_size(pair.gt)}, LQ {_size(pair.lq)}" for pair in misfits]
    ratios = set(map(_ratio, misfits)) if len(misfits) >= MOST_OF * len(readable) else set()
    larger, smaller = (ratios.pop() if len(ratios) == 1 else None) or (0, 0)
    if smaller > 1:
        message = f"{checked}, in {len(wrong):,} the LQ image is {smaller} times the GT image: the two are swapped."
        swap = "PATH and --lq" if lq.key == "--lq" else "dataroot_gt and dataroot_lq"
        yield Finding("pairs-swapped", "error", message, f"Swap {swap}.", lq.place)
    elif scale is None:
        return
    elif larger:
        message = f"{checked}, {len(wrong):,} are x{larger}, and the config says x{scale} ({listed(wrong[:1])})."
        fix = f"Write `scale: {larger}`, or make the LQ images anew for x{scale}."
        yield Finding("pairs-scale", "error", message, fix, lq.place)
    elif wrong:
        deed = "training ends where one is drawn" if section.trains else "the metrics fail or compare what differs"
        message = f"{checked}, {len(wrong):,} are not {scale} x LQ ({listed(wrong, SHOWN, '; ')}): {deed}."
        fix = f"Make the LQ images anew from GT images cropped to multiples of {scale}, or correct `scale`."
        yield Finding("pairs-size", "warning", message, fix, lq.place)


def _fits(pair: ImageSizes, scale: int | None, trains: bool) -> bool:
    """Exactly scale x LQ; validation crops what a GT image has over, up to one LQ pixel of it being usual. Without a
    scale, that LQ is not the larger one.
    """
    over = [high - (scale or 1) * low for high, low in zip(pair.gt, pair.lq, strict=True)]
    if scale is None:
        return max(over) >= 0
    return all(more == 0 if trains else 0 <= more < scale for more in over)


def _ratio(pair: ImageSizes) -> tuple[int, int] | None:
    """By which whole number the GT image is larger than its LQ image, as (4, 1), or smaller, as (1, 4)."""
    if 0 in (*pair.gt, *pair.lq):
        return None
    times, parts = pair.gt[0] // pair.lq[0], pair.lq[0] // pair.gt[0]
    if times and all(0 <= high - times * low < times for high, low in zip(pair.gt, pair.lq, strict=True)):
        return times, 1
    return (1, parts) if pair.lq == (parts * pair.gt[0], parts * pair.gt[1]) else None


def about_crop(section: DatasetSection, sizes: Sequence[ImageSizes], scale: int | None) -> Iterator[Finding]:
    """Images that are smaller than the crop that training takes of them."""
    crop = section.gt_size
    if crop is None or not section.trains:
        return
    small = [f"{image.name} {_size(image.gt)}" for image in sizes if not image.reason and min(image.gt) < crop]
    if small:
        stated = f"{crop // scale} x scale {scale}" if scale else "gt_size"
        deed = "training ends where one is drawn" if section.lq else "trainers fill them up, so the fill is trained on"
        message = (
            f"{section.name}: the GT crop of {crop} pixels ({stated}) is larger than {len(small):,} of {len(sizes):,} "
            f"images looked at ({listed(small, SHOWN, '; ')}): {deed}."
        )
        yield Finding("crop-larger-than-images", "warning", message, "Take a smaller crop.", section.crop_place)


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


# Whether the images that a config names are there, are images, and fit together. Looks at headers of a sample only.


def check_roots(config: TrainingConfig) -> Iterator[Finding]:
    """Findings on every set of a config: each folder by itself, GT and LQ beside each other, the crop on both."""
    named = named_folders(config)
    here = {root: found for root, found in named.items() if found}
    same = {section: tuple(_same_folder(section, here)) for section in config.datasets}
    yield from (finding for findings in same.values() for finding in findings)
    if not here:
        yield from all_missing([*named])
        return
    files: dict[DatasetRoot, Sequence[ListedFile]] = {}
    for root in named:
        if root not in here:
            yield missing_root(root, "Correct the path.")
            continue
        try:
            files[root] = list_images([here[root]]).files
        except AutocalError as error:  # empty, without a single image, or closed
            fix = error.fix or "Correct the path."
            yield Finding("dataset-unreadable", "warning", error.message, fix, root.place)

    told = {root.place for root in named}
    apart = replace(config, datasets=tuple(section for section in config.datasets if not same[section]))
    yield from about_copies(apart, files)
    for finding in check_pairs(apart):
        if finding.code not in ("dataset-missing", "dataset-unreadable") or finding.place not in told:
            yield finding


def check_lq_is_not_gt(config: TrainingConfig) -> Iterator[Finding]:
    """Whether a root of the training set is GT and LQ at once, or its LQ images are its GT images."""
    config = replace(config, datasets=tuple(one for one in config.datasets if one.trains and one.lq))
    here = {root: found for root, found in named_folders(config).items() if found}
    for section in config.datasets:
        yield from _same_folder(section, here)
    files: dict[DatasetRoot, Sequence[ListedFile]] = {}
    for root, path in here.items():
        with suppress(AutocalError):  # without an image: told by the scan
            files[root] = list_images([path]).files
    yield from about_copies(config, files)


def _same_folder(section: DatasetSection, here: Mapping[DatasetRoot, Path]) -> Iterator[Finding]:
    """A root that is GT and LQ at once trains a network to change nothing."""
    for lq in section.lq:
        for gt in section.gt:
            same = gt.path == lq.path or (gt in here and lq in here and _is_same(here[gt], here[lq]))
            if same and section.filename_tmpl == "{}" and section.meta_info is None:
                message = f"{section.name}: {lq.path} is both GT and LQ."
                fix = f"Name the folder of the smaller images as {'--lq' if lq.key == '--lq' else 'dataroot_lq'}."
                yield Finding("dataset-same-folder", "error", message, fix, lq.place)


def about_copies(config: TrainingConfig, files: Mapping[DatasetRoot, Sequence[ListedFile]]) -> Iterator[Finding]:
    """Images of a validation set that are trained on under another folder, and LQ images that are their GT images."""
    whole = [section for section in config.datasets if section.meta_info is None]
    training = [file for section in whole if section.trains for root in section.gt for file in files.get(root, ())]
    for section in whole:
        for root in section.gt if not section.trains else ():
            copies = same_images(files.get(root, ()), training)
            if len(copies) > 1 or (copies and len(files[root]) == 1):
                message = f"{section.name}: images of {root.path} are trained on as well ({listed(copies, SHOWN)})."
                fix = "Keep images aside that training never sees."
                yield Finding("validation-on-training-data", "warning", message, fix, root.place)
        for gt, lq in zip(section.gt, section.lq, strict=False):
            if gt.path != lq.path and (copies := same_images(files.get(lq, ()), files.get(gt, ()))):
                message = f"{section.name}: LQ images are their GT images, byte for byte ({listed(copies, SHOWN)})."
                fix = "Make the LQ images by reducing or degrading the GT images."
                yield Finding("pairs-identical", "error", message, fix, lq.place)


def same_images(some: Sequence[ListedFile], others: Sequence[ListedFile]) -> list[str]:
    """The names of images that stand in both lists byte for byte, of a sample of the first."""
    by_size: dict[int, list[Path]] = {}
    for file in others:
        by_size.setdefault(file.size, []).append(file.path)
    return [
        file.path.name
        for file in some[:: max(1, len(some) // COMPARED)][:COMPARED]
        if any(_is_copy(path, file.path) for path in by_size.get(file.size, ())[:8])
    ]


def _is_copy(one: Path, other: Path) -> bool:
    with suppress(OSError):  # told where the folder is looked at by itself
        return not one.samefile(other) and filecmp.cmp(one, other, shallow=False)
    return False


def _is_same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return False


# The images that a probe takes its crops from: the training's own, with the network's inputs where they are paired.


def probe_images(config: TrainingConfig, folders: tuple[Path, ...]) -> tuple[Images, ...]:
    """Targets from `folders` (given by hand, then without inputs), else from the config's training set.

    Roots that are not here are passed over; of a paired one those count that have a partner. Raises AutocalError for
    one that holds no image.
    """
    from autocal_cli.probing.probe import Images

    if folders:
        return tuple(Images(file.source) for file in list_images(folders).files)
    section, folder, found = config.training_set, Path(config.path).parent, list[Images]()
    for gt, lq in zip_longest(section.gt, section.lq[: len(section.gt)]) if section else ():
        assert section is not None
        here, partners = find_root(gt, folder), find_root(lq, folder) if lq else None
        if here is None:
            continue
        listed = meta_info_of(section, folder)
        high = list_images([here], names=listed.names if listed else None).files
        if partners is None:
            found += (Images(file.source) for file in high)
            continue
        low = list_images([partners], names=listed.lq_names(section.filename_tmpl) if listed else None).files
        pairs = match(high, low, section.filename_tmpl, listed).pairs.tolist()
        found += (Images(high[i].source, low[j].source) for i, j in pairs)
    return tuple(found)
