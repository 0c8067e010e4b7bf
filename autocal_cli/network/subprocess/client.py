"""Builders whose networks are built in a process of their own, since the code is not autocal's."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import AutocalError
from autocal_cli.network.arguments import about_count, argument_findings, in_words, nearest
from autocal_cli.network.model import NAME_ANOTHER, Builder, NetworkFingerprint, Passed
from autocal_cli.network.sources import Checkout
from autocal_cli.network.subprocess.spandrel import spandrel_installed, spandrel_types


@dataclass(slots=True)
class Foreign(Builder):
    """One foreign source of networks.

    `strict`: it is what trains, so that what it refuses is an error. What is not what trains says nothing against a
    config: a network that it cannot follow it doesn't measure. `known` are its types, in lower case, where they are
    known without asking it. `cure` is what to do when it fails, `where_imported` what to do when packages that it
    imports are missing here.
    """

    name: str
    process: ForeignProcess
    strict: bool = True
    known: tuple[str, ...] | None = None
    cure: str | None = None
    where_imported: str | None = None

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        has_none = f"has no {network.type}"
        if self.known is not None and network.type.lower() not in self.known:  # no process for what it hasn't
            return Passed(self.name, has_none)
        unusable = self.process.open()
        if unusable is not None:
            return self._failed(self.trouble() or f"cannot be used: {unusable}")
        job = {"type": network.type, "arguments": dict(network.arguments), "scale": scale}
        replies = {reply["event"]: reply for reply in self.process.measure(**job)}
        if "unknown" in replies:
            trouble = self.trouble()
            if trouble is None:
                return Passed(self.name, has_none)
            return self._failed(f"{has_none} that could be imported: it {trouble}")
        if "lacking" in replies:
            return Passed(self.name, lacking_in_words(network, replies["lacking"]), cure=NAME_ANOTHER)
        if "built" not in replies:
            return self._failed(f"could not build {network.type}: {replies['failed']['reason']}", self.strict)
        return self._fingerprint(network, scale, replies)

    def _failed(self, reason: str, failed: bool = True) -> Passed:
        elsewhere = self.where_imported if self.process.missing else None
        return Passed(self.name, reason, failed, cure=elsewhere or self.cure)

    def _fingerprint(
        self, network: NetworkOptions, scale: int | None, replies: Mapping[str, Reply]
    ) -> NetworkFingerprint:
        built, counted = replies["built"], replies.get("counted")
        inner = built["inner"] if built["swallows"] else ()
        seen = built["accepted"], built["rejected"], built["swallowed"], inner
        about_arguments = argument_findings(network, self.name, *seen) if self.strict else ()
        how: tuple[Any, ...] = ((replies.get("uncounted") or replies.get("failed") or {}).get("reason"),)
        if counted:
            how = None, counted["side"], counted["frames"], counted["enlargement"]
        return NetworkFingerprint(
            type=network.type,
            scale=built["scale"] if isinstance(built["scale"], int) else scale,
            parameters=built["parameters"],
            macs_per_pixel=round(counted["macs_per_pixel"], 1) if counted else None,
            builder=self.name,
            structure=built["structure"],
            findings=(*about_arguments, *about_count(network, scale, built["scale"], *how, accepted=built["accepted"])),
        )

    def types(self) -> tuple[str, ...]:
        if self.known is not None:
            return self.known
        return () if self.process.open() else tuple(self.process.types)

    def trouble(self) -> str | None:
        if self.known is not None:
            return None
        unusable, missing, failed = self.process.open(), self.process.missing, self.process.unimported
        if missing:
            *most, last = missing
            packages = f"packages {', '.join(most)} and {last} are" if most else f"package {last} is"
            return f"cannot be imported whole, as the {packages} not installed beside autocal"
        if unusable is not None:
            return f"cannot be used: {unusable}"
        if not failed:
            return None
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        name, reason = failed[0]
        return f"lacks some: of its architectures {name} could not be imported ({reason}){more}"

    def close(self) -> None:
        self.process.close()


def lacking_in_words(network: NetworkOptions, lacking: Mapping[str, Any]) -> str:
    """Why a builder that knows the network cannot follow its arguments: one clause."""
    free = [name for name in lacking["takes"] if name not in network.arguments]
    clauses = [_clause(name, values, free) for name, values in lacking["arguments"]]
    return f"has {network.type}, but {' and '.join(clauses)}"


def _clause(name: str, values: Sequence[Value], free: Sequence[str]) -> str:
    if values:
        shown = (repr(value) if isinstance(value, str) else in_words(value) for value in values)
        return f"only with {name} {' or '.join(shown)}"
    near = nearest(name, free)
    return f"not its argument {name!r}" + (f" (did you mean {near!r}?)" if near else "")


class SpandrelAbsent(Builder):
    """spandrel where it is not installed: of what it would have it says how to get it."""

    name = "spandrel"

    def measure(self, network: NetworkOptions, scale: int | None) -> Passed:  # noqa: ARG002
        if network.type.lower() not in spandrel_types():
            return Passed(self.name, f"has no {network.type}")
        cure = f"pip install 'autocal-cli[spandrel]' (spandrel has {network.type})."
        return Passed(self.name, self.trouble(), cure=cure)

    def trouble(self) -> str:
        return "is not installed"


def trainer(checkout: Checkout, scale: int | None) -> Foreign:
    """The registry of a trainer's checkout."""
    name, elsewhere = f"{checkout.kind.name} ({checkout.named_by})", _in_its_environment(checkout.folder)
    return Foreign(name, ForeignProcess(trainer_spec(checkout, scale)), where_imported=elsewhere)


def trainer_spec(checkout: Checkout, scale: int | None) -> dict[str, Any]:
    """What `worker.open_trainer` is told."""
    return {"source": "trainer", "folder": str(checkout.folder), "scale": scale, **asdict(checkout.kind)}


def _in_its_environment(folder: Path) -> str:
    """How autocal is run where the trainer's own packages are."""
    # in a checkout, as the trainers' own instructions name them
    places = [
        folder / name / python for name in (".venv", "venv", "env") for python in ("bin/python", "Scripts/python.exe")
    ]
    python = next((str(place) for place in places if place.is_file()), None)
    where = "" if python else ", after activating the environment in which it trains"
    command = shlex.join([python or "python", "-m", "autocal_cli", "calibrate", "CONFIG", "--trainer", str(folder)])
    install = shlex.join([python or "python", "-m", "pip", "install", "autocal-cli"])
    return f"Run autocal in the trainer's own environment{where}: {install}, then {command}"


def spandrel() -> Builder:
    """spandrel, if it is installed."""
    if not spandrel_installed():
        return SpandrelAbsent()
    process, known = ForeignProcess({"source": "spandrel"}), tuple(spandrel_types())
    return Foreign("spandrel", process, strict=False, known=known, cure=NAME_ANOTHER)


def own_callable(named: str) -> Foreign:
    """A callable of the user's, `module:name`. Raises AutocalError where it is not written so."""
    module, colon, name = named.partition(":")
    if not (module and colon and name):
        raise AutocalError(f"--network should be module:callable. Found {named}.", fix="For example my_archs:MyNet.")
    cure = "Mend what --network names, or leave it out: while it fails, the network is measured by other means."
    return Foreign(named, ForeignProcess({"source": "own", "callable": named}), cure=cure)


# This end of the process in which foreign constructors run (see `worker`): started, watched, and ended in time. A
# constructor that raises, hangs, prints, ends its process or eats memory costs that process, and one clear line.


IMPORT_LIMIT = 120.0  # seconds until a source is imported; chosen: 5 to 20 were seen
NETWORK_LIMIT = 30.0  # seconds for one network, built and counted; chosen: 20 was seen on a busy machine
MEMORY_LIMIT = 2 * 1024**3  # bytes over what the imports took
WATCH_EVERY = 0.1  # seconds
LAST = ("unknown", "lacking", "counted", "uncounted", "measured", "failed")  # events after which a worker waits
WORKER = "autocal_cli.network.subprocess.worker"

Reply = dict[str, Any]


class ProcessEndedError(Exception):
    """The process is gone: the reason in words."""


class ForeignProcess:
    """Has one source measured, one job at a time, by the module `worker`. A process that ended is started again for the
    next job.

    `unimported` are the parts of the source that could not be imported, with the reason, and `missing` the packages
    that they ask for.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        seconds: float = NETWORK_LIMIT,
        memory: int = MEMORY_LIMIT,
        worker: str = WORKER,
    ) -> None:
        self._spec = spec
        self._worker = worker
        self._seconds = seconds
        self._memory = memory
        self._process: subprocess.Popen[str] | None = None
        self._replies: queue.Queue[str | None] = queue.Queue()
        self._resident = 0
        self._unusable: str | None = None
        self.types: list[str] = []
        self.unimported: list[tuple[str, str]] = []
        self.missing: list[str] = []

    def open(self) -> str | None:
        """Starts the process unless it runs; returns why it cannot be used, or None."""
        if self._unusable is not None or self._process is not None:
            return self._unusable
        process = self._start()
        try:
            reply = self._next(process, IMPORT_LIMIT, 2 * MEMORY_LIMIT)
        except ProcessEndedError as ended:
            self._unusable = f"importing it {ended}"
            return self._unusable
        self.missing = reply["missing"]
        if reply["event"] == "unusable":
            self._unusable = reply["reason"]
            self.close()
        else:
            self.types = reply["types"]
            self.unimported = [(name, why) for name, why in reply["unimported"]]
            self._resident = _resident_bytes(process.pid)
        return self._unusable

    def measure(self, **job: Any) -> Iterator[Reply]:
        """The worker's replies as they come; the last is one of `LAST`."""
        unusable = self.open()
        process = self._process
        if process is None:
            yield {"event": "failed", "reason": f"cannot be used: {unusable}"}
            return
        _send(process, job)
        until = time.monotonic() + self._seconds
        while True:
            try:
                reply = self._next(process, self._seconds, self._resident + self._memory, until)
            except ProcessEndedError as ended:
                reply = {"event": "failed", "reason": f"it {ended}"}
            yield reply
            if reply["event"] in LAST:
                return

    def close(self) -> None:
        """Ends the process; it may be started again."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                with contextlib.suppress(OSError):
                    pipe.close()

    def _start(self) -> subprocess.Popen[str]:
        package = Path(__file__).resolve().parents[3]
        path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(package))))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", self._worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            encoding="utf-8",
        )
        self._replies = queue.Queue()
        threading.Thread(target=_receive, args=(self._process, self._replies), daemon=True).start()
        _send(self._process, self._spec)
        return self._process

    def _next(self, process: subprocess.Popen[str], seconds: float, most: int, until: float | None = None) -> Reply:
        """The next reply. Raises ProcessEndedError, the process being gone, when the time or the memory ran out."""
        until = until or time.monotonic() + seconds
        try:
            line = self._line(process, seconds, most, until)
            if line is None:
                raise ProcessEndedError(f"ended its process (exit code {process.wait()})")
            return dict(json.loads(line))
        except ValueError:
            self.close()
            raise ProcessEndedError("disturbed the conversation with its process") from None
        except ProcessEndedError:
            self.close()
            raise

    def _line(self, process: subprocess.Popen[str], seconds: float, most: int, until: float) -> str | None:
        while True:
            with contextlib.suppress(queue.Empty):
                return self._replies.get(timeout=WATCH_EVERY)
            if time.monotonic() > until:
                raise ProcessEndedError(f"took more than {seconds:g} seconds")
            if _resident_bytes(process.pid) > most:
                raise ProcessEndedError(f"took more than {self._memory / 1024**3:.2g} GB of memory")


def _send(process: subprocess.Popen[str], line: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # the process is gone, as its missing reply will tell
        process.stdin.write(json.dumps(line) + "\n")
        process.stdin.flush()


def _receive(process: subprocess.Popen[str], replies: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(ValueError, OSError):  # closed here, the process having been ended
        for line in process.stdout:
            replies.put(line)
    replies.put(None)


def _resident_bytes(pid: int) -> int:
    """The memory of a process; 0 where the system doesn't tell, so that there is no limit (Windows)."""
    try:
        if sys.platform == "linux":
            return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        if sys.platform == "darwin":
            told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
            return int(told.stdout or 0) * 1024
    except (OSError, ValueError):
        pass
    return 0
