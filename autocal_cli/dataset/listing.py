"""Folders -> the image files in them, in an order that is always the same, and a count of all else."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.dataset.decode import printable
from autocal_cli.dataset.record import FileIssue
from autocal_cli.errors import AutocalError

IMAGE_ENDINGS = "png jpg jpeg jpe jfif webp bmp dib tif tiff avif avifs gif ppm pgm pbm pnm jp2 j2k"
IMAGE_SUFFIXES = frozenset(f".{ending}" for ending in IMAGE_ENDINGS.split())


@dataclass(frozen=True, slots=True)
class ListedFile:
    """An image file: where it is, its name below its root (with `/`), its size in bytes, its time in nanoseconds."""

    path: Path
    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What the roots hold. `failures` are broken links and folders that cannot be read, `skipped` counts by reason."""

    files: tuple[ListedFile, ...]
    failures: tuple[FileIssue, ...]
    skipped: Mapping[str, int]
    identity: str

    @property
    def found(self) -> int:
        """Image files and what failed already: each is accounted for in the end."""
        return len(self.files) + len(self.failures)


def list_images(roots: Sequence[Path]) -> Listing:
    """Every image file under the roots (folders, or files), each once, however many ways lead to it.

    Links are followed, hard links count as the file that they are, files are known by their ending and never opened.
    Raises AutocalError for a root that does not exist or holds no image.
    """
    if not roots:
        raise AutocalError("no dataset folder was given.")
    walk = _Walk()
    files: list[ListedFile] = []
    for root in roots:
        before, skipped = walk.met, walk.skipped.copy()
        files += sorted(walk.under(root), key=lambda file: file.name)
        if walk.met == before or not (files or walk.failures):
            raise AutocalError(f"{printable(root)} holds no image{_skip_note(walk.skipped - skipped)}.")
    return Listing(tuple(files), tuple(walk.failures), dict(sorted(walk.skipped.items())), identity(files))


def identity(files: Iterable[ListedFile]) -> str:
    """SHA-256 over the sorted (name below its root, size, time) of the files, in hexadecimal."""
    digest = hashlib.sha256()
    for name, size, mtime_ns in sorted((file.name, file.size, file.mtime_ns) for file in files):
        digest.update(f"{name}\0{size}\0{mtime_ns}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class _Walk:
    """One walk through all roots: what was seen stays known from root to root."""

    def __init__(self) -> None:
        self.met = 0  # images, the broken and the already counted included, and folders reached again
        self.failures: list[FileIssue] = []
        self.skipped: Counter[str] = Counter()
        self._seen: set[tuple[int, int] | str] = set()

    def under(self, root: Path) -> Iterator[ListedFile]:
        try:
            root.stat()
        except OSError as error:
            raise AutocalError(f"{printable(root)}: {_why(error)}.", fix="Check the path of the dataset.") from error
        pending = [root]
        while pending:
            path = pending.pop()
            try:
                status = path.stat()
            except OSError as error:
                self._note_unreachable(path, error)
                continue
            if stat.S_ISDIR(status.st_mode):
                if self._is_new(path, status):
                    pending += self._entries(path)
                else:
                    self.met += 1
            elif self._is_image(path, status):
                self.met += 1
                if self._is_new(path, status):
                    name = path.name if path == root else path.relative_to(root).as_posix()
                    yield ListedFile(path, name, status.st_size, status.st_mtime_ns)

    def _entries(self, folder: Path) -> list[Path]:
        """The folder's entries that are not hidden, last name first, as a stack wants them."""
        try:
            names = sorted((entry.name for entry in folder.iterdir()), reverse=True)
        except OSError as error:
            self.met += 1
            self.failures.append(FileIssue(printable(folder), f"folder cannot be read: {_why(error)}"))
            return []
        shown = [name for name in names if not name.startswith(".")]
        if len(shown) < len(names):
            self.skipped["hidden file"] += len(names) - len(shown)
        return [folder / name for name in shown]

    def _is_image(self, path: Path, status: os.stat_result) -> bool:
        if not self._has_image_suffix(path):
            return False
        if not stat.S_ISREG(status.st_mode):
            self.skipped["not a regular file"] += 1
            return False
        return True

    def _has_image_suffix(self, path: Path) -> bool:
        suffix = path.suffix.lower()
        if suffix not in IMAGE_SUFFIXES:
            self.skipped[f"not an image ({printable(Path(suffix)) if suffix else 'no extension'})"] += 1
        return suffix in IMAGE_SUFFIXES

    def _note_unreachable(self, path: Path, error: OSError) -> None:
        if not path.is_symlink() or self._has_image_suffix(path):
            self.met += 1
            kind = "broken link" if path.is_symlink() else "cannot be reached"
            self.failures.append(FileIssue(printable(path), f"{kind}: {_why(error)}"))

    def _is_new(self, path: Path, status: os.stat_result) -> bool:
        """Whether this file or folder is reached for the first time. Where files have no number, the path is it."""
        key = (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _skip_note(skipped: Mapping[str, int]) -> str:
    parts = [f"{count} {reason}" for reason, count in sorted(skipped.items())]
    return f" ({', '.join(parts)})" if parts else ""
