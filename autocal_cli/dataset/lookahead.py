"""Work done ahead in threads, results in order, never more than a few of them waiting."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4  # items under way or waiting, a worker
MOST_WORKERS = 16
POLL_SECONDS = 0.5  # a wait without end cannot be interrupted on Windows


def default_workers() -> int:
    """One a usable core, 16 at most."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(usable or 1, MOST_WORKERS)


@contextmanager
def look_ahead(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[Iterator[R]]:
    """`with look_ahead(f, items, 4) as results`: f of each item, in order. f must not raise TimeoutError.

    Leaving the block early drops what has not begun. An exception (Ctrl-C) does not wait for what has.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="autocal")
    try:
        yield _in_order(pool, function, iter(items), AHEAD * workers)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown(wait=True, cancel_futures=True)


def _in_order(pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterator[T], ahead: int) -> Iterator[R]:
    waiting = deque(pool.submit(function, item) for item in islice(items, ahead))
    while waiting:
        result = _result(waiting.popleft())
        waiting.extend(pool.submit(function, item) for item in islice(items, 1))
        yield result


def _result(future: Future[R]) -> R:
    while True:
        try:
            return future.result(timeout=POLL_SECONDS)
        except TimeoutError:
            continue
