"""TensorBoard event files -> logged points, through the `tensorboard` package (an optional extra).

Tags are as traiNNer-redux and BasicSR write them: `losses/l_g_l1`, `scales/scale_g`; a fork has `metrics/scale_g`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from autocal_cli.errors import AutocalError, Place
from autocal_cli.replay.record import OWN_PREFIX, LoggedPoint
from autocal_cli.replay.text_log import wanted

INSTALL = "pip install 'autocal-cli[replay]'"
GROUPS = frozenset({"", "losses", "scales", "metrics"})  # what may stand before the slash of a tag

_HEADER, _FOOTER = 12, 4  # bytes around a record: its length (8) and that one's checksum (4); the record's checksum


def read_event_file(path: Path) -> Iterator[LoggedPoint | None]:
    """The points of one file in its order; None at the end where it is cut short or damaged and left out from there.

    Raises AutocalError when `tensorboard` is not installed or the file is no event file.
    """
    loader = _loader()
    if not _is_event_file(path):
        raise AutocalError("This is not a TensorBoard event file.", place=Place(str(path)), fix="Move it elsewhere.")
    events = list(loader(str(path)).Load())
    scalars = (scalar for event in events for scalar in _scalars(event))
    for step, group in groupby(scalars, key=lambda scalar: scalar[0]):
        yield LoggedPoint(step, {label: value for _, label, value in group})
    if not _read_whole(path, len(events)):
        yield None


def tensorboard_installed() -> bool:
    try:
        _loader()
    except AutocalError:
        return False
    return True


def _loader() -> Any:
    try:
        from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
    except ImportError:
        raise AutocalError("Reading event files needs the package tensorboard.", fix=f"{INSTALL}.") from None
    return LegacyEventFileLoader


def _scalars(event: Any) -> Iterator[tuple[int, str, float]]:
    """(iteration, label, value) of every scalar in an event that is of use here."""
    for value in event.summary.value:
        group, label = _split(value.tag)
        if group in GROUPS and wanted(label) and value.WhichOneof("value") == "simple_value":
            yield int(event.step), label, float(value.simple_value)


def _split(tag: str) -> tuple[str, str]:
    """`losses/l_g_l1` -> ("losses", "l_g_l1"); the labels of autocal's multipliers have slashes of their own."""
    group, own, rest = tag.partition(OWN_PREFIX)
    if own:
        return group.rstrip("/"), own + rest
    group, _, label = tag.rpartition("/")
    return group, label


def _is_event_file(path: Path) -> bool:
    """An empty file is one too: nothing was written to it yet."""
    with path.open("rb") as stream:
        head = stream.read(_HEADER)
    length = struct.unpack("<Q", head[:8])[0] if len(head) == _HEADER else 0
    return length < 1 << 20  # the first record holds the format's version: a few bytes


def _read_whole(path: Path, read: int) -> bool:
    """Whether the records fill the file exactly and `read` is their number: the loader stops at the first bad one."""
    size, position, records = path.stat().st_size, 0, 0
    with path.open("rb") as stream:
        while position < size:
            stream.seek(position)
            head = stream.read(_HEADER)
            if len(head) < _HEADER:
                return False
            position += _HEADER + struct.unpack("<Q", head[:8])[0] + _FOOTER
            records += 1
    return position == size and records == read
