"""Roots -> the images in them, in an order that is always the same, and an account of all else."""

from __future__ import annotations

import hashlib
import heapq
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.dataset.account import Account, is_image_name, why
from autocal_cli.dataset.file_table import FileTable, ListedFile, Row
from autocal_cli.dataset.lmdb_folder import is_lmdb_folder
from autocal_cli.dataset.named import add_lmdb, add_named
from autocal_cli.dataset.record import FileIssue, Sighting
from autocal_cli.dataset.source import printable
from autocal_cli.dataset.walk import Walk
from autocal_cli.errors import AutocalError


@dataclass(frozen=True, slots=True)
class Listing:
    """What the roots hold.

    `failures` are images that cannot even be looked at (broken links, pipes) and folders that cannot be read; `skipped`
    counts by reason; `sightings` are what the trainer takes otherwise than this scan.
    """

    files: Sequence[ListedFile]
    failures: tuple[FileIssue, ...]
    skipped: Mapping[str, int]
    sightings: tuple[Sighting, ...]
    identity: str

    @property
    def found(self) -> int:
        """Image files and what failed already: each is accounted for in the end."""
        return len(self.files) + len(self.failures)


def list_images(
    roots: Sequence[Path], *, names: Sequence[str] | None = None, on_count: Callable[[int], None] | None = None
) -> Listing:
    """Every image file under the roots (folders, or files), each once, however many ways lead to it.

    Links are followed, hard links count as the file that they are, files are known by their ending and never opened.
    An LMDB folder holds what its meta_info.txt names. With `names` (paths below each root) nothing else counts, as when
    a trainer has a meta_info file; a name that leads nowhere is a failure. `on_count` is told the images met so far,
    every thousand. Raises AutocalError for a root that does not exist or holds no image.
    """
    if not roots:
        raise AutocalError("no dataset folder was given.")
    account, table = Account(on_count), FileTable()
    walk = Walk(table, account)
    for root in roots:
        before, skipped = account.met, account.skipped.copy()
        table.add_root()
        _list_root(root, names, table, account, walk)
        if account.met == before or not (len(table) or account.failures):
            raise AutocalError(f"{printable(root)} holds no image{_skip_note(account.skipped - skipped)}.")
    table.drop_duplicates()
    skipped_by_reason = dict(sorted(account.skipped.items()))
    digest = identity(*table.rows_of_roots())
    return Listing(table, tuple(account.failures), skipped_by_reason, account.sightings(), digest)


def identity(*roots: Iterable[Row]) -> str:
    """SHA-256 over the sorted (name below its root, size, time) of all files, in hexadecimal; each root sorted."""
    digest = hashlib.sha256()
    for name, size, mtime_ns in heapq.merge(*roots):
        digest.update(f"{name}\0{size}\0{mtime_ns}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _list_root(root: Path, names: Sequence[str] | None, table: FileTable, account: Account, walk: Walk) -> None:
    try:
        status = root.stat()
    except OSError as error:
        raise AutocalError(f"{printable(root)}: {why(error)}.", fix="Check the path of the dataset.") from error
    if is_lmdb_folder(root):
        add_lmdb(root, table, account)
    elif stat.S_ISDIR(status.st_mode) and names is not None:
        add_named(str(root), names, table, account)
    elif stat.S_ISDIR(status.st_mode):
        walk.through(str(root))
    elif not stat.S_ISREG(status.st_mode):
        account.special(str(root), status.st_mode)
    elif is_image_name(root.name):
        add_named(str(root.parent), [root.name], table, account)
    else:
        account.skip_other(str(root))


def _skip_note(skipped: Mapping[str, int]) -> str:
    parts = [f"{count} {reason}" for reason, count in sorted(skipped.items())]
    return f" ({', '.join(parts)})" if parts else ""
