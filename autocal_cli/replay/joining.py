"""The points of several files -> one run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autocal_cli.replay.record import LoggedPoint


def join_points(files: Sequence[Iterable[LoggedPoint]]) -> tuple[tuple[LoggedPoint, ...], int]:
    """Points with rising iterations, and how many were left out.

    `files` in the order in which they were written. A resumed run goes back to its checkpoint: where the iteration
    falls, what had been logged from there on was trained again, and the later points stand for it.
    """
    joined: list[LoggedPoint] = []
    read = 0
    for points in files:
        for point in points:
            read += 1
            while joined and joined[-1].iteration >= point.iteration:
                joined.pop()
            joined.append(point)
    return tuple(joined), read - len(joined)
