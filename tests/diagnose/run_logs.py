"""Run logs made of lists of numbers: records, and the lines in which the trainers print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autocal_cli.diagnose.model import RunLog, Session, Track, Validation


def run_log(
    tracks: Mapping[str, Sequence[float]],
    every: int = 100,
    metrics: Mapping[str, Sequence[float]] | None = None,
    facts: Mapping[str, str] | None = None,
    **fields: Any,
) -> RunLog:
    """A finished log with one point every so many iterations; `metrics` spread evenly over the same iterations."""
    count = max(map(len, tracks.values()))
    found = {
        label: Track(label, [every * (i + 1) for i in range(len(values))], list(values))
        for label, values in tracks.items()
    }
    last = every * count
    validations: tuple[Validation, ...] = ()
    if metrics:
        number = len(next(iter(metrics.values())))
        steps = [last * (i + 1) // number for i in range(number)]
        validations = tuple(
            Validation(at, "val", {name: values[i] for name, values in metrics.items()}) for i, at in enumerate(steps)
        )
    sessions = (Session(0, every, last, "finished"),)
    given: dict[str, Any] = {"sessions": sessions, **fields}
    known = {"name": "x", "total_iter": str(last), **(facts or {})}
    return RunLog("text logs", ("train_x.log",), found, validations, facts=known, rows=count, **given)


def redux_line(iteration: int, values: Mapping[str, float]) -> str:
    head = f"[epoch:{3:4,d}, iter:{iteration:8,d}, lr:(1.000e-04)] [performance: 4.729 it/s] [eta: 1 day, 0:10:00] "
    return _line(f"{head}[peak VRAM: 3.11 GB] " + "".join(f"{label}: {value:.4e} " for label, value in values.items()))


def basicsr_line(iteration: int, values: Mapping[str, float]) -> str:
    head = f"[001_M..][epoch:{3:3d}, iter:{iteration:8,d}, lr:(1.000e-04,1.000e-04,)] "
    head += "[eta: 1 day, 0:10:00, time (data): 0.501 (0.003)] "
    return _line(head + "".join(f"{label}: {value:.4e} " for label, value in values.items()))


def fork_line(iteration: int, values: Mapping[str, float]) -> str:
    """The fork prints the losses in one bracket and everything else after it."""
    losses = ", ".join(f"{label}: {value:.4e}" for label, value in values.items() if label.startswith("l_"))
    others = "".join(f"{label}: {value:.4e} " for label, value in values.items() if not label.startswith("l_"))
    head = f"[epoch:{3:4,d}, iter:{iteration:8,d}, lr:(1.000e-04)] [net: span, patch: 64, batch: 8, scale: 2x] "
    head += "[perf: 4.729 it/s, eta: 0:10:00] [VRAM: 1.00 GB, peak: 2.00 GB, cached: 3.00 GB] "
    head += "[loss_ratio: 0.25, total: 7.000e-02] "
    return _line(f"{head}[{losses}] {others}")


def neosr_line(iteration: int, values: Mapping[str, float]) -> str:
    head = f"[ epoch:{3:4d} ] \x1b[0;32m[ iter:{iteration:7,d} ]\x1b[0m [ performance: 4.729 it/s ] "
    head += "[ lr: 1.00e-041.00e-04 ] [ eta: 1 day, 0:10:00 ] "
    return _line(head + "".join(f"[ {label}: {value:.4e} ] " for label, value in values.items()))


LINES = {"redux": redux_line, "basicsr": basicsr_line, "fork": fork_line, "neosr": neosr_line}


def write_text_log(path: Path, rows: Mapping[int, Mapping[str, float]], start: int = 0, end: bool = False) -> Path:
    """A log of traiNNer-redux: its first line, the iterations, and where `end` is given its last line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    opening = _line(f"Start training from epoch: 0, iter: {start}.")
    lines = [redux_line(iteration, values) for iteration, values in rows.items()]
    closing = [_line("End of training. Time consumed: 0:10:00")] if end else []
    path.write_text("".join([opening, *lines, *closing]), encoding="utf-8", newline="\n")
    return path


def _line(message: str) -> str:
    return f"2024-07-02 21:41:17,816 INFO: {message}\n"
