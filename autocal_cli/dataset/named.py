"""Images that a list names, rather than a walk finds: a meta_info file, or the meta_info.txt of an LMDB folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.dataset.account import Account, why
from autocal_cli.dataset.file_table import FileTable, Folder
from autocal_cli.dataset.lmdb_folder import DATA, lmdb_keys, require_lmdb
from autocal_cli.dataset.source import special_kind
from autocal_cli.errors import AutocalError, Place


@dataclass(frozen=True, slots=True)
class MetaInfo:
    """What a meta_info file names: GT images and, where it says so (`GT, LQ`), the LQ image of each."""

    names: tuple[str, ...]
    partners: Mapping[str, str]

    def lq_name(self, name: str, template: str) -> str:
        """The LQ image of a GT image: the one stated, else the template filled, in no folder but the root."""
        stem, ending = os.path.splitext(os.path.basename(name))  # noqa: PTH119, PTH122
        return self.partners.get(name, template.replace("{}", stem) + ending)


def read_meta_info(path: Path, place: Place | None = None) -> MetaInfo:
    """One image a line, further columns ignored, empty lines left out; `GT, LQ` names both, as in Real-ESRGAN.

    Raises AutocalError where it cannot be read, or where it holds no name.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = why(error) if isinstance(error, OSError) else "not UTF-8"
        raise AutocalError(f"The meta_info file {path} cannot be read: {reason}.", place=place) from error
    both = (line.partition(", ") for line in lines if line.count(", ") == 1)
    names = tuple(line.split(", ")[0].split(" ")[0] for line in lines if line)
    if not names:
        message = f"The meta_info file {path} names no image."
        raise AutocalError(message, place=place, fix="Write one name a line.")
    return MetaInfo(names, {gt: lq for gt, _, lq in both})


def add_named(folder: str, names: Iterable[str], table: FileTable, account: Account) -> None:
    """Adds the files of these names below the folder, sorted; a name that leads to no file is a failure."""
    number = table.add_folder(Folder(folder))
    for name in sorted(set(names)):
        path = os.path.join(folder, name)  # noqa: PTH118
        try:
            status = Path(path).stat()
        except (OSError, ValueError) as error:
            reason = why(error) if isinstance(error, OSError) else str(error)
            account.fail(path, f"named, but cannot be reached: {reason}")
            continue
        if not stat.S_ISREG(status.st_mode):
            account.fail(path, special_kind(status.st_mode))
            continue
        account.meet()
        table.add(number, name, status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev)


def add_lmdb(folder: Path, table: FileTable, account: Account) -> None:
    """Adds the keys of an LMDB folder, sorted, each with size and time of the whole database."""
    require_lmdb(str(folder))
    keys = sorted(set(lmdb_keys(folder)))
    status = (folder / DATA).stat()
    number = table.add_folder(Folder(str(folder), is_lmdb=True))
    account.sight(str(folder), "lmdb")
    for row, key in enumerate(keys):
        account.meet()
        # The database stands for a device, and the key's place in it for the file: so it differs from all others.
        table.add(number, key, status.st_size, status.st_mtime_ns, row, -hash((status.st_dev, status.st_ino)) - 1)
