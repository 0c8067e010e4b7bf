"""Lists the images under the roots, in an order that is always the same, and accounts for everything else."""

from __future__ import annotations

import hashlib
import heapq
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.dataset.files import (
    DATA,
    FileTable,
    Folder,
    Row,
    is_image_name,
    is_lmdb_folder,
    is_passing,
    lmdb_keys,
    printable,
    require_lmdb,
    special_kind,
    suffix_of,
    why,
)
from autocal_cli.dataset.model import FileIssue, Sighting
from autocal_cli.errors import AutocalError, Place

COUNT_EVERY = 1000


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
    known, key = _known.get(), (*map(os.path.abspath, roots), names and tuple(names))
    if known is None:
        return _listed(roots, names, on_count)
    if key not in known:
        known[key] = _listed(roots, names, on_count)
    return known[key]


_known: ContextVar[dict[tuple[object, ...], Listing] | None] = ContextVar("listings", default=None)


@contextmanager
def listed_once() -> Iterator[None]:
    """Within it no folder is read twice: what its first listing found counts."""
    before = _known.set({})
    try:
        yield
    finally:
        _known.reset(before)


def _listed(roots: Sequence[Path], names: Sequence[str] | None, on_count: Callable[[int], None] | None) -> Listing:
    lister, seen_files = _Lister(on_count), set[int]()
    for root in roots:
        before, skipped = lister.met, lister.skipped.copy()
        lister.add_root(root, names)
        if again := lister.files.end_root(seen_files):
            lister.skipped["another name of a file listed already"] += again
        if lister.met == before or not (len(lister.files) or lister.failures):
            reasons = [f"{count} {reason}" for reason, count in sorted((lister.skipped - skipped).items())]
            note = f" ({', '.join(reasons)})" if reasons else ""
            raise AutocalError(f"{printable(root)} holds no image{note}.")
    return Listing(
        lister.files,
        tuple(lister.failures),
        dict(sorted(lister.skipped.items())),
        lister.sightings.listed(),
        identity(*lister.files.rows_of_roots()),
    )


def identity(*roots: Iterable[Row]) -> str:
    """SHA-256 over the sorted (name below its root, size, time) of all files, in hexadecimal; each root sorted."""
    digest = hashlib.sha256()
    for name, size, mtime_ns in heapq.merge(*roots):
        digest.update(f"{name}\0{size}\0{mtime_ns}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class Sightings:
    """How many files have each trait, and the first name in order that has it."""

    def __init__(self, known: Iterable[Sighting] = ()) -> None:
        self._found = {one.trait: one for one in known}

    def add(self, trait: str, name: str) -> None:
        known = self._found.get(trait, Sighting(trait, 0, name))
        self._found[trait] = Sighting(trait, known.count + 1, min(known.example, name))

    def listed(self) -> tuple[Sighting, ...]:
        return tuple(self._found[trait] for trait in sorted(self._found))


class _Lister:
    """Files and running counts of one listing. Folders that were seen stay known from root to root.

    `met` counts images, the broken and those met before included, and folders reached again.
    """

    def __init__(self, on_count: Callable[[int], None] | None = None) -> None:
        self.files = FileTable()
        self.met = 0
        self.failures: list[FileIssue] = []
        self.skipped: Counter[str] = Counter()
        self.sightings = Sightings()
        self._on_count = on_count
        self._seen_folders: set[tuple[int, int] | str] = set()

    def add_root(self, root: Path, names: Sequence[str] | None) -> None:
        try:
            mode = root.stat().st_mode
        except OSError as error:
            raise AutocalError(f"{printable(root)}: {why(error)}.", fix="Check the path of the dataset.") from error
        if is_lmdb_folder(root):
            self._add_lmdb(root)
        elif stat.S_ISDIR(mode) and names is not None:
            self._add_named(str(root), names)
        elif stat.S_ISDIR(mode):
            self._walk(str(root))
        elif stat.S_ISREG(mode) and is_image_name(root.name):
            self._add_named(str(root.parent), [root.name])
        else:
            self._leave_out(str(root), mode)

    def _walk(self, root: str) -> None:
        """Adds every image below the folder, depth first."""
        pending = [Folder(root)] if self._is_new(root, "") else []
        while pending:
            folder = pending.pop()
            number, subfolders = self.files.add_folder(folder), []
            try:
                with os.scandir(folder.path) as entries:
                    for entry in entries:
                        if self._take(entry, number):
                            subfolders.append(entry.name)
            except OSError as error:
                self._fail(folder.path, f"folder cannot be read: {why(error)}", is_passing(error))
            inside = []
            for name in sorted(subfolders, key=lambda name: f"{name}/"):
                path = os.path.join(folder.path, name)  # noqa: PTH118 (strings are several times faster than Paths)
                if self._is_new(path, folder.path):
                    inside.append(Folder(path, f"{folder.below}{name}/"))
            pending += reversed(inside)

    def _take(self, entry: os.DirEntry[str], folder: int) -> bool:
        """Sees to one entry of a folder; True for a folder that is to be walked."""
        hidden = entry.name.startswith(".")
        try:
            status = entry.stat()
            status = status if status.st_ino else Path(entry.path).stat()  # Windows tells it only so
        except OSError as error:
            if not hidden:
                self._unreachable(entry.path, error)
                return False
            status = None
        is_folder = status is not None and stat.S_ISDIR(status.st_mode)
        if hidden or status is None:
            kind = "folder" if is_folder else "file"
            self._skip(entry.path, f"hidden {kind}", f"hidden-{kind}")
        elif stat.S_ISREG(status.st_mode) and is_image_name(entry.name):
            self._meet()
            self.files.add(folder, entry.name, status)
        elif not is_folder:
            self._leave_out(entry.path, status.st_mode)
        return is_folder and not hidden

    def _is_new(self, path: str, parent: str) -> bool:
        """Whether a folder is reached for the first time. Where folders have no number, the path is it."""
        try:
            status = Path(path).stat()
        except OSError as error:
            self._unreachable(path, error)
            return False
        key = (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)
        if key in self._seen_folders:
            self._meet()
            target, inside = os.path.realpath(path), os.path.realpath(parent) if parent else ""
            if inside == target or inside.startswith(os.path.join(target, "")):  # noqa: PTH118
                self._skip(path, "link to a folder above", "link-loop")
            return False
        self._seen_folders.add(key)
        return True

    def _add_named(self, folder: str, names: Iterable[str]) -> None:
        """The files of these names below the folder; a name that leads to no file is a failure."""
        number = self.files.add_folder(Folder(folder))
        for name in sorted(set(names)):
            path = os.path.join(folder, name)  # noqa: PTH118
            try:
                status = Path(path).stat()
            except (OSError, ValueError) as error:
                reason = why(error) if isinstance(error, OSError) else str(error)
                self._fail(path, f"named, but cannot be reached: {reason}", is_passing(error))
                continue
            if stat.S_ISREG(status.st_mode):
                self._meet()
                self.files.add(number, name, status)
            else:
                self._fail(path, special_kind(status.st_mode))

    def _add_lmdb(self, folder: Path) -> None:
        """The keys of an LMDB folder, each with size and time of the whole database."""
        require_lmdb(str(folder))
        keys, status = set(lmdb_keys(folder)), (folder / DATA).stat()
        number = self.files.add_folder(Folder(str(folder), is_lmdb=True))
        self.sightings.add("lmdb", printable(folder))
        for place, key in enumerate(sorted(keys)):
            self._meet()
            self.files.add(number, key, status, place)

    def _meet(self) -> None:
        self.met += 1
        if self._on_count and self.met % COUNT_EVERY == 0:
            self._on_count(self.met)

    def _fail(self, path: str, reason: str, passing: bool = False) -> None:
        self._meet()
        self.failures.append(FileIssue(printable(path), reason, passing))

    def _skip(self, path: str, reason: str, trait: str) -> None:
        self.skipped[reason] += 1
        self.sightings.add(trait, printable(path))

    def _leave_out(self, path: str, mode: int) -> None:
        """A file that is no image, or a pipe, a socket or a device, which is never opened."""
        if stat.S_ISREG(mode):
            ending = printable(suffix_of(path)) or "no extension"
            self._skip(path, f"not an image ({ending})", "not-an-image")
        elif is_image_name(path):
            self._fail(path, special_kind(mode))
            self.sightings.add("special-file", printable(path))
        else:
            self._skip(path, "not a regular file", "special-file")

    def _unreachable(self, path: str, error: OSError) -> None:
        link = os.path.islink(path)  # noqa: PTH114
        reason = "broken link" if link else "cannot be reached"
        if is_image_name(path):
            self._fail(path, f"{reason}: {why(error)}", is_passing(error))
        else:
            self.skipped[reason] += 1
        if link:
            self.sightings.add("broken-link", printable(path))


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
