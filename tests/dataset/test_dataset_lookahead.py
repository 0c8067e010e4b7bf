"""Looking ahead: results in order, few of them at once, a clean stop."""

from __future__ import annotations

import threading
import time

import pytest

from autocal_cli.dataset.workers import AHEAD, MOST_WORKERS, default_workers, look_ahead


def test_results_come_in_order_whatever_finishes_first():
    def work(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * number

    for workers in (1, 3):
        with look_ahead(work, range(50), workers) as results:
            assert list(results) == [number * number for number in range(50)]


def test_no_more_than_a_few_items_are_taken_ahead():
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    with look_ahead(str, items(), 2) as results:
        assert [next(results) for _ in range(3)] == ["0", "1", "2"]
        assert len(taken) <= 3 + 2 * AHEAD
    assert len(taken) <= 3 + 2 * AHEAD


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_exception_drops_what_has_not_begun_and_waits_for_nothing(error):
    release, begun, ended = threading.Event(), [], []

    def work(number: int) -> int:
        begun.append(number)
        if number:
            release.wait(60)
            ended.append(number)
        return number

    def consume() -> None:
        with look_ahead(work, range(100), 2) as results:
            next(results)
            raise error

    with pytest.raises(error):
        consume()
    assert ended == []  # the work that had begun is still waiting
    release.set()
    time.sleep(0.05)
    assert len(begun) <= 4


def test_slow_work_is_waited_for(monkeypatch):
    monkeypatch.setattr("autocal_cli.dataset.workers.POLL_SECONDS", 0.01)
    with look_ahead(lambda seconds: time.sleep(seconds) or seconds, [0.05], 1) as results:
        assert list(results) == [0.05]


def test_default_workers():
    assert 1 <= default_workers() <= MOST_WORKERS
