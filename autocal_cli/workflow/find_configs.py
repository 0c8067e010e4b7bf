"""Which configs are meant by what stands on the command line: files, folders, and `-`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.config.storage import read_bytes
from autocal_cli.errors import AutocalError, Place

ENDINGS = (".yml", ".yaml", ".toml")
STDIN = "<stdin>"
_TRAIN = re.compile(rb"(?m)^\s*(?:\[+\s*)?[\"']?train[\"']?\s*[:=.\]]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to look at. `named`: by the user, so that it must be a training config; else it was met in a folder."""

    path: Path | None
    named: bool

    @property
    def name(self) -> str:
        return str(self.path) if self.path else STDIN

    def read(self) -> bytes:
        """Its bytes. Raises AutocalError."""
        if self.path is not None:
            return read_bytes(self.path)
        return sys.stdin.buffer.read()


def find_configs(given: Sequence[Path]) -> list[Candidate]:
    """The files that are meant, each once, folders in the order of their names."""
    found: dict[str, Candidate] = {}
    for path in given:
        for candidate in _candidates(path):
            found.setdefault(candidate.name, candidate)
    return list(found.values())


def speaks_of_training(raw: bytes) -> bool:
    """Whether a text that cannot be parsed looks like a training config all the same."""
    return _TRAIN.search(raw) is not None


def _candidates(path: Path) -> Iterator[Candidate]:
    if str(path) == "-":
        yield Candidate(None, named=True)
    elif path.is_dir():
        try:
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())
        except OSError as error:
            raise AutocalError(
                f"The folder cannot be read: {error.strerror or error}.", place=Place(str(path))
            ) from None
        yield from (Candidate(file, named=False) for file in inside)
    else:
        yield Candidate(path, named=True)
