"""The account of a listing: what failed, what was left out and why, and what the trainer would stumble over."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable

from autocal_cli.dataset.record import FileIssue, Sighting
from autocal_cli.dataset.source import printable, special_kind

IMAGE_ENDINGS = "png jpg jpeg jpe jfif webp bmp dib tif tiff avif avifs gif ppm pgm pbm pnm jp2 j2k"
IMAGE_SUFFIXES = frozenset(f".{ending}" for ending in IMAGE_ENDINGS.split())
COUNT_EVERY = 1000


class Account:
    """Running counts of one listing, over all its roots."""

    def __init__(self, on_count: Callable[[int], None] | None = None) -> None:
        self.met = 0  # images, the broken and those met before included, and folders reached again
        self.failures: list[FileIssue] = []
        self.skipped: Counter[str] = Counter()
        self._on_count = on_count
        self._sighted: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def meet(self) -> None:
        """An image, or what stands for one."""
        self.met += 1
        if self._on_count and self.met % COUNT_EVERY == 0:
            self._on_count(self.met)

    def fail(self, path: str, reason: str) -> None:
        self.meet()
        self.failures.append(FileIssue(printable(path), reason))

    def skip(self, path: str, reason: str, trait: str) -> None:
        self.skipped[reason] += 1
        self.sight(path, trait)

    def skip_hidden(self, path: str, is_file: bool) -> None:
        kind = "file" if is_file else "folder"
        self.skip(path, f"hidden {kind}", f"hidden-{kind}")

    def skip_other(self, path: str) -> None:
        suffix = suffix_of(path)
        self.skip(path, f"not an image ({printable(suffix) if suffix else 'no extension'})", "not-an-image")

    def special(self, path: str, mode: int) -> None:
        """A pipe, a socket or a device, which is never opened."""
        if is_image_name(path):
            self.fail(path, special_kind(mode))
            self.sight(path, "special-file")
        else:
            self.skip(path, "not a regular file", "special-file")

    def unreachable(self, path: str, error: OSError) -> None:
        link = os.path.islink(path)  # noqa: PTH114
        if is_image_name(path):
            self.fail(path, f"{'broken link' if link else 'cannot be reached'}: {why(error)}")
        else:
            self.skipped["broken link" if link else "cannot be reached"] += 1
        if link:
            self.sight(path, "broken-link")

    def sight(self, path: str, trait: str) -> None:
        self._sighted[trait] += 1
        shown = printable(path)
        self._examples[trait] = min(self._examples.get(trait, shown), shown)

    def sightings(self) -> tuple[Sighting, ...]:
        return tuple(Sighting(trait, count, self._examples[trait]) for trait, count in sorted(self._sighted.items()))


def merged(sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """One sighting a trait: counts added, the first name in order as the example."""
    total: dict[str, Sighting] = {}
    for one in sightings:
        known = total.get(one.trait, one)
        count = one.count + (known.count if known is not one else 0)
        total[one.trait] = Sighting(one.trait, count, min(known.example, one.example))
    return tuple(total[trait] for trait in sorted(total))


def is_image_name(path: str) -> bool:
    return suffix_of(path) in IMAGE_SUFFIXES


def suffix_of(path: str) -> str:
    return os.path.splitext(path)[1].lower()  # noqa: PTH122


def why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
