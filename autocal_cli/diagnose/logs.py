"""What a trainer logged: text logs and TensorBoard event files of one run, joined over resumes."""

from __future__ import annotations

import os
import re
import statistics
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Literal

from autocal_cli.errors import AutocalError, Finding, Place

Source = Literal["TensorBoard event files", "text logs"]

SCALE_LABEL = "scale_g"  # the loss scale of the generator's GradScaler
TOTAL_LABEL = "l_g_total"  # traiNNer-redux logs the sum under this label, BasicSR logs none
MULTIPLIER_PREFIX = "dynamic_weight_"  # a fork of traiNNer-redux logs the multipliers of its own scheduler so,
OWN_PREFIX = "loss_multipliers/"  # and `autocal run` those of autocal's


@dataclass(frozen=True, slots=True)
class LoggedPoint:
    """What was logged at one iteration: numbers by label (`l_g_l1`, `scale_g`), losses with their weights in them."""

    iteration: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RunLog:
    """The logged points of one run, iterations rising.

    `files` in the order in which they were written; `truncated` names those that are cut short or damaged;
    `superseded` counts the points left out because the run was taken up again from before them.
    """

    source: Source
    files: tuple[str, ...]
    points: tuple[LoggedPoint, ...]
    truncated: tuple[str, ...] = ()
    superseded: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that occurs, in the order of its first occurrence."""
        return tuple(dict.fromkeys(label for point in self.points for label in point.values))

    @property
    def averaged(self) -> bool:
        """Whether a logged loss is the mean since the point before, as traiNNer-redux has it (since June 2024).

        BasicSR logs the values of the one step at which it writes.
        """
        return TOTAL_LABEL in self.labels

    @property
    def interval(self) -> int:
        """Steps from one point to the next (the median), as `print_freq` had it; of a lone point its iteration."""
        steps = [later.iteration - earlier.iteration for earlier, later in pairwise(self.points)]
        return int(statistics.median_low(steps)) if steps else self.points[0].iteration


# A trainer's text log -> logged points. Pure.
#
# The line of an iteration, as the message loggers of the trainers print it (date and level stand before it):
#
# [epoch:   0, iter:     100, lr:(1.000e-04)] [performance: 4.729 it/s] ... l_g_l1: 6.1181e-02 scale_g: 6.5536e+04
# [4x_SP..][epoch:  0, iter:     100, lr:(2.000e-04,)] [eta: ..., time (data): 0.501 (0.003)] l_pix: 6.1181e-02
# [epoch:   0, iter:     100, lr:(1.000e-04)] [net: span, ...] [l_g_l1: 6.118e-02, l_g_total: 7.2e-02] scale_g: ...
#
# traiNNer-redux, BasicSR, and a fork of traiNNer-redux; all put a comma at every thousand of the iteration.


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


# TensorBoard event files -> logged points, through the `tensorboard` package (an optional extra).
#
# Tags are as traiNNer-redux and BasicSR write them: `losses/l_g_l1`, `scales/scale_g`; a fork has `metrics/scale_g`.


INSTALL = "pip install 'autocal-cli[events]'"
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


# The points of several files -> one run. Pure.


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


# The logs of one run, found in a folder and read: path -> RunLog.


MAX_DEPTH = 4  # folders below the one named: a trainer's own folder lies above experiments/NAME and tb_logger/NAME
MAX_ENTRIES = 100_000  # a folder of images named by mistake must not be walked for minutes

_EVENT_FILE = re.compile(r"events\.out\.tfevents\.(?P<stamp>\d+)")
_TEXT_LOG = re.compile(r"train_(?P<run>.*?)(?:_(?P<stamp>\d{8}_\d{6}))?\.log")  # train_NAME_20240702_214117.log


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log of a run: `stamp` orders the files of one run by the time at which they were begun."""

    path: Path
    source: Source
    run: str
    stamp: str


def read_logs(path: Path) -> tuple[RunLog, tuple[Finding, ...]]:
    """The log of the run in a folder (or one file), TensorBoard's if there is one, else the text logs.

    Raises AutocalError when there is no log, more than one run, no point with a loss, or `tensorboard` is missing.
    """
    path = path.expanduser()
    files = sorted(find_logs(path), key=lambda file: (file.stamp, file.path.name))
    if not files:
        fix = "Name the run's folder in experiments/ or tb_logger/, or a log file."
        raise AutocalError("There are no event files and no train_*.log here.", place=Place(str(path)), fix=fix)
    events = [file for file in files if file.source == "TensorBoard event files"]
    texts = [file for file in files if file.source == "text logs"]
    findings: tuple[Finding, ...] = ()
    if events and texts and not tensorboard_installed():
        message = "The text logs were read, since the package tensorboard is not installed."
        findings = (
            Finding("text-logs-read", "info", message, f"{INSTALL} to read the event files.", Place(str(path))),
        )
        events = []
    for chosen, read in ((events, read_event_file), (texts, _read_text_log)):
        log = _read(path, chosen, read) if chosen else None
        if log:
            return log, findings
    message = "The logs hold no iteration with a loss."
    raise AutocalError(message, place=Place(str(path)), fix="Was the run stopped before its first print_freq steps?")


def find_logs(path: Path) -> Iterator[LogFile]:
    """The log files in a folder and below, or the one named. Raises AutocalError when there is no such path."""
    if not path.exists():
        raise AutocalError("There is no such folder or file.", place=Place(str(path)))
    if path.is_file():
        file = _log_file(path)
        if file or path.suffix in (".log", ".txt"):  # a text log may have been renamed
            yield file or LogFile(path, "text logs", str(path), "")
        return
    seen = 0
    for folder, subfolders, names in os.walk(path):
        seen += len(subfolders) + len(names)
        if seen > MAX_ENTRIES:
            message = f"There are more than {MAX_ENTRIES:,} files here."
            raise AutocalError(message, place=Place(str(path)), fix="Name the run's own folder.")
        if len(Path(folder).relative_to(path).parts) >= MAX_DEPTH:
            subfolders.clear()
        yield from (file for name in names if (file := _log_file(Path(folder, name))))


def _log_file(path: Path) -> LogFile | None:
    folder = str(path.parent)
    if found := _EVENT_FILE.match(path.name):
        return LogFile(path, "TensorBoard event files", folder, found["stamp"].zfill(20))
    if found := _TEXT_LOG.fullmatch(path.name):
        return LogFile(path, "text logs", os.path.join(folder, found["run"]), found["stamp"] or "")  # noqa: PTH118
    return None


def _read(path: Path, files: Sequence[LogFile], read: Callable[[Path], Iterator[LoggedPoint | None]]) -> RunLog | None:
    """The run that the files hold, None without any point. Raises AutocalError for files of several runs."""
    runs = sorted({file.run for file in files})
    if len(runs) > 1:
        message = f"There are logs of {len(runs)} runs here: {', '.join(runs[:5])}{', ...' if runs[5:] else ''}."
        raise AutocalError(message, place=Place(str(path)), fix="Name the folder or the file of one.")
    whole: list[list[LoggedPoint]] = []
    truncated: list[str] = []
    for file in files:
        points = list(read(file.path))
        if points and points[-1] is None:
            truncated.append(str(file.path))
        whole.append([point for point in points if point])
    joined, superseded = join_points(whole)
    if not joined:
        return None
    return RunLog(files[0].source, tuple(str(file.path) for file in files), joined, tuple(truncated), superseded)


def _read_text_log(path: Path) -> Iterator[LoggedPoint | None]:
    with path.open(encoding="utf-8", errors="replace", newline="\n") as lines:
        yield from parse_lines(lines)
