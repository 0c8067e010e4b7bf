"""Reading images through the cache: what is known of a file as it is now is not decoded again."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from autocal_cli.dataset.cache import ImageCache, ImageKey
from autocal_cli.dataset.decode import Wanted, WorkingImage
from autocal_cli.dataset.facts import FACTS_VERSION, has_perceptual_hash
from autocal_cli.dataset.file_table import ListedFile
from autocal_cli.dataset.lookahead import look_ahead
from autocal_cli.dataset.metric_numbers import METRIC_VERSION
from autocal_cli.dataset.record import FileIssue
from autocal_cli.dataset.report_record import ImageFacts
from autocal_cli.dataset.source import ImageSource

PUT_EVERY = 64  # images written at once: what an interrupted scan may have to read again

Result = WorkingImage | FileIssue
Read = Callable[[ImageSource], Result]
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
    cache = ImageCache(folder, f"{METRIC_VERSION}.{_facts_version(wanted) if wanted.facts else 0}")
    try:
        yield cache
    finally:
        cache.close()


def _facts_version(wanted: Wanted) -> str:
    """What else the facts depend on stands in it too: the crop for sharpness, and whether there is a hash library."""
    return f"{FACTS_VERSION}.crop{wanted.native_crop}{'hashed' if has_perceptual_hash() else ''}"


def with_known(files: Iterable[ListedFile], cache: ImageCache | None, max_pixels: int) -> Iterator[Item]:
    """Each file with what the cache knows of it. What lies over the limit of pixels now has to be refused anew."""
    for file in files:
        text = cache.get(_key(file)) if cache and file.database is None else None
        known = None if text is None else from_text(text)
        yield file, known if known and known.width * known.height <= max_pixels else None


def read_unknown(read: Read) -> Callable[[Item], Fresh]:
    """The function for the workers: (file, result, whether it was read now)."""

    def read_item(item: Item) -> Fresh:
        file, known = item
        return (file, known, False) if known else (file, read(file.source), True)

    return read_item


def kept(results: Iterable[Fresh], cache: ImageCache | None) -> Generator[Result, None, None]:
    """The results, those that are new and sound put into the cache on the way, block by block."""
    fresh: list[tuple[ImageKey, str]] = []
    try:
        for file, result, read_now in results:
            if cache and read_now and file.database is None and isinstance(result, WorkingImage) and result.raw:
                fresh.append((_key(file), to_text(result)))
                if len(fresh) >= PUT_EVERY:
                    cache.put(fresh)
                    fresh = []
            yield result
    finally:
        if cache and fresh:
            cache.put(fresh)


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
        facts=None if facts is None else ImageFacts(**facts),
        raw=tuple(raw),
        traits=tuple(traits),
        path=path,
    )


def _key(file: ListedFile) -> ImageKey:
    return ImageKey(file.path.absolute(), file.size, file.mtime_ns)
