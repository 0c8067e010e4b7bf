"""The image files of a listing, packed: about sixty bytes each, so that a million of them fit in memory."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import overload

import numpy as np

from autocal_cli.dataset.source import ImageSource, LmdbImage

Row = tuple[str, int, int]

_POSITIVE = 2**63  # file and device numbers are kept modulo this: they only have to differ


@dataclass(frozen=True, slots=True)
class ListedFile:
    """An image file: where it is, its name below its root (with `/`), its size in bytes, its time in nanoseconds.

    `database` is the LMDB folder whose entry it is, None for a file of its own.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int
    database: str | None = None

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
    """Files in the order in which they were added. `files[i]` makes the record; the table holds packed columns."""

    def __init__(self) -> None:
        self._folders: list[Folder] = []
        self._names = bytearray()
        self._ends = array("Q")
        self._folder = array("I")
        self._size, self._mtime = array("Q"), array("q")
        self._inode, self._device = array("Q"), array("Q")
        self._kept: Sequence[int] = range(0)
        self._roots: list[int] = []

    def add_root(self) -> None:
        """What is added from here on lies below another root."""
        self._roots.append(len(self._ends))

    def add_folder(self, folder: Folder) -> int:
        """The number under which files of this folder are added."""
        self._folders.append(folder)
        return len(self._folders) - 1

    def add(self, folder: int, name: str, size: int, mtime_ns: int, inode: int, device: int) -> None:
        """Adds a file; (inode, device) says which file it really is."""
        self._names += os.fsencode(name)
        self._ends.append(len(self._names))
        self._folder.append(folder)
        self._size.append(size)
        self._mtime.append(mtime_ns)
        self._inode.append(inode % _POSITIVE)
        self._device.append(device % _POSITIVE)
        self._kept = range(len(self._ends))

    def drop_duplicates(self) -> None:
        """Keeps the first of the files that are one and the same. Nothing can be added after this."""
        inodes, devices = np.asarray(self._inode), np.asarray(self._device)
        order = np.lexsort((devices, inodes))  # stable: of equal files the first stays first
        inodes, devices = inodes[order], devices[order]
        again = order[1:][(inodes[1:] == inodes[:-1]) & (devices[1:] == devices[:-1])]
        self._inode, self._device = array("Q"), array("Q")
        if len(again):
            self._kept = array("Q", np.delete(np.arange(len(order), dtype=np.uint64), again).tobytes())

    def rows_of_roots(self) -> list[Iterator[Row]]:
        """Of each root, (name below it, size, time) of every file."""
        bounds = [bisect_left(self._kept, start) for start in (*self._roots, len(self._ends))]
        return [self._rows(self._kept[start:stop]) for start, stop in pairwise(bounds)]

    def _rows(self, kept: Sequence[int]) -> Iterator[Row]:
        below = [folder.below for folder in self._folders]
        for i in kept:
            yield below[self._folder[i]] + self._name(i), self._size[i], self._mtime[i]

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> ListedFile: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ListedFile]: ...
    def __getitem__(self, index: int | slice) -> ListedFile | Sequence[ListedFile]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = self._kept[index]
        folder, name = self._folders[self._folder[i]], self._name(i)
        database = folder.path if folder.is_lmdb else None
        return ListedFile(Path(folder.path, name), folder.below + name, self._size[i], self._mtime[i], database)

    def _name(self, i: int) -> str:
        return os.fsdecode(bytes(self._names[self._ends[i - 1] if i else 0 : self._ends[i]]))
