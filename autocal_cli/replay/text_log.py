"""A trainer's text log -> logged points. Pure.

The line of an iteration, as the message loggers of the trainers print it (date and level stand before it):

    [epoch:   0, iter:     100, lr:(1.000e-04)] [performance: 4.729 it/s] ... l_g_l1: 6.1181e-02 scale_g: 6.5536e+04
    [4x_SP..][epoch:  0, iter:     100, lr:(2.000e-04,)] [eta: ..., time (data): 0.501 (0.003)] l_pix: 6.1181e-02
    [epoch:   0, iter:     100, lr:(1.000e-04)] [net: span, ...] [l_g_l1: 6.118e-02, l_g_total: 7.2e-02] scale_g: ...

traiNNer-redux, BasicSR, and a fork of traiNNer-redux; all put a comma at every thousand of the iteration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from autocal_cli.replay.record import MULTIPLIER_PREFIX, OWN_PREFIX, SCALE_LABEL, LoggedPoint

_HEAD = re.compile(r"\[epoch:\s*[\d,]+,\s*iter:\s*(\d[\d,]*)\b")
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?(?:e[-+]?\d+)?|nan|inf)"
_LABEL = rf"(?:{OWN_PREFIX}[\w./-]+|[A-Za-z][\w.-]*)"
_ENTRY = re.compile(rf"(?<![\w./-])({_LABEL}): ({_NUMBER})(?=[\s,\]]|$)")


def parse_line(line: str) -> LoggedPoint | None:
    """The point that a line holds, or None for any other line.

    >>> parse_line("INFO: [epoch:   3, iter:   1,200, lr:(1.000e-04)] [eta: 0:10:00] l_g_l1: 6.1181e-02 ")
    LoggedPoint(iteration=1200, values={'l_g_l1': 0.061181})
    """
    head = _HEAD.search(line)
    if head is None:
        return None
    values = {label: float(number) for label, number in _ENTRY.findall(line, head.end()) if wanted(label)}
    return LoggedPoint(int(head[1].replace(",", "")), values) if values else None


def parse_lines(lines: Iterable[str]) -> Iterator[LoggedPoint | None]:
    """The points of a log in its order; None where the last line was cut short (it has no line break) and left out."""
    for line in lines:
        point = parse_line(line)
        if not line.endswith("\n"):
            if _HEAD.search(line):
                yield None
        elif point:
            yield point


def wanted(label: str) -> bool:
    """Whether a label is of use here: a generator's loss, its loss scale, or the multiplier of a scheduler."""
    if label.startswith("l_"):
        return not label.startswith("l_d_")
    return label == SCALE_LABEL or label.startswith((MULTIPLIER_PREFIX, OWN_PREFIX))
