"""The rows of a scan: one an image, in a temporary file as soon as they are many."""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Sequence
from tempfile import SpooledTemporaryFile, gettempdir
from typing import overload

from autocal_cli.dataset.model import ImageRow, facts_of, values_of
from autocal_cli.errors import AutocalError

IN_MEMORY = 32 * 2**20  # bytes of rows, some 90,000 of them


class RowTable(Sequence[ImageRow]):
    """Rows in the order in which they were added, or that of their paths once sorted. `rows[i]` makes the record.

    Of an image stay 16 bytes in memory; a million take some 350 MB of the disk until the table is gone.
    """

    def __init__(self) -> None:
        self._packed = SpooledTemporaryFile(IN_MEMORY, prefix="autocal.")  # noqa: SIM115 (closed with the table)
        self._ends = array("Q", [0])
        self._order: Sequence[int] = ()

    def add(self, row: ImageRow) -> None:
        packed = marshal.dumps(values_of(row))
        try:
            self._packed.seek(self._ends[-1])  # flushes what was written before
            self._packed.write(packed)
        except OSError as error:
            message = f"No room for the rows of the scan in the temporary folder {gettempdir()}: {error.strerror}."
            raise AutocalError(message, fix="Free some there, or name another by TMPDIR.") from error
        self._ends.append(self._ends[-1] + len(packed))
        self._order = range(len(self._ends) - 1)

    def sort(self) -> None:
        """Puts the rows in alphabetical order of their paths; crops of one image stay in the order of their draws."""
        paths = [row.facts.path for row in map(self._row, range(len(self._ends) - 1))]
        self._order = array("Q", sorted(range(len(paths)), key=paths.__getitem__))

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> ImageRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ImageRow]: ...
    def __getitem__(self, index: int | slice) -> ImageRow | Sequence[ImageRow]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._row(self._order[index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowTable) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _row(self, i: int) -> ImageRow:
        start, end = self._ends[i], self._ends[i + 1]
        self._packed.seek(start)
        facts, *row = marshal.loads(self._packed.read(end - start))
        return ImageRow(facts_of(facts), *row)
