"""Image files as a listing holds them: packed in columns, opened as bytes, from folders or from LMDB databases."""

from __future__ import annotations

import errno
import os
import stat
import threading
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, overload

from autocal_cli.errors import AutocalError

_ENDINGS = "png jpg jpeg jpe jfif webp bmp dib tif tiff avif avifs gif ppm pgm pbm pnm jp2 j2k"
IMAGE_SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())


def is_image_name(path: str) -> bool:
    return suffix_of(path) in IMAGE_SUFFIXES


def suffix_of(path: str) -> str:
    return os.path.splitext(path)[1].lower()  # noqa: PTH122


def why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


def is_passing(error: Exception) -> bool:
    """Whether an error may be gone next time and says nothing about the image: rights, the disk, memory."""
    number = error.errno if isinstance(error, OSError) else None
    return isinstance(error, MemoryError) or (number is not None and number not in _ABSENT)


# Files in packed columns: about sixty bytes each, so that a million of them fit in memory.

Row = tuple[str, int, int]  # name below the root, size, time


@dataclass(frozen=True, slots=True)
class ListedFile:
    """An image file: where it is, its name below its root (with `/`), its size in bytes, its time in nanoseconds.

    `database` is the LMDB folder whose entry it is, None for a file of its own. `partner` is the LQ image of a GT one,
    `without_lq` says that it should have one.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int
    database: str | None = None
    partner: ListedFile | None = None
    without_lq: bool = False

    @property
    def source(self) -> ImageSource:
        return self.path if self.database is None else LmdbImage(self.database, self.name)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder: its path, its path below its root (empty, or with a final `/`), and whether it is an LMDB folder."""

    path: str
    below: str = ""
    is_lmdb: bool = False


class FileTable(Sequence[ListedFile]):
    """The files of each root in order of their names. `files[i]` makes the record; the table holds packed columns."""

    def __init__(self) -> None:
        self._folders: list[Folder] = []
        self._names = bytearray()
        self._ends = array("Q")
        self._folder = array("I")
        self._size, self._mtime = array("Q"), array("q")
        self._files = array("Q")  # of the root that is added to: two numbers a file, which say which it really is
        self._order = array("Q")
        self.parts: list[range] = []  # the places of each root's files

    def add_folder(self, folder: Folder) -> int:
        """The number under which files of this folder are added."""
        self._folders.append(folder)
        return len(self._folders) - 1

    def add(self, folder: int, name: str, status: os.stat_result, entry: int | None = None) -> None:
        """Adds a file, or the `entry` of that number of a database."""
        inode, device = status.st_ino, status.st_dev
        if entry is not None:  # the database stands for a device, so that its entries differ from all files
            inode, device = entry, -hash((device, inode)) - 1
        self._names += os.fsencode(name)
        self._ends.append(len(self._names))
        self._folder.append(folder)
        self._size.append(status.st_size)
        self._mtime.append(status.st_mtime_ns)
        self._files.extend((inode % 2**63, device % 2**63))

    def end_root(self, seen: set[int]) -> int:
        """Puts the files added since the last root in order; of those that are one and the same the first `seen` stays.

        How many others there are. Nothing of a further root is in the table before this.
        """
        first = self.parts[-1].stop if self.parts else 0
        start = len(self._ends) - len(self._files) // 2
        for row in sorted(range(start, len(self._ends)), key=self._name_below):
            inode, device = self._files[2 * (row - start) : 2 * (row - start) + 2]
            if (file := device << 64 | inode) not in seen:
                seen.add(file)
                self._order.append(row)
        self._files = array("Q")
        self.parts.append(range(first, len(self._order)))
        return len(self._ends) - start - len(self.parts[-1])

    def rows_of_roots(self) -> list[Iterator[Row]]:
        """Of each root, (name below it, size, time) of every file."""
        return [self._rows(part) for part in self.parts]

    def _rows(self, part: range) -> Iterator[Row]:
        for row in self._order[part.start : part.stop]:
            yield self._name_below(row), self._size[row], self._mtime[row]

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> ListedFile: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ListedFile]: ...
    def __getitem__(self, index: int | slice) -> ListedFile | Sequence[ListedFile]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._order[index]
        folder, name = self._folders[self._folder[row]], self._name(row)
        database = folder.path if folder.is_lmdb else None
        return ListedFile(Path(folder.path, name), folder.below + name, self._size[row], self._mtime[row], database)

    def _name(self, row: int) -> str:
        return os.fsdecode(bytes(self._names[self._ends[row - 1] if row else 0 : self._ends[row]]))

    def _name_below(self, row: int) -> str:
        return self._folders[self._folder[row]].below + self._name(row)


# The bytes of one image: a file's, or those of an entry of an LMDB folder.

SPECIAL_KINDS = {
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFDIR: "folder",
}


@dataclass(frozen=True, slots=True)
class LmdbImage:
    """One image of an LMDB folder: the folder's path, and the key that holds the encoded image."""

    folder: str
    key: str

    def __fspath__(self) -> str:
        return os.path.join(self.folder, self.key)  # noqa: PTH118 (a path is made for each of a million images)


ImageSource = Path | LmdbImage


def open_image(source: ImageSource) -> IO[bytes]:
    """The encoded image, opened for reading. Raises OSError or ValueError; what is no regular file is never opened."""
    if isinstance(source, LmdbImage):
        return BytesIO(read_entry(source.folder, source.key))
    status = source.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(special_kind(status.st_mode))
    if status.st_size == 0:
        raise ValueError("empty file (0 bytes)")
    return source.open("rb")


def special_kind(mode: int) -> str:
    """Why something that is no regular file is not read."""
    return f"not a regular file ({SPECIAL_KINDS.get(stat.S_IFMT(mode), 'of unknown kind')})"


def printable(path: str | os.PathLike[str]) -> str:
    """The path as text that can be written as UTF-8: bytes of a name that are no UTF-8 are shown as `\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


# LMDB folders as BasicSR-family trainers make them: `data.mdb` holds the images, `meta_info.txt` names them, each line
# as `NAME.png (height,width,channels) LEVEL`; the key is the line up to its first dot.

META_INFO = "meta_info.txt"
DATA = "data.mdb"

_opened: dict[str, Any] = {}  # a database may be open only once in a process
_opening = threading.Lock()


def is_lmdb_folder(path: Path) -> bool:
    """Whether trainers would take the folder for an LMDB one: its name says so."""
    return path.name.endswith(".lmdb") and path.is_dir()


def require_lmdb(folder: str) -> Any:
    """The optional `lmdb` package. Raises AutocalError with the cure where it is not installed."""
    try:
        import lmdb
    except ImportError as error:
        message = f"{folder} is an LMDB folder, and the package that reads it is not installed."
        raise AutocalError(message, fix="pip install 'autocal-cli[lmdb]'") from error
    return lmdb


def lmdb_keys(folder: Path) -> Iterator[str]:
    """The keys in the order of `meta_info.txt`. Raises AutocalError where the folder is not as trainers make it."""
    for needed in (DATA, META_INFO):
        if not (folder / needed).is_file():
            message = f"{folder} is named as an LMDB folder but holds no {needed}."
            raise AutocalError(message, fix="Make it anew with the trainer's own script, or drop .lmdb from its name.")
    try:
        with (folder / META_INFO).open(encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    yield line.rstrip("\n").split(".")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise AutocalError(f"{folder / META_INFO} cannot be read: {error}.") from error


def read_entry(folder: str, key: str) -> bytes:
    """The encoded image of a key. Raises ValueError where the database does not hold it. Safe in threads."""
    path = os.path.realpath(folder)
    with _opening:
        if path not in _opened:
            lmdb = require_lmdb(folder)
            try:
                _opened[path] = lmdb.open(path, readonly=True, lock=False, readahead=False)
            except lmdb.Error as error:
                raise ValueError(f"{DATA} cannot be opened: {str(error).rpartition(': ')[2]}") from error
    with _opened[path].begin(buffers=False) as transaction:
        value = transaction.get(key.encode("utf-8"))
    if not value:
        missing = f"named in {META_INFO}, but {DATA} holds no such key"
        raise ValueError(missing if value is None else "empty entry (0 bytes)")
    return bytes(value)
