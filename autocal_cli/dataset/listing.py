"""Lists the images under the roots, in an order that is always the same, and accounts for everything else."""

from __future__ import annotations

import hashlib
import heapq
import os
import stat
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autocal_cli.dataset.files import (
    DATA,
    FileTable,
    Folder,
    Row,
    is_image_name,
    is_lmdb_folder,
    lmdb_keys,
    printable,
    require_lmdb,
    special_kind,
    suffix_of,
    why,
)
from autocal_cli.dataset.model import FileIssue, Sighting
from autocal_cli.errors import AutocalError, Place


@dataclass(frozen=True, slots=True)
class Listing:
    """What the roots hold.

    `failures` are images that cannot even be looked at (broken links, pipes) and folders that cannot be read; `skipped`
    counts by reason; `sightings` are what the trainer takes otherwise than this scan.
    """

    files: FileTable
    failures: tuple[FileIssue, ...]
    skipped: Mapping[str, int]
    sightings: tuple[Sighting, ...]
    identity: str

    @property
    def found(self) -> int:
        """Image files and what failed already: each is accounted for in the end."""
        return len(self.files) + len(self.failures)


def list_images(
    roots: Sequence[Path], *, names: Sequence[str] | None = None, on_count: Callable[[int], None] | None = None
) -> Listing:
    """Every image file under the roots (folders, or files), each once, however many ways lead to it.

    Links are followed, hard links count as the file that they are, files are known by their ending and never opened.
    An LMDB folder holds what its meta_info.txt names. With `names` (paths below each root) nothing else counts, as when
    a trainer has a meta_info file; a name that leads nowhere is a failure. `on_count` is told the images met so far,
    every thousand. Raises AutocalError for a root that does not exist or holds no image.
    """
    if not roots:
        raise AutocalError("no dataset folder was given.")
    account, table = Account(on_count), FileTable()
    walk = Walk(table, account)
    for root in roots:
        before, skipped = account.met, account.skipped.copy()
        table.add_root()
        _list_root(root, names, table, account, walk)
        if account.met == before or not (len(table) or account.failures):
            raise AutocalError(f"{printable(root)} holds no image{_skip_note(account.skipped - skipped)}.")
    table.drop_duplicates()
    skipped_by_reason = dict(sorted(account.skipped.items()))
    digest = identity(*table.rows_of_roots())
    return Listing(table, tuple(account.failures), skipped_by_reason, account.sightings(), digest)


def identity(*roots: Iterable[Row]) -> str:
    """SHA-256 over the sorted (name below its root, size, time) of all files, in hexadecimal; each root sorted."""
    digest = hashlib.sha256()
    for name, size, mtime_ns in heapq.merge(*roots):
        digest.update(f"{name}\0{size}\0{mtime_ns}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _list_root(root: Path, names: Sequence[str] | None, table: FileTable, account: Account, walk: Walk) -> None:
    try:
        status = root.stat()
    except OSError as error:
        raise AutocalError(f"{printable(root)}: {why(error)}.", fix="Check the path of the dataset.") from error
    if is_lmdb_folder(root):
        add_lmdb(root, table, account)
    elif stat.S_ISDIR(status.st_mode) and names is not None:
        add_named(str(root), names, table, account)
    elif stat.S_ISDIR(status.st_mode):
        walk.through(str(root))
    elif not stat.S_ISREG(status.st_mode):
        account.special(str(root), status.st_mode)
    elif is_image_name(root.name):
        add_named(str(root.parent), [root.name], table, account)
    else:
        account.skip_other(str(root))


def _skip_note(skipped: Mapping[str, int]) -> str:
    parts = [f"{count} {reason}" for reason, count in sorted(skipped.items())]
    return f" ({', '.join(parts)})" if parts else ""


# The walk through a folder, depth first. A folder's own images are packed as it is read, so that only the names of one
# branch lie unpacked.


FIELDS = 4  # size, time, file number, device


@dataclass(slots=True)
class _Images:
    """The images of one folder, as they were met."""

    folder: int
    names: list[str] = field(default_factory=list)
    numbers: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, name: str, status: os.stat_result) -> None:
        self.names.append(name)
        time = status.st_mtime_ns % 2**64
        self.numbers.extend((status.st_size, time, status.st_ino % 2**64, status.st_dev % 2**64))


@dataclass(frozen=True, slots=True)
class _Block:
    """A run of a folder's images, in order."""

    images: _Images
    order: list[int]

    def pack(self, table: FileTable) -> None:
        for i in self.order:
            size, time, inode, device = self.images.numbers[FIELDS * i : FIELDS * (i + 1)]
            mtime_ns = time if time < 2**63 else time - 2**64  # files may be older than 1970
            table.add(self.images.folder, self.images.names[i], size, mtime_ns, inode, device)


class Walk:
    """One walk through all roots: folders that were seen stay known from root to root."""

    def __init__(self, table: FileTable, account: Account) -> None:
        self._table, self._account = table, account
        self._seen: set[tuple[int, int] | str] = set()

    def through(self, root: str) -> None:
        """Adds every image below the folder."""
        pending: list[Folder | _Block] = [Folder(root)] if self._is_new(root, "") else []
        while pending:
            task = pending.pop()
            if isinstance(task, _Block):
                task.pack(self._table)
            else:
                pending += reversed(self._read(task))

    def _read(self, folder: Folder) -> list[Folder | _Block]:
        """What is to be done for a folder, in the order of names: runs of its images, and the folders in it."""
        images, subfolders = _Images(self._table.add_folder(folder)), []
        try:
            with os.scandir(folder.path) as entries:
                for entry in entries:
                    if self._take(entry, images):
                        subfolders.append(entry.name)
        except OSError as error:
            self._account.fail(folder.path, f"folder cannot be read: {why(error)}")
        return self._interleaved(folder, images, sorted(subfolders, key=lambda name: f"{name}/"))

    def _take(self, entry: os.DirEntry[str], images: _Images) -> bool:
        """Sees to one entry of a folder; True for a folder that is to be walked."""
        try:
            status = _status(entry)
        except OSError as error:
            hidden = entry.name.startswith(".")
            self._account.skip_hidden(entry.path, True) if hidden else self._account.unreachable(entry.path, error)
            return False
        is_file = stat.S_ISREG(status.st_mode)
        if entry.name.startswith("."):
            self._account.skip_hidden(entry.path, not stat.S_ISDIR(status.st_mode))
        elif stat.S_ISDIR(status.st_mode):
            return True
        elif not is_file:
            self._account.special(entry.path, status.st_mode)
        elif is_image_name(entry.name):
            self._account.meet()
            images.add(entry.name, status)
        else:
            self._account.skip_other(entry.path)
        return False

    def _interleaved(self, folder: Folder, images: _Images, subfolders: list[str]) -> list[Folder | _Block]:
        order = sorted(range(len(images.names)), key=images.names.__getitem__)
        tasks: list[Folder | _Block] = []
        done = 0
        for name in subfolders:
            path = os.path.join(folder.path, name)  # noqa: PTH118 (strings are several times faster than Paths)
            if not self._is_new(path, folder.path):
                continue
            until = bisect_left(order, f"{name}/", key=images.names.__getitem__)
            tasks += [_Block(images, order[done:until]), Folder(path, f"{folder.below}{name}/")]
            done = until
        return [*tasks, _Block(images, order[done:])]

    def _is_new(self, path: str, parent: str) -> bool:
        """Whether a folder is reached for the first time. Where folders have no number, the path is it."""
        try:
            status = Path(path).stat()
        except OSError as error:
            self._account.unreachable(path, error)
            return False
        key = (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)
        if key in self._seen:
            self._account.meet()
            if _leads_up(path, parent):
                self._account.skip(path, "link to a folder above", "link-loop")
            return False
        self._seen.add(key)
        return True


def _status(entry: os.DirEntry[str]) -> os.stat_result:
    status = entry.stat()
    return status if status.st_ino else Path(entry.path).stat()  # Windows tells it only so


def _leads_up(path: str, parent: str) -> bool:
    target, inside = os.path.realpath(path), os.path.realpath(parent) if parent else ""
    return inside == target or inside.startswith(os.path.join(target, ""))  # noqa: PTH118


# The account of a listing: what failed, what was left out and why, and what the trainer would stumble over.


COUNT_EVERY = 1000


class Account:
    """Running counts of one listing, over all its roots."""

    def __init__(self, on_count: Callable[[int], None] | None = None) -> None:
        self.met = 0  # images, the broken and those met before included, and folders reached again
        self.failures: list[FileIssue] = []
        self.skipped: Counter[str] = Counter()
        self._on_count = on_count
        self._sighted: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def meet(self) -> None:
        """An image, or what stands for one."""
        self.met += 1
        if self._on_count and self.met % COUNT_EVERY == 0:
            self._on_count(self.met)

    def fail(self, path: str, reason: str) -> None:
        self.meet()
        self.failures.append(FileIssue(printable(path), reason))

    def skip(self, path: str, reason: str, trait: str) -> None:
        self.skipped[reason] += 1
        self.sight(path, trait)

    def skip_hidden(self, path: str, is_file: bool) -> None:
        kind = "file" if is_file else "folder"
        self.skip(path, f"hidden {kind}", f"hidden-{kind}")

    def skip_other(self, path: str) -> None:
        suffix = suffix_of(path)
        self.skip(path, f"not an image ({printable(suffix) if suffix else 'no extension'})", "not-an-image")

    def special(self, path: str, mode: int) -> None:
        """A pipe, a socket or a device, which is never opened."""
        if is_image_name(path):
            self.fail(path, special_kind(mode))
            self.sight(path, "special-file")
        else:
            self.skip(path, "not a regular file", "special-file")

    def unreachable(self, path: str, error: OSError) -> None:
        link = os.path.islink(path)  # noqa: PTH114
        if is_image_name(path):
            self.fail(path, f"{'broken link' if link else 'cannot be reached'}: {why(error)}")
        else:
            self.skipped["broken link" if link else "cannot be reached"] += 1
        if link:
            self.sight(path, "broken-link")

    def sight(self, path: str, trait: str) -> None:
        self._sighted[trait] += 1
        shown = printable(path)
        self._examples[trait] = min(self._examples.get(trait, shown), shown)

    def sightings(self) -> tuple[Sighting, ...]:
        return tuple(Sighting(trait, count, self._examples[trait]) for trait, count in sorted(self._sighted.items()))


def merged(sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """One sighting a trait: counts added, the first name in order as the example."""
    total: dict[str, Sighting] = {}
    for one in sightings:
        known = total.get(one.trait, one)
        count = one.count + (known.count if known is not one else 0)
        total[one.trait] = Sighting(one.trait, count, min(known.example, one.example))
    return tuple(total[trait] for trait in sorted(total))


# Images that a list names, rather than a walk finds: a meta_info file, or the meta_info.txt of an LMDB folder.


@dataclass(frozen=True, slots=True)
class MetaInfo:
    """What a meta_info file names: GT images and, where it says so (`GT, LQ`), the LQ image of each."""

    names: tuple[str, ...]
    partners: Mapping[str, str]

    def lq_name(self, name: str, template: str) -> str:
        """The LQ image of a GT image: the one stated, else the template filled, in no folder but the root."""
        stem, ending = os.path.splitext(os.path.basename(name))  # noqa: PTH119, PTH122
        return self.partners.get(name, template.replace("{}", stem) + ending)

    def lq_names(self, template: str) -> list[str]:
        """The LQ images of all."""
        return [self.lq_name(name, template) for name in self.names]


def read_meta_info(path: Path, place: Place | None = None) -> MetaInfo:
    """One image a line, further columns ignored, empty lines left out; `GT, LQ` names both, as in Real-ESRGAN.

    Raises AutocalError where it cannot be read, or where it holds no name.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = why(error) if isinstance(error, OSError) else "not UTF-8"
        raise AutocalError(f"The meta_info file {path} cannot be read: {reason}.", place=place) from error
    both = (line.partition(", ") for line in lines if line.count(", ") == 1)
    names = tuple(line.split(", ")[0].split(" ")[0] for line in lines if line)
    if not names:
        message = f"The meta_info file {path} names no image."
        raise AutocalError(message, place=place, fix="Write one name a line.")
    return MetaInfo(names, {gt: lq for gt, _, lq in both})


def add_named(folder: str, names: Iterable[str], table: FileTable, account: Account) -> None:
    """Adds the files of these names below the folder, sorted; a name that leads to no file is a failure."""
    number = table.add_folder(Folder(folder))
    for name in sorted(set(names)):
        path = os.path.join(folder, name)  # noqa: PTH118
        try:
            status = Path(path).stat()
        except (OSError, ValueError) as error:
            reason = why(error) if isinstance(error, OSError) else str(error)
            account.fail(path, f"named, but cannot be reached: {reason}")
            continue
        if not stat.S_ISREG(status.st_mode):
            account.fail(path, special_kind(status.st_mode))
            continue
        account.meet()
        table.add(number, name, status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


def add_lmdb(folder: Path, table: FileTable, account: Account) -> None:
    """Adds the keys of an LMDB folder, sorted, each with size and time of the whole database."""
    require_lmdb(str(folder))
    keys = sorted(set(lmdb_keys(folder)))
    status = (folder / DATA).stat()
    number = table.add_folder(Folder(str(folder), is_lmdb=True))
    account.sight(str(folder), "lmdb")
    for row, key in enumerate(keys):
        account.meet()
        # The database stands for a device, and the key's place in it for the file: so it differs from all others.
        table.add(number, key, status.st_size, status.st_mtime_ns, row, -hash((status.st_dev, status.st_ino)) - 1)
