"""The rows of a scan, packed: about 300 bytes an image, so that a million of them fit in memory."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import overload

import numpy as np
import numpy.typing as npt

from autocal_cli.dataset.model import METRIC_NAMES, ImageFacts, ImageRow, PairTraces, Traces

_METRICS = len(METRIC_NAMES)
_TRACES = ("blocks", "repeated", "rhythm", "noise", "halos", "laplacian")
_NUMBERS = 2 + 2 * _METRICS + 4 + 1 + 4 + len(_TRACES) + 1  # of a row, in the order in which `add` writes them
_GREY, _ALPHA, _DRAWN = 1, 2, 4


class RowTable(Sequence[ImageRow]):
    """Rows in the order in which they were added, or that of their paths once `sorted`. `rows[i]` makes the record."""

    def __init__(self) -> None:
        self._paths = bytearray()
        self._ends = array("Q")
        self._digests = bytearray()
        self._hashes = array("Q")
        self._numbers = array("d")
        self._pairs: dict[int, bytes] = {}
        self._order: Sequence[int] = ()

    def add(self, row: ImageRow) -> None:
        facts, traces = row.facts, row.facts.traces
        self._paths += facts.path.encode("utf-8")
        self._ends.append(len(self._paths))
        self._digests += bytes.fromhex(facts.sha256)
        self._hashes.append(facts.perceptual_hash)
        flags = _GREY * facts.grey + _ALPHA * facts.alpha + _DRAWN * traces.drawn
        detail = float("nan") if traces.detail is None else traces.detail
        self._numbers.extend((row.width, row.height, *row.raw, *row.scores, row.overall))
        self._numbers.extend((facts.native_sharpness, facts.deviation, facts.entropy, detail, *facts.mean))
        self._numbers.append(float("nan") if facts.model is None else facts.model)
        self._numbers.extend(getattr(traces, name) for name in _TRACES)
        self._numbers.append(flags)
        if facts.pair:
            self._pairs[len(self._ends) - 1] = json.dumps(astuple(facts.pair)).encode()
        self._order = range(len(self._ends))

    def sort(self) -> None:
        """Puts the rows in alphabetical order of their paths; crops of one image stay in the order of their draws."""
        self._order = array("Q", sorted(range(len(self._ends)), key=self._path_bytes))

    def digests(self) -> list[bytes]:
        return [bytes(self._digests[32 * i : 32 * i + 32]) for i in self._order]

    def hashes(self) -> npt.NDArray[np.uint64]:
        return np.asarray(self._hashes, dtype=np.uint64)[np.asarray(self._order, dtype=np.intp)]

    def paths(self) -> Iterator[str]:
        return (self._path_bytes(i).decode("utf-8") for i in self._order)

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> ImageRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ImageRow]: ...
    def __getitem__(self, index: int | slice) -> ImageRow | Sequence[ImageRow]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = self._order[index]
        numbers = self._numbers[_NUMBERS * i : _NUMBERS * (i + 1)].tolist()
        width, height, *rest = numbers
        raw, scores = tuple(rest[:_METRICS]), tuple(rest[_METRICS : 2 * _METRICS])
        overall, sharpness, deviation, entropy, detail, red, green, blue, model, *traces, flags = rest[2 * _METRICS :]
        facts = ImageFacts(
            path=self._path_bytes(i).decode("utf-8"),
            sha256=self._digests[32 * i : 32 * i + 32].hex(),
            grey=bool(int(flags) & _GREY),
            alpha=bool(int(flags) & _ALPHA),
            deviation=deviation,
            entropy=entropy,
            perceptual_hash=self._hashes[i],
            native_sharpness=sharpness,
            traces=Traces(
                detail=None if detail != detail else detail,
                drawn=bool(int(flags) & _DRAWN),
                **dict(zip(_TRACES, traces, strict=True)),
            ),
            mean=(red, green, blue),
            model=None if model != model else model,
            pair=PairTraces(*json.loads(self._pairs[i])) if i in self._pairs else None,
        )
        return ImageRow(facts, int(width), int(height), raw, scores, overall)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowTable) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _path_bytes(self, i: int) -> bytes:
        return bytes(self._paths[self._ends[i - 1] if i else 0 : self._ends[i]])
