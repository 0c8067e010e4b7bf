"""GT and LQ images together: which belongs to which, as trainers pair them, and whether their sizes fit."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autocal_cli.dataset.files import ListedFile, printable
from autocal_cli.dataset.listing import MetaInfo

PAIRS_CHECKED = 1000  # a fault in 1% of the pairs escapes 1,000 random ones in 4 of 100,000 cases


Files = tuple[ListedFile, ...]  # a GT image, and its LQ image where there is one


@dataclass(frozen=True, slots=True)
class Matching:
    """GT and LQ images of one root each: positions of the pairs, and the names of what has no partner."""

    pairs: tuple[tuple[int, int], ...]
    without_lq: tuple[str, ...]
    without_gt: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageSizes:
    """(width, height) of a GT image and its LQ image (its own where there is none), as their headers state them.

    `reason` says why one of them cannot be opened.
    """

    name: str
    gt: tuple[int, int] = (0, 0)
    lq: tuple[int, int] = (0, 0)
    reason: str | None = None


def match(
    gt: Sequence[ListedFile], lq: Sequence[ListedFile], template: str = "{}", listed: MetaInfo | None = None
) -> Matching:
    """Pairs by the path below the root without ending; the LQ image's name is the template filled with the GT's.

    A meta_info file may state the LQ image, and has it in the root otherwise. Where two files differ in their ending
    alone, the last counts.
    """
    by_stem = {stem(file): i for i, file in enumerate(lq)}
    pairs, without_lq = [], []
    for i, file in enumerate(gt):
        partner = by_stem.get(partner_stem(file, template, listed))
        if partner is None:
            without_lq.append(printable(file.name))
        else:
            pairs.append((i, partner))
    used = {partner for _, partner in pairs}
    without_gt = tuple(printable(lq[i].name) for i in by_stem.values() if i not in used)
    return Matching(tuple(pairs), tuple(without_lq), without_gt)


def stem(file: ListedFile) -> str:
    """What pairs are made by: the path below the root without ending; an LMDB key has none."""
    return file.name if file.database else without_ending(file.name)


def partner_stem(gt: ListedFile, template: str, listed: MetaInfo | None = None) -> str:
    """The stem that the LQ image of a GT image should have."""
    if gt.database:
        return gt.name
    if listed:
        return without_ending(listed.lq_name(gt.name, template))
    folder, slash, base = stem(gt).rpartition("/")
    return folder + slash + template.replace("{}", base)


def without_ending(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122


def sample_pairs(pairs: Sequence[Files], seed: int, most: int = PAIRS_CHECKED) -> list[Files]:
    """`most` of the pairs, those that belong to the seed, or all where there are fewer."""
    chosen = range(len(pairs)) if len(pairs) <= most else sorted(random.Random(seed).sample(range(len(pairs)), most))
    return [pairs[i] for i in chosen]


def sizes_of(pairs: Iterable[Files]) -> list[ImageSizes]:
    """The sizes of GT images and, where given, their LQ images, by their headers alone."""
    return [_sizes(files) for files in pairs]


def _sizes(files: Files) -> ImageSizes:
    from autocal_cli.dataset.decode import read_size, reason_of  # takes Pillow and numpy

    sizes = []
    for file in files:
        try:
            sizes.append(read_size(file.source))
        except Exception as error:
            return ImageSizes(printable(file.path), reason=reason_of(error))
    return ImageSizes(printable(files[0].name), gt=sizes[0], lq=sizes[-1])
