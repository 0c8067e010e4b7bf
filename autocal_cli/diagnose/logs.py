"""The logs of one run: found in a folder, and read; text logs, or TensorBoard's event files where there are none."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from autocal_cli.diagnose.model import RESUMED, Checkpoint, LogEvent, RunLog, Session, Source, Validation
from autocal_cli.diagnose.text_log import OWN_PREFIXES, OptionReader, RunTable, TextReader, wanted
from autocal_cli.errors import AutocalError, Place

CHUNK = 1 << 20  # bytes that are read at once
TAIL = 256  # bytes by which a log that grew is told from another of its name
MAX_DEPTH = 4  # folders below the one named: a trainer's own folder lies above experiments/NAME and tb_logger/NAME
MAX_ENTRIES = 100_000  # a folder of images named by mistake must not be walked for minutes

_EVENT_FILE = re.compile(r"events\.out\.tfevents\.(?P<stamp>\d+)")
# train_NAME_20240702_214117.log; people who publish one call it train.log
_TEXT_LOG = re.compile(r"train(?:_(?P<run>.*?)(?:_(?P<stamp>\d{8}_\d{6}))?)?\.log")
_WEIGHTS = re.compile(r"net_g(?:_ema)?_(\d+|latest)\.(?:pth|safetensors)")


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log of a run: `stamp` orders the files of one run by the time at which they were begun."""

    path: Path
    source: Source
    run: str
    stamp: str


class LogReader:
    """Reads the log of one run, again and again where it is still written to: of text logs, only what is new."""

    def __init__(self) -> None:
        self._texts = TextLogs()

    def read(self, path: Path) -> RunLog:
        """The log of the run in a folder (or one file): the text logs, else TensorBoard's event files.

        Text logs say more (rate, ends, errors), and the trainers write the same numbers to both.
        Raises AutocalError when there is no log, more than one run, or nothing of use was logged, no error either.
        """
        path = path.expanduser()
        files = sorted(find_logs(path), key=lambda file: (file.stamp, file.path.name))
        if not files:
            fix = "Name the run's folder in experiments/ or tb_logger/, or a log file."
            raise AutocalError("There are no event files and no train_*.log here.", place=Place(str(path)), fix=fix)
        readers: tuple[tuple[Source, Callable[[Sequence[LogFile]], RunLog]], ...] = (
            ("text logs", self._read_text_logs),
            ("TensorBoard event files", _read_event_files),
        )
        for source, read in readers:
            chosen = [file for file in files if file.source == source]
            _refuse_several(path, chosen)
            log = read(chosen) if chosen else None
            if log is not None and (log.rows or log.events):
                return replace(log, checkpoints=find_checkpoints(chosen[-1].path.parent) or log.checkpoints)
        message, fix = (
            "The logs hold no iteration with a loss.",
            "Was the run stopped before its first print_freq steps?",
        )
        raise AutocalError(message, place=Place(str(path)), fix=fix)

    def _read_text_logs(self, files: Sequence[LogFile]) -> RunLog:
        if not self._texts.goes_on(files):
            self._texts = TextLogs()
        return self._texts.read(files)


@dataclass(slots=True)
class TextLogs:
    """What was read of the text logs of a run, and up to which byte of each."""

    table: RunTable = field(default_factory=RunTable)
    facts: dict[str, str] = field(default_factory=dict)
    readers: dict[Path, TextReader] = field(default_factory=dict)
    ends: dict[Path, int] = field(default_factory=dict)
    tails: dict[Path, bytes] = field(default_factory=dict)  # what stands before those ends
    cut: set[Path] = field(default_factory=set)  # files whose last line is not whole

    def goes_on(self, files: Sequence[LogFile]) -> bool:
        """Whether these are the files that were read, grown and not replaced, and perhaps one more."""
        paths = [file.path for file in files]
        same = (_before(path, end) == self.tails[path] for path, end in self.ends.items())
        return list(self.ends) == paths[: len(self.ends)] and all(same)

    def read(self, files: Sequence[LogFile]) -> RunLog:
        """Takes what the files hold beyond what was read, and gives all of it."""
        if not self.facts:
            self.facts |= {**_options_beside(files[-1].path.parent), "name": _name_of(files[-1])}
        for file in files:
            reader = self.readers.setdefault(file.path, TextReader(str(file.path), self.table, self.facts))
            self._read_on(file.path, reader)
        return RunLog(
            "text logs",
            tuple(str(file.path) for file in files),
            self.table.tracks(),
            tuple(self.table.validations),
            tuple(reader.session() for reader in self.readers.values()),
            tuple(self.table.events),
            dict(self.facts),
            tuple(Checkpoint(at, exists=False) for at in sorted({*self.table.saved})),
            truncated=tuple(str(path) for path in self.readers if path in self.cut),
            superseded=self.table.superseded,
            rows=self.table.count,
        )

    def _read_on(self, path: Path, reader: TextReader) -> None:
        """Whole lines alone: the rest of the last one is read when it is there."""
        rest = b""
        with path.open("rb") as file:
            file.seek(self.ends.get(path, 0))
            while chunk := file.read(CHUNK):
                whole, end, rest = (rest + chunk).rpartition(b"\n")
                reader.read(whole.decode("utf-8", "replace").split("\n") if end else ())
            self.ends[path] = file.tell() - len(rest)
        self.tails[path] = _before(path, self.ends[path])
        self.cut = self.cut | {path} if rest.strip() else self.cut - {path}


def _before(path: Path, end: int) -> bytes:
    """The last TAIL bytes before a place; fewer at the beginning of a file, and in one that is shorter now."""
    with path.open("rb") as file:
        file.seek(max(0, end - TAIL))
        return file.read(min(end, TAIL))


def _refuse_several(path: Path, files: Sequence[LogFile]) -> None:
    runs = sorted({file.run for file in files})
    if len(runs) > 1:
        message = f"There are logs of {len(runs)} runs here: {', '.join(runs[:5])}{', ...' if runs[5:] else ''}."
        raise AutocalError(message, place=Place(str(path)), fix="Name the folder or the file of one.")


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
        run = str(path.parent / (found["run"] or path.name))
        return LogFile(path, "text logs", run, found["stamp"] or "")
    return None


def _options_beside(folder: Path) -> dict[str, str]:
    """What the copy of the config says that a trainer lays into the experiment's folder; neosr prints no options."""
    facts: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".yml", ".yaml", ".toml") and not path.name.endswith(".autocal.yml") and path.is_file():
            options = OptionReader(facts)
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                options.take(line)
    return facts


def _name_of(file: LogFile) -> str:
    """The run's name: from `train_NAME_STAMP.log`, of event files their folder's."""
    found = _TEXT_LOG.fullmatch(file.path.name)
    if found or file.source != "text logs":
        return (found and found["run"]) or file.path.parent.name
    return file.path.stem


def find_checkpoints(folder: Path) -> tuple[Checkpoint, ...]:
    """The generator's files in `models/` of an experiment's folder, by iteration; an EMA's where there are both."""
    models = folder / "models"
    found: dict[int | None, Path] = {}
    for path in sorted(models.iterdir()) if models.is_dir() else ():
        if name := _WEIGHTS.fullmatch(path.name):
            iteration = None if name[1] == "latest" else int(name[1])
            if iteration not in found or "_ema_" in path.name:
                found[iteration] = path
    order = sorted(found, key=lambda iteration: (iteration is None, iteration or 0))
    return tuple(Checkpoint(iteration, str(found[iteration])) for iteration in order)


def _read_event_files(files: Sequence[LogFile]) -> RunLog:
    table, truncated, sessions = RunTable(), [], []
    for file in files:
        first: int | None = None
        before = table.last
        scalars = read_event_file(file.path)
        for step, group in groupby(scalars.values, key=lambda scalar: scalar[0]):
            row: dict[str, float] = {}
            for _, tag, value in group:
                _sort_tag(step, tag, value, row, table)
            if row:
                first = step if first is None else first
                table.add(step, tuple(row), row.values())
        if not scalars.whole:
            truncated.append(str(file.path))
        if first is not None:
            start = 0 if not before else min(before, first - 1)
            sessions.append(Session(str(file.path), start, first, table.last, "unsaid"))
    return RunLog(
        "TensorBoard event files",
        tuple(str(file.path) for file in files),
        table.tracks(),
        tuple(table.validations),
        tuple(sessions),
        facts={"name": _name_of(files[-1])},
        truncated=tuple(truncated),
        superseded=table.superseded,
        rows=table.count,
    )


def _sort_tag(step: int, tag: str, value: float, row: dict[str, float], table: RunTable) -> None:
    """`losses/l_g_l1` and the like to the row, `metrics/SET/psnr` to the validations; tags of no use nowhere."""
    own = next((tag[tag.index(prefix) :] for prefix in OWN_PREFIXES if prefix in tag), None)
    parts = tag.split("/")
    label = own or parts[-1]
    if wanted(label):
        row[label] = value
    elif len(parts) == 3 and parts[0] == "metrics":
        done = table.validations
        if done and (done[-1].iteration, done[-1].dataset) == (step, parts[1]):
            done[-1] = replace(done[-1], metrics={**done[-1].metrics, parts[2]: value})
        else:
            done.append(Validation(step, parts[1], {parts[2]: value}))


def with_events(log: RunLog, lines: Iterable[Mapping[str, object]]) -> RunLog:
    """The log with events of the scheduler that stand in a file of their own (JSON lines), in the order of the file.

    A run that was taken up again trains again what came after its checkpoint: those events do not count twice.
    """
    said = {(event.iteration, event.loss, event.cause) for event in log.events}
    found: list[LogEvent] = []
    for line in lines:
        at = line.get("iteration")
        event = LogEvent("scheduler", at if isinstance(at, int) else 0,
                         *(str(line.get(key, "")) for key in ("loss", "cause", "done")))  # fmt: skip
        if event.cause == RESUMED:
            found = [one for one in found if one.iteration <= event.iteration]
        elif (event.iteration, event.loss, event.cause) not in said:
            found.append(event)
    return replace(log, events=tuple(sorted([*log.events, *found], key=lambda event: event.iteration)))


# TensorBoard's event files, read without tensorboard: scalars alone.
#
# A file is a row of records, each a length (8 bytes, little endian), its checksum (4), the message, its checksum (4).
# A message is a protocol buffer `Event`: step = 2, summary = 5; a summary's value = 1 has tag = 1, simple_value = 2
# (float) or tensor = 8, whose floats stand in tensor_content = 4 or float_val = 5, doubles in 6.
# Field numbers: tensorflow/core/util/event.proto, framework/summary.proto, framework/tensor.proto.
# The checksums (CRC-32C, which the standard library has not) are passed over: a length that does not fit or a message
# that cannot be taken apart ends the reading.

Scalar = tuple[int, str, float]  # step, tag, value

_HEADER, _FOOTER = 12, 4
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_LONGEST = 1 << 28  # bytes of a record: an image at most
_FLOAT, _DOUBLE = 1, 2  # DataType of a tensor


@dataclass(slots=True)
class EventFile:
    """The scalars in the order of the file, and whether it could be read to its end."""

    values: list[Scalar]
    whole: bool


def read_event_file(path: Path) -> EventFile:
    """All scalars of a file up to its end or its first damage. Raises AutocalError when it is no event file."""
    data = path.read_bytes()
    if data and (len(data) < _HEADER or struct.unpack_from("<Q", data)[0] > 1 << 20):  # the first: a few bytes
        raise AutocalError("This is not a TensorBoard event file.", place=Place(str(path)), fix="Move it elsewhere.")
    view, position, size = memoryview(data), 0, len(data)
    values: list[Scalar] = []
    while position < size:
        if size - position < _HEADER:
            return EventFile(values, whole=False)
        (length,) = struct.unpack_from("<Q", data, position)
        start = position + _HEADER
        if length > _LONGEST or start + length + _FOOTER > size:
            return EventFile(values, whole=False)
        try:
            values.extend(_scalars(view[start : start + length]))
        except (ValueError, IndexError, struct.error):
            return EventFile(values, whole=False)
        position = start + length + _FOOTER
    return EventFile(values, whole=True)


def _scalars(event: memoryview) -> list[Scalar]:
    step, found = 0, []
    for number, value in _fields(event):
        if number == 2 and isinstance(value, int):
            step = value
        elif number == 5 and isinstance(value, memoryview):
            found += [one for key, part in _fields(value) if key == 1 and isinstance(part, memoryview)
                      for one in _value(part)]  # fmt: skip
    return [(step, tag, number) for tag, number in found]


def _value(message: memoryview) -> Iterator[tuple[str, float]]:
    tag: str | None = None
    number: float | None = None
    for key, value in _fields(message):
        if key == 1 and isinstance(value, memoryview):
            tag = str(value, "utf-8")
        elif key == 2 and isinstance(value, bytes):
            (number,) = struct.unpack("<f", value)
        elif key == 8 and isinstance(value, memoryview):
            number = _tensor(value)
    if tag is not None and number is not None:
        yield tag, number


def _tensor(message: memoryview) -> float | None:
    """The number of a tensor of one, None for any other."""
    kind, content, number = 0, b"", None
    for key, value in _fields(message):
        if key == 1 and isinstance(value, int):
            kind = value
        elif key == 4 and isinstance(value, memoryview):
            content = bytes(value)
        elif key in (5, 6):
            letter, width = ("f", 4) if key == 5 else ("d", 8)
            raw = bytes(value) if isinstance(value, memoryview | bytes) else b""
            number = struct.unpack(f"<{letter}", raw)[0] if len(raw) == width else None
    if kind == _FLOAT and len(content) == 4:
        return float(struct.unpack("<f", content)[0])
    if kind == _DOUBLE and len(content) == 8:
        return float(struct.unpack("<d", content)[0])
    return number


def _fields(message: memoryview) -> Iterator[tuple[int, int | bytes | memoryview]]:
    """Number and value of each field. Raises ValueError, IndexError for what is no message."""
    position, size = 0, len(message)
    while position < size:
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise ValueError("no field has the number 0")
        if wire == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == _BYTES:
            length, position = _varint(message, position)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"unknown wire type {wire}")
        if position + length > size:
            raise ValueError("a field is longer than its message")
        part = message[position : position + length]
        position += length
        yield number, part if wire == _BYTES else bytes(part)


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
