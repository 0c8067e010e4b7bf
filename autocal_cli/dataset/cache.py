"""What was measured of each image, kept between scans: a file that did not change is not decoded again.

One SQLite file in the user's cache folder. An image is known by its path, size, time of change and the version of what
is measured; whatever of these differs makes it another image, so that nothing stale is found. Rows are committed block
by block while a scan runs, so that an interrupted scan goes on where it was.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from autocal_cli.dataset.decode import Wanted, WorkingImage
from autocal_cli.dataset.facts import FACTS_VERSION
from autocal_cli.dataset.files import ListedFile, printable
from autocal_cli.dataset.model import METRIC_VERSION, FileIssue, facts_of, values_of
from autocal_cli.errors import AutocalError

FILE_NAME = "images.sqlite"
PUT_EVERY = 64  # images written at once: what an interrupted scan may have to read again
_TABLE = """
create table if not exists images (
    path blob not null, size integer not null, mtime_ns integer not null, version text not null, facts text not null,
    primary key (path, version)
) without rowid
"""

Result = WorkingImage | FileIssue
Fresh = tuple[ListedFile, Result, bool]  # a file, what came of it, whether it was read now


class ImageCache:
    """Texts by image. `version` names what the texts say and how it was measured. Safe in threads."""

    def __init__(self, folder: Path, version: str) -> None:
        """Opens the cache in a folder, which is made. Raises AutocalError where it cannot be used."""
        self._version = version
        self.path = folder / FILE_NAME
        self._one_at_a_time = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=10.0, check_same_thread=False)
            self._database.execute("pragma journal_mode = wal")
            with self._database:
                self._database.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    def get(self, file: ListedFile) -> str | None:
        """What is known of the image, and its LQ image, as they are now, or None."""
        try:
            with self._one_at_a_time:
                row = self._database.execute(
                    "select facts from images where path = ? and size = ? and mtime_ns = ? and version = ?",
                    self._key(file),
                ).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        return None if row is None else str(row[0])

    def image(self, file: ListedFile) -> WorkingImage | None:
        """The image without its pixels; None where it is not known, or what is kept is damaged.

        Paths are those of this scan, whatever the folder was called when the image was measured.
        """
        text = self.get(file) if file.database is None else None
        try:
            image = from_text(text) if text else None
        except (ValueError, TypeError, KeyError):
            return None
        if image is None or image.path == (path := printable(file.path)):
            return image
        facts, pair = image.facts, image.facts.pair if image.facts else None
        if pair and file.partner:
            pair = replace(pair, lq=printable(file.partner.path))
        return replace(image, path=path, facts=facts and replace(facts, path=path, pair=pair))

    def put(self, facts: Iterable[tuple[ListedFile, str]]) -> None:
        """Keeps what was measured, in one transaction; what was known of the same paths is replaced."""
        rows = [(*self._key(file), text) for file, text in facts]
        try:
            with self._one_at_a_time, self._database:
                self._database.executemany("insert or replace into images values (?, ?, ?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def close(self) -> None:
        with self._one_at_a_time:
            self._database.close()

    def _key(self, file: ListedFile) -> tuple[bytes, int, int, str]:
        lq = file.partner
        partner = f" {lq.path.absolute()} {lq.size} {lq.mtime_ns}" if lq else " alone" if file.without_lq else ""
        return os.fsencode(file.path.absolute()), file.size, file.mtime_ns, self._version + printable(partner)

    def _unusable(self, error: Exception) -> AutocalError:
        message = f"The cache {self.path} cannot be used: {error}."
        cure = "Delete it" if self.path.is_file() else "Name another folder by AUTOCAL_CACHE"
        return AutocalError(message, fix=f"{cure}, or scan with --no-cache.")


def version_of(wanted: Wanted) -> str:
    """What facts depend on: the sharpness on the crop, and what is told of pairs on the training's scale."""
    facts = f"{FACTS_VERSION}.crop{wanted.native_crop}" if wanted.facts else "0"
    scale = f".x{wanted.scale}" if wanted.scale else ""
    model = f".{wanted.scorer.file.sha256}" if wanted.scorer else ""
    return f"{METRIC_VERSION}.{facts}{scale}{model}"


def kept(results: Iterable[Fresh], cache: ImageCache | None) -> Generator[Result, None, None]:
    """The results, those that are new and sound put into the cache on the way, block by block."""
    fresh: list[tuple[ListedFile, str]] = []
    try:
        for file, result, read_now in results:
            if cache and read_now and file.database is None and isinstance(result, WorkingImage) and result.raw:
                pair = result.facts.pair if result.facts else None
                if not (pair and pair.problem):  # which may be gone next time: a limit, rights, memory
                    fresh.append((file, to_text(result)))
                if len(fresh) >= PUT_EVERY:
                    cache.put(fresh)
                    fresh = []
            yield result
    finally:
        if cache and fresh:
            cache.put(fresh)


def to_text(image: WorkingImage) -> str:
    """What is kept of an image: everything but its pixels. Numbers come back to the bit."""
    facts = image.facts and values_of(image.facts)
    return json.dumps([image.width, image.height, image.raw, facts, image.traits, image.path])


def from_text(text: str) -> WorkingImage:
    """The image of which `to_text` was kept, without pixels."""
    width, height, raw, facts, traits, path = json.loads(text)
    nothing = np.empty((0, 0, 3), dtype=np.uint8)
    return WorkingImage(nothing, nothing, width, height, facts and facts_of(facts), tuple(raw), tuple(traits), path)
