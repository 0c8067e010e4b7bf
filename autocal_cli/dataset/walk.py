"""Walks a folder: its images go into a table, sorted by their path below the root; all else into the account.

Depth first, with a folder's own images read as it is met, so that only the names of one branch lie unpacked.
"""

from __future__ import annotations

import os
import stat
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path

from autocal_cli.dataset.account import Account, is_image_name, why
from autocal_cli.dataset.file_table import FileTable, Folder

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
