"""What was measured of each image, kept between scans: a file that did not change is not decoded again.

One SQLite file in the user's cache folder. An image is known by its path, size, time of change and the version of what
is measured; whatever of these differs makes it another image, so that nothing stale is found. Rows are committed block
by block while a scan runs, so that an interrupted scan goes on where it was.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.errors import AutocalError

FILE_NAME = "images.sqlite"
_TABLE = """
create table if not exists images (
    path blob not null, size integer not null, mtime_ns integer not null, version text not null, facts text not null,
    primary key (path, version)
) without rowid
"""


@dataclass(frozen=True, slots=True)
class ImageKey:
    """An image as it is now: its absolute path, size in bytes, and time of change in nanoseconds."""

    path: Path
    size: int
    mtime_ns: int


class ImageCache:
    """Texts by image. `version` names what the texts say and how it was measured. For one thread."""

    def __init__(self, folder: Path, version: str) -> None:
        """Opens the cache in a folder, which is made. Raises AutocalError where it cannot be used."""
        self._version = version
        self.path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=10.0)
            self._database.execute("pragma journal_mode = wal")
            with self._database:
                self._database.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    def get(self, key: ImageKey) -> str | None:
        """What is known of the image as it is now, or None."""
        try:
            row = self._database.execute(
                "select facts from images where path = ? and version = ? and size = ? and mtime_ns = ?",
                (os.fsencode(key.path), self._version, key.size, key.mtime_ns),
            ).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        return None if row is None else str(row[0])

    def put(self, facts: Iterable[tuple[ImageKey, str]]) -> None:
        """Keeps what was measured, in one transaction; what was known of the same paths is replaced."""
        rows = [(os.fsencode(key.path), key.size, key.mtime_ns, self._version, text) for key, text in facts]
        try:
            with self._database:
                self._database.executemany("insert or replace into images values (?, ?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def close(self) -> None:
        self._database.close()

    def _unusable(self, error: Exception) -> AutocalError:
        message = f"The cache {self.path} cannot be used: {error}."
        return AutocalError(message, fix="Delete it, or scan with --no-cache.")
