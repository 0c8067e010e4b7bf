"""Where the bytes of one image come from: a file, or an entry of an LMDB folder."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

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
        from autocal_cli.dataset.lmdb_folder import read_entry  # the `lmdb` package is optional

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
