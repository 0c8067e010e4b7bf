"""LMDB folders as BasicSR-family trainers make them: `data.mdb` holds the images, `meta_info.txt` names them.

Each line of `meta_info.txt` is `NAME.png (height,width,channels) LEVEL`; the key is the line up to its first dot.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autocal_cli.errors import AutocalError

ENDING = ".lmdb"
META_INFO = "meta_info.txt"
DATA = "data.mdb"

_opened: dict[str, Any] = {}  # a database may be open only once in a process
_opening = threading.Lock()


def is_lmdb_folder(path: Path) -> bool:
    """Whether trainers would take the folder for an LMDB one: its name says so."""
    return path.name.endswith(ENDING) and path.is_dir()


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
    with _environment(folder).begin(buffers=False) as transaction:
        value = transaction.get(key.encode("utf-8"))
    if value is None:
        raise ValueError(f"named in {META_INFO}, but {DATA} holds no such key")
    if not value:
        raise ValueError("empty entry (0 bytes)")
    return bytes(value)


def _environment(folder: str) -> Any:
    path = os.path.realpath(folder)
    with _opening:
        if path not in _opened:
            lmdb = require_lmdb(folder)
            try:
                _opened[path] = lmdb.open(path, readonly=True, lock=False, readahead=False)
            except lmdb.Error as error:
                raise ValueError(f"{DATA} cannot be opened: {str(error).rpartition(': ')[2]}") from error
        return _opened[path]
