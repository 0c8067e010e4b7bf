"""The logs of one run: found in a folder, and read; text logs, or TensorBoard's event files where there are none."""

from __future__ import annotations

import os
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autocal_cli.diagnose.log_formats import OWN_PREFIXES, OptionReader, RunTable, TextReader, wanted
from autocal_cli.diagnose.model import Checkpoint, LogEvent, RunLog, Session, Source
from autocal_cli.errors import AutocalError, Place, listed

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
    """A log of a run: `stamp` orders the files of one `run` by the time at which they were begun."""

    path: Path
    source: Source
    run: str
    name: str
    stamp: str


class NothingYetError(AutocalError):
    """No log with a loss: of a run that has just been started there may soon be one."""


class LogReader:
    """Reads the log of one run, again and again where it is still written to: only what is new."""

    def __init__(self) -> None:
        self._joined: dict[Source, JoinedLog] = {}

    def read(self, path: Path, to_the_end: bool = False) -> RunLog:
        """The log of the run in a folder (or one file): the text logs, else TensorBoard's event files.

        Text logs say more (rate, ends, errors), and the trainers write the same numbers to both. A last line without
        its break is read `to_the_end`, else when the rest of it is there.
        Raises AutocalError when there is no log, more than one run, or nothing of use was logged, no error either.
        """
        path = path.expanduser()
        files = sorted(find_logs(path), key=lambda file: (file.stamp, file.path.name))
        if not files:
            fix = "Name the run's folder in experiments/ or tb_logger/, or a log file."
            kind = NothingYetError if path.is_dir() else AutocalError
            raise kind("There are no event files and no train_*.log here.", place=Place(str(path)), fix=fix)
        over = False
        for source in READERS:
            chosen = [file for file in files if file.source == source]
            if len({file.run for file in chosen}) > 1:
                raise _several_runs(path, chosen)
            if source not in self._joined or not self._joined[source].goes_on(chosen):
                self._joined[source] = JoinedLog(source)
            log = self._joined[source].read(chosen, to_the_end) if chosen else None
            if log is not None and (log.rows or log.events):
                return replace(log, checkpoints=_with_files(log, chosen[-1].path.parent))
            over = over or bool(log and log.sessions and log.sessions[-1].ending != "unsaid")
        fix = "Was the run stopped before its first print_freq steps?"
        kind = AutocalError if over else NothingYetError
        raise kind("The logs hold no iteration with a loss.", place=Place(str(path)), fix=fix)


@dataclass(slots=True)
class JoinedLog:
    """What was read of the logs of a run, and up to which byte of each."""

    source: Source
    table: RunTable = field(default_factory=RunTable)
    facts: dict[str, str] = field(default_factory=dict)
    readers: dict[Path, TextReader | EventReader] = field(default_factory=dict)
    ends: dict[Path, int] = field(default_factory=dict)
    tails: dict[Path, bytes] = field(default_factory=dict)  # what stands before those ends
    cut: set[Path] = field(default_factory=set)  # files whose end is not whole

    def goes_on(self, files: Sequence[LogFile]) -> bool:
        """Whether these are the files that were read, grown and not replaced, and perhaps one more."""
        paths = [file.path for file in files]
        same = (_before(path, end) == self.tails[path] for path, end in self.ends.items())
        return list(self.ends) == paths[: len(self.ends)] and all(same)

    def read(self, files: Sequence[LogFile], to_the_end: bool) -> RunLog:
        """Takes what the files hold beyond what was read, and gives all of it."""
        if not self.facts:
            options = _options_beside(files[-1].path.parent) if self.source == "text logs" else {}
            self.facts |= {**options, "name": files[-1].name}
        for path in (file.path for file in files):
            if path not in self.readers:
                self.readers[path] = READERS[self.source](str(path), self.table, self.facts)
            self._read_on(path, self.readers[path], to_the_end)
        return RunLog(
            self.source,
            tuple(str(file.path) for file in files),
            self.table.tracks(),
            tuple(self.table.validations),
            tuple(session for reader in self.readers.values() if (session := reader.session())),
            tuple(self.table.events),
            dict(self.facts),
            tuple(Checkpoint(at, exists=False) for at in sorted({*self.table.saved})),
            truncated=tuple(str(path) for path in self.readers if path in self.cut),
            superseded=self.table.superseded,
            rows=len(self.table.points),
        )

    def _read_on(self, path: Path, reader: TextReader | EventReader, to_the_end: bool) -> None:
        data = bytearray()
        with path.open("rb") as file:
            file.seek(self.ends.get(path, 0))
            while chunk := file.read(CHUNK):
                data += chunk
                reader.take(data)
            if to_the_end and isinstance(reader, TextReader) and reader.whole(data):
                data += b"\n"
                reader.take(data)
            self.ends[path] = file.tell() - len(data)
        self.tails[path] = _before(path, self.ends[path])
        self.cut = self.cut | {path} if data.strip() or reader.damaged else self.cut - {path}


def _several_runs(path: Path, files: Sequence[LogFile]) -> AutocalError:
    runs = {file.run: file.path for file in reversed(files)}
    within = Counter(folder for file in runs.values() for folder in file.parents)
    places = [file if within[file.parent] > 1 else file.parent for file in runs.values()]
    named = listed((place.relative_to(path) for place in places), 5)
    message = f"There are logs of {len(runs):,} runs here, the newest first: {named}."
    return AutocalError(message, place=Place(str(path)), fix="Name the folder or the file of one.")


def _before(path: Path, end: int) -> bytes:
    """The last TAIL bytes before a place; fewer at the beginning of a file, and in one that is shorter now."""
    with path.open("rb") as file:
        file.seek(max(0, end - TAIL))
        return file.read(min(end, TAIL))


def find_logs(path: Path) -> Iterator[LogFile]:
    """The log files in a folder and below, or the one named. Raises AutocalError when there is no such path."""
    if not path.exists():
        raise AutocalError("There is no such folder or file.", place=Place(str(path)))
    if path.is_file():
        file = _log_file(path)
        if file or path.suffix in (".log", ".txt"):  # a text log may have been renamed
            yield file or LogFile(path, "text logs", str(path), path.stem, "")
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
    folder = path.parent
    if found := _EVENT_FILE.match(path.name):
        return LogFile(path, "TensorBoard event files", str(folder), folder.name, found["stamp"].zfill(20))
    if found := _TEXT_LOG.fullmatch(path.name):
        run, stamp = str(folder / (found["run"] or path.name)), found["stamp"] or ""
        return LogFile(path, "text logs", run, found["run"] or folder.name, stamp)
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


def find_checkpoints(folder: Path, last: int) -> dict[int, Path]:
    """The generator's files in `models/` of an experiment's folder, by iteration; an EMA's where there are both. The
    file called latest is that of the `last` iteration (0: not known), unless that has its own."""
    models = folder / "models"
    found: dict[str, Path] = {}
    for path in sorted(models.iterdir()) if models.is_dir() else ():
        if (name := _WEIGHTS.fullmatch(path.name)) and (name[1] not in found or "_ema_" in path.name):
            found[name[1]] = path
    latest = found.pop("latest", None)
    dated = {int(iteration): path for iteration, path in found.items()}
    return {last or max(dated, default=0): latest} | dated if latest else dated


def _with_files(log: RunLog, folder: Path) -> tuple[Checkpoint, ...]:
    """The files, and what the log says was saved where none is by now; without any, all that it says was saved."""
    found = find_checkpoints(folder, log.last)
    said = [one for one in log.checkpoints if all(abs(one.iteration - at) > log.interval for at in found)]
    files = [Checkpoint(iteration, str(path)) for iteration, path in found.items()]
    return tuple(sorted([*files, *said], key=lambda one: one.iteration))


def with_events(log: RunLog, lines: Iterable[Mapping[str, object]]) -> RunLog:
    """The log with events of the scheduler that stand in a file of their own (JSON lines), in the order of the file.

    A run that was taken up again trains again what came after its checkpoint: those events do not count twice.
    """
    said = {(event.iteration, event.loss, event.cause) for event in log.events}
    found: list[LogEvent] = []
    for line in lines:
        at = line.get("iteration")
        loss, cause = (str(line.get(key, "")) for key in ("loss", "cause"))
        event = LogEvent("scheduler", at if isinstance(at, int) else 0, loss, cause)
        if event.cause == "resumed":
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
_LONGEST, _LONGEST_FIRST = 1 << 28, 1 << 20  # bytes of a record: an image at most; the first has a few
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types


class EventReader:
    """The scalars of one event file into a table, as far as it is written."""

    def __init__(self, file: str, table: RunTable) -> None:
        self.file, self.table = file, table
        self.damaged = False  # nothing is read from then on
        self._begun = False
        self._before = table.last
        self._first: int | None = None
        self._last: int | None = None

    def take(self, data: bytearray) -> None:
        """Takes whole records off the beginning of `data`. Raises AutocalError when it is no event file."""
        if not self._begun and len(data) >= _HEADER:
            self._begun = True
            if struct.unpack_from("<Q", data)[0] > _LONGEST_FIRST:
                place, fix = Place(self.file), "Move it elsewhere."
                raise AutocalError("This is not a TensorBoard event file.", place=place, fix=fix)
        scalars, end, self.damaged = read_records(data) if not self.damaged else ([], 0, True)
        del data[: len(data) if self.damaged else end]
        for step, tag, value in scalars:
            self._add(step, tag, value)

    def _add(self, step: int, tag: str, value: float) -> None:
        """`losses/l_g_l1` and the like to the points, `metrics/SET/psnr` to the validations; tags of no use nowhere."""
        own = next((tag[tag.index(prefix) :] for prefix in OWN_PREFIXES if prefix in tag), None)
        parts = tag.split("/")
        label = own or parts[-1]
        if wanted(label):
            self.table.add(step, (label,), (value,), more=step == self._last)
            self._first = step if self._first is None else self._first
            self._last = step
        elif len(parts) == 3 and parts[0] == "metrics":
            self.table.validated(step, parts[1], parts[2], value)

    def session(self) -> Session | None:
        """None where nothing of use was logged."""
        if self._first is None:
            return None
        start = min(self._before, self._first - 1) if self._before else 0
        return Session(start, self._first, self._last, "unsaid")


READERS: dict[Source, Callable[[str, RunTable, dict[str, str]], TextReader | EventReader]] = {
    "text logs": lambda _, table, facts: TextReader(table, facts),
    "TensorBoard event files": lambda file, table, _: EventReader(file, table),
}


def read_records(data: bytes | bytearray) -> tuple[list[Scalar], int, bool]:
    """The scalars of the whole records at the beginning of `data`, where those end, and whether damage follows."""
    found: list[Scalar] = []
    position = 0
    while len(data) - position >= _HEADER:
        (length,) = struct.unpack_from("<Q", data, position)
        if length > _LONGEST:
            return found, position, True
        start = position + _HEADER
        if start + length + _FOOTER > len(data):
            break
        try:
            found += _scalars(memoryview(data[start : start + length]))
        except (ValueError, IndexError, TypeError, struct.error):
            return found, position, True
        position = start + length + _FOOTER
    return found, position, False


def _scalars(message: memoryview) -> list[Scalar]:
    event = dict(_fields(message))
    found: list[Scalar] = []
    for key, part in _fields(event.get(5, memoryview(b""))):
        value = dict(_fields(part)) if key == 1 else {}
        number = _tensor(value[8]) if 8 in value else None
        if 2 in value:
            (number,) = struct.unpack("<f", value[2])
        if 1 in value and number is not None:
            found.append((event.get(2, 0), str(value[1], "utf-8"), number))
    return found


def _tensor(message: memoryview) -> float | None:
    """The number of a tensor of one float or double, None for any other."""
    value = dict(_fields(message))
    content = {1: "<f", 2: "<d"}.get(value.get(1, 0), "<0s")  # by its DataType
    for number, form in ((4, content), (5, "<f"), (6, "<d")):
        raw = value.get(number, b"")
        if raw and len(raw) == struct.calcsize(form):
            return float(struct.unpack(form, raw)[0])
    return None


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Number and value of each field: an int, or its bytes. Raises ValueError, IndexError for what is no message."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if number == 0 or wire not in (_VARINT, _FIXED64, _BYTES, _FIXED32):
            raise ValueError(f"no field has the number {number} and the wire type {wire}")
        if wire in (_VARINT, _BYTES):
            length, position = _varint(message, position)
        else:
            length = 8 if wire == _FIXED64 else 4
        if wire == _VARINT:
            yield number, length
            continue
        if position + length > len(message):
            raise ValueError("a field is longer than its message")
        yield number, message[position : position + length]
        position += length


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
