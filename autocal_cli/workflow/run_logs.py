"""The logs of one run, found in a folder and read: path -> RunLog."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.replay.event_files import INSTALL, read_event_file, tensorboard_installed
from autocal_cli.replay.joining import join_points
from autocal_cli.replay.record import LoggedPoint, RunLog, Source
from autocal_cli.replay.text_log import parse_lines

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
