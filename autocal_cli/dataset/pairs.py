"""GT and LQ images together: which belongs to which, as trainers pair them, and whether their sizes fit."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autocal_cli.dataset.files import FileTable, ListedFile, printable
from autocal_cli.dataset.listing import MetaInfo, list_images
from autocal_cli.errors import AutocalError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Places = npt.NDArray[np.int64]

PAIRS_CHECKED = 1000  # a fault in 1% of the pairs escapes 1,000 random ones in 4 of 100,000 cases
FITTING = 0.9  # share of the GT images that a guessed template has to name an LQ image for; chosen
TRIED = 8  # GT names, and templates that they suggest

Files = tuple[ListedFile, ...]  # a GT image, and its LQ image where there is one


@dataclass(frozen=True, slots=True)
class Matching:
    """GT and LQ images of one root each: places of the pairs (n, 2), and the names of what has no partner.

    `doubled` are LQ images whose name differs from that of another in its ending alone, by which the latter counts, and
    GT images beside which another has the same LQ image. `template` is that by which names were made in the end.
    """

    pairs: Places
    without_lq: tuple[str, ...]
    without_gt: tuple[str, ...]
    doubled: tuple[str, ...]
    template: str


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
    alone, the last counts. Where no name fits the template, another counts that nearly all fit.
    """
    import numpy as np

    partners, candidates, template = _partners(gt, range(len(gt)), lq, template, listed)
    paired = np.flatnonzero(partners >= 0)
    by_partner = paired[np.argsort(partners[paired], kind="stable")]
    again = by_partner[:-1][np.diff(partners[by_partner]) == 0]

    def named(files: Sequence[ListedFile], places: Places) -> tuple[str, ...]:
        return tuple(printable(files[i].name) for i in places.tolist())

    return Matching(
        np.column_stack([paired, partners[paired]]),
        without_lq=named(gt, np.flatnonzero(partners < 0)),
        without_gt=named(lq, np.setdiff1d(candidates, partners)),
        doubled=(*named(lq, np.setdiff1d(np.arange(len(lq)), candidates)), *named(gt, again)),
        template=template,
    )


def _partners(
    gt: Sequence[ListedFile], part: range, lq: Sequence[ListedFile], template: str, listed: MetaInfo | None
) -> tuple[Places, Places, str]:
    """The place of the LQ image of each GT image of a `part`, -1 where there is none, those of all LQ images that could
    be one, and the template by which they were found.

    Stems are compared by 64 bits of their hashes, so that a million need no more than a few arrays: that two of a
    million GT and a million LQ images are taken for a pair by chance happens in one of 18 million such sets.
    """
    import numpy as np

    stems = np.fromiter(map(hash, map(stem, lq)), dtype=np.int64, count=len(lq))
    order = np.argsort(stems, kind="stable")
    order = order[np.append(np.diff(stems[order]) != 0, True)] if lq else order  # of equal ones the last

    def named(template: str) -> Places:
        wanted = (hash(partner_stem(gt[i], template, listed)) for i in part)
        hashes = np.fromiter(wanted, dtype=np.int64, count=len(part))
        if not lq:
            return np.full(len(part), -1)
        at = np.searchsorted(stems[order], hashes).clip(max=len(order) - 1)
        return np.where(stems[order[at]] == hashes, order[at], -1)

    partners = named(template)
    for guess in _templates(gt, part, lq) if listed is None and not (partners >= 0).any() else ():
        found = named(guess)
        if (found >= 0).sum() >= FITTING * len(part):
            return found, order, guess
    return partners, order, template


def _templates(gt: Sequence[ListedFile], part: range, lq: Iterable[ListedFile]) -> Iterator[str]:
    """What LQ names hold beside a GT name, the most frequent first, by a few of the GT names."""
    bases = [os.path.basename(stem(gt[i])) for i in part[:: max(1, len(part) // TRIED)][:TRIED]]  # noqa: PTH119
    names = (os.path.basename(stem(file)) for file in lq)  # noqa: PTH119
    found = Counter(name.replace(base, "{}", 1) for name in names for base in bases if base in name)
    return (template for template, _ in found.most_common(TRIED) if is_template(template))


def is_template(template: str) -> bool:
    return template.count("{}") == 1 and template.count("{") == template.count("}") == 1


@dataclass(frozen=True, slots=True)
class Paired:
    """What GT images are held against: an LQ folder for each GT root, None where it has none, and how names are made.

    `scale` is the training's, where it is known.
    """

    lq: tuple[Path | None, ...]
    template: str = "{}"
    listed: MetaInfo | None = None
    scale: int | None = None


def with_partners(gt: FileTable, paired: Paired) -> Callable[[int], ListedFile]:
    """The GT file at a place of a listing, with its partner, where it has one and its LQ folder can be read.

    It is said to be without where all of that folder could be seen.
    """
    names = paired.listed.lq_names(paired.template) if paired.listed else None
    sides: list[tuple[range, Sequence[ListedFile], Places, bool]] = []
    for part, folder in zip(gt.parts, paired.lq, strict=True):
        files: Sequence[ListedFile] = ()
        is_whole = False
        with suppress(AutocalError):  # told where names and sizes are checked
            if folder:
                listing = list_images([folder], names=names)
                files, is_whole = listing.files, not any(issue.passing for issue in listing.failures)
        partners, *_ = _partners(gt, part, files, paired.template, paired.listed)
        sides.append((part, files, partners, is_whole))

    def file_at(place: int) -> ListedFile:
        part, files, partners, is_told = next(side for side in sides if place in side[0])
        partner = partners[place - part.start]
        return replace(gt[place], partner=files[partner] if partner >= 0 else None, without_lq=partner < 0 and is_told)

    return file_at


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


def sampled(count: int, seed: int, most: int = PAIRS_CHECKED) -> Sequence[int]:
    """The places of `most` of so many images, those that belong to the seed, in order; of all where there are fewer."""
    return range(count) if count <= most else sorted(random.Random(seed).sample(range(count), most))


def sizes_of(pairs: Iterable[Files]) -> list[ImageSizes]:
    """The sizes of GT images and, where given, their LQ images, by their headers alone."""
    from autocal_cli.dataset.decode import read_size, reason_of  # takes Pillow and numpy

    found = []
    for files in pairs:
        sizes: list[tuple[int, int]] = []
        try:
            for file in files:
                sizes.append(read_size(file.source))
            found.append(ImageSizes(printable(files[0].name), gt=sizes[0], lq=sizes[-1]))
        except Exception as error:
            found.append(ImageSizes(printable(files[len(sizes)].path), reason=reason_of(error)))
    return found
