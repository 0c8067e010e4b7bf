"""What was measured of each image, kept between scans: a file that did not change is not decoded again.

One SQLite file in the user's cache folder. An image is known by its path, size, time of change and the version of what
is measured; whatever of these differs makes it another image, so that nothing stale is found. Rows are committed block
by block while a scan runs, so that an interrupted scan goes on where it was.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autocal_cli.dataset.decode import Wanted, WorkingImage
from autocal_cli.dataset.facts import FACTS_VERSION
from autocal_cli.dataset.files import ListedFile, printable
from autocal_cli.dataset.metrics import METRIC_VERSION
from autocal_cli.dataset.model import FileIssue, ImageFacts, PairTraces, Traces
from autocal_cli.dataset.workers import look_ahead
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
    """An image as it is now: its absolute path, size in bytes, and time of change in nanoseconds; the same of its LQ
    image in `partner`, where it was held against one.
    """

    path: Path
    size: int
    mtime_ns: int
    partner: str = ""


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
                (os.fsencode(key.path), self._version + key.partner, key.size, key.mtime_ns),
            ).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        return None if row is None else str(row[0])

    def put(self, facts: Iterable[tuple[ImageKey, str]]) -> None:
        """Keeps what was measured, in one transaction; what was known of the same paths is replaced."""
        rows = [
            (os.fsencode(key.path), key.size, key.mtime_ns, self._version + key.partner, text) for key, text in facts
        ]
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


# Reading images through the cache: what is known of a file as it is now is not decoded again.


PUT_EVERY = 64  # images written at once: what an interrupted scan may have to read again

Result = WorkingImage | FileIssue
Read = Callable[[ListedFile], Result]
Item = tuple[ListedFile, WorkingImage | None]  # a file, and what is known of it
Fresh = tuple[ListedFile, Result, bool]  # a file, what came of it, whether it was read now

_NO_PIXELS = np.empty((0, 0, 3), dtype=np.uint8)


@contextmanager
def reading_images(
    read: Read,
    files: Iterable[ListedFile],
    folder: Path | None,
    wanted: Wanted,
    workers: int,
    on_device: Callable[[Iterable[Fresh]], Iterable[Fresh]],
) -> Iterator[Iterator[Result]]:
    """What `read` makes of each file, in order, by workers, or what the cache in a folder knows of it already.

    `on_device` measures on the way what the workers left unmeasured.
    """
    with (
        open_cache(folder, wanted) as cache,
        look_ahead(read_unknown(read), with_known(files, cache, wanted.max_pixels), workers) as results,
        closing(kept(on_device(results), cache)) as reads,
    ):
        yield reads


@contextmanager
def open_cache(folder: Path | None, wanted: Wanted) -> Iterator[ImageCache | None]:
    """The cache in a folder, of images with or without their facts; None without a folder. Raises AutocalError."""
    if folder is None:
        yield None
        return
    facts = f"{FACTS_VERSION}.crop{wanted.native_crop}" if wanted.facts else "0"  # the sharpness depends on the crop
    scale = f".x{wanted.scale}" if wanted.scale else ""  # and what is told of pairs on the training's scale
    model = f".{wanted.scorer.file.sha256}" if wanted.scorer else ""
    cache = ImageCache(folder, f"{METRIC_VERSION}.{facts}{scale}{model}")
    try:
        yield cache
    finally:
        cache.close()


def with_known(files: Iterable[ListedFile], cache: ImageCache | None, max_pixels: int) -> Iterator[Item]:
    """Each file with what the cache knows of it. What lies over the limit of pixels now has to be refused anew."""
    for file in files:
        text = cache.get(_key(file)) if cache and file.database is None else None
        known = None if text is None else _sound(text)
        yield file, known if known and known.width * known.height <= max_pixels else None


def _sound(text: str) -> WorkingImage | None:
    """What a text of the cache says; None where it is damaged, and the image is read anew."""
    try:
        return from_text(text)
    except (ValueError, TypeError, KeyError):
        return None


def read_unknown(read: Read) -> Callable[[Item], Fresh]:
    """The function for the workers: (file, result, whether it was read now)."""

    def read_item(item: Item) -> Fresh:
        file, known = item
        return (file, known, False) if known else (file, read(file), True)

    return read_item


def kept(results: Iterable[Fresh], cache: ImageCache | None) -> Generator[Result, None, None]:
    """The results, those that are new and sound put into the cache on the way, block by block."""
    fresh: list[tuple[ImageKey, str]] = []
    try:
        for file, result, read_now in results:
            if cache and read_now and file.database is None and isinstance(result, WorkingImage) and _lasts(result):
                fresh.append((_key(file), to_text(result)))
                if len(fresh) >= PUT_EVERY:
                    cache.put(fresh)
                    fresh = []
            yield result
    finally:
        if cache and fresh:
            cache.put(fresh)


def _lasts(image: WorkingImage) -> bool:
    """Whether it was measured whole: why an LQ image was not read may be gone next time (a limit, rights, memory)."""
    pair = image.facts.pair if image.facts else None
    return bool(image.raw) and not (pair and pair.problem)


def to_text(image: WorkingImage) -> str:
    """What is kept of an image: everything but its pixels. Numbers come back to the bit."""
    facts = None if image.facts is None else asdict(image.facts)
    return json.dumps([image.width, image.height, image.raw, facts, image.traits, image.path])


def from_text(text: str) -> WorkingImage:
    """The image of which `to_text` was kept, without pixels."""
    width, height, raw, facts, traits, path = json.loads(text)
    return WorkingImage(
        working=_NO_PIXELS,
        thumbnail=_NO_PIXELS,
        width=width,
        height=height,
        facts=None if facts is None else _facts(**facts),
        raw=tuple(raw),
        traits=tuple(traits),
        path=path,
    )


def _facts(traces: dict[str, Any], pair: dict[str, Any] | None, mean: list[float], **others: Any) -> ImageFacts:
    paired = None if pair is None else PairTraces(**pair)
    return ImageFacts(**others, traces=Traces(**traces), mean=(mean[0], mean[1], mean[2]), pair=paired)


def _key(file: ListedFile) -> ImageKey:
    lq = file.partner
    partner = f" {lq.path.absolute()} {lq.size} {lq.mtime_ns}" if lq else ""
    return ImageKey(file.path.absolute(), file.size, file.mtime_ns, printable(partner))
