"""Reading and replacing files: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from autocal_cli.errors import AutocalError, Place


def read_bytes(path: Path) -> bytes:
    """The bytes of a config. Raises AutocalError with the reason in one line."""
    if path.is_dir():
        raise AutocalError("This is a folder, not a config.", place=Place(str(path)), fix="Name the YAML file in it.")
    if path.exists() and not path.is_file():  # a FIFO would never end
        raise AutocalError("This is not a regular file.", place=Place(str(path)))
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise AutocalError("There is no such file.", place=Place(str(path))) from None
    except OSError as error:
        raise AutocalError(f"The file cannot be read: {error.strerror or error}.", place=Place(str(path))) from None


def replace_file(path: Path, data: bytes) -> None:
    """Writes `data` so that readers see the old file or the new one, never a part.

    A symbolic link stays a link and its target is replaced; an existing file's mode is kept. Raises AutocalError.
    """
    temporary: str | None = None
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():  # renaming over a pipe or /dev/null would destroy it
            raise AutocalError("This is not a regular file.", place=Place(str(path)))
        handle, temporary = tempfile.mkstemp(prefix=".autocal.", suffix=".tmp", dir=target.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        else:
            Path(temporary).chmod(0o666 & ~_umask())
        os.replace(temporary, target)  # noqa: PTH105 (the one call that is atomic on every system)
        temporary = None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        reason = getattr(error, "strerror", None) or str(error)
        raise AutocalError(f"The file cannot be written: {reason}.", place=Place(str(path))) from None
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
