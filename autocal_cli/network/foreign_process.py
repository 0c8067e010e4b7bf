"""This end of the process in which foreign constructors run (see `apart`): started, watched, and ended in time.

A constructor that raises, hangs, prints, ends its process or eats memory costs that process, and one clear line.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

IMPORT_LIMIT = 120.0  # seconds until a trainer, or the next part of it, is imported; chosen: 5 to 20 were seen
NETWORK_LIMIT = 30.0  # seconds for one network, built and counted; chosen: 20 was seen on a busy machine
MOST_SKIPPED = 5  # parts that hang or end the process as they are imported; chosen, untested
MEMORY_LIMIT = 2 * 1024**3  # bytes over what the imports took
WATCH_EVERY = 0.1  # seconds
LAST = ("unknown", "lacking", "counted", "uncounted", "failed")  # events of `apart`, after which it waits

Reply = dict[str, Any]


class ProcessEndedError(Exception):
    """The process is gone: the reason in words."""


class ForeignProcess:
    """Measures networks of one source, one at a time. A process that ended is started again for the next network."""

    def __init__(self, spec: Mapping[str, Any], seconds: float = NETWORK_LIMIT, memory: int = MEMORY_LIMIT) -> None:
        self._spec = spec
        self._seconds = seconds
        self._memory = memory
        self._process: subprocess.Popen[str] | None = None
        self._replies: queue.Queue[str | None] = queue.Queue()
        self._resident = 0
        self._unusable: str | None = None
        self._alone = False  # the parts are imported one by one from the start
        self._skip: dict[str, str] = {}
        self.types: list[str] = []
        self.unimported: list[tuple[str, str]] = []
        self.missing: list[str] = []  # packages that what could not be imported asks for

    def open(self) -> str | None:
        """Starts the process unless it runs; returns why it cannot be used, or None.

        A part that hangs or ends the process as it is imported is left out the next time.
        """
        while self._unusable is None and self._process is None:
            self._start()
            part = None
            try:
                reply = self._next_of_import()
                while reply["event"] == "importing":
                    part = reply["part"]
                    reply = self._next_of_import()
            except ProcessEndedError as ended:
                self._give_way(part, str(ended))
                continue
            if reply["event"] == "unusable":
                self._unusable, self.missing = reply["reason"], reply["missing"]
                self.close()
            else:
                self.types, self.missing = reply["types"], reply["missing"]
                self.unimported = [(name, why) for name, why in reply["unimported"]]
                assert self._process is not None
                self._resident = _resident_bytes(self._process.pid)
        return self._unusable

    def _next_of_import(self) -> Reply:
        return self._next(time.monotonic() + IMPORT_LIMIT, IMPORT_LIMIT, 2 * MEMORY_LIMIT)

    def _give_way(self, part: str | None, reason: str) -> None:
        """What is done otherwise at the next start, after an import that ended the process."""
        if self._spec["source"] != "trainer" or len(self._skip) >= MOST_SKIPPED:
            self._unusable = f"importing it {reason}"
        elif not self._alone:
            self._alone = True
        elif part is None:
            self._unusable = f"importing it {reason}"
        else:
            self._skip[part] = f"importing it {reason}"

    def measure(self, type: str, arguments: Mapping[str, Any], scale: int | None) -> Iterator[Reply]:
        """The replies of `apart.measure` as they come; the last is one of `LAST`."""
        unusable = self.open()
        if self._process is None:
            yield {"event": "failed", "reason": f"cannot be used: {unusable}"}
            return
        self._send({"type": type, "arguments": arguments, "scale": scale})
        until = time.monotonic() + self._seconds
        while True:
            try:
                reply = self._next(until, self._seconds, self._resident + self._memory)
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
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    assert pipe is not None
                    pipe.close()

    def _start(self) -> None:
        package = Path(__file__).resolve().parents[2]
        path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(package))))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "autocal_cli.network.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            encoding="utf-8",
        )
        self._replies = queue.Queue()
        threading.Thread(target=_receive, args=(self._process, self._replies), daemon=True).start()
        self._send({**self._spec, "alone": self._alone, "skip": self._skip})

    def _send(self, line: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # the process is gone, as its missing reply will tell
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()

    def _next(self, until: float, seconds: float, most: int) -> Reply:
        """The next reply. Raises ProcessEndedError, the process being gone, when the time or the memory ran out."""
        assert self._process is not None
        while True:
            with contextlib.suppress(queue.Empty):
                line = self._replies.get(timeout=WATCH_EVERY)
                if line is None:
                    code = self._process.wait()
                    self.close()
                    raise ProcessEndedError(f"ended its process (exit code {code})")
                with contextlib.suppress(ValueError):
                    return dict(json.loads(line))
                self.close()
                raise ProcessEndedError("disturbed the conversation with its process")
            if time.monotonic() > until:
                self.close()
                raise ProcessEndedError(f"took more than {seconds:g} seconds")
            if _resident_bytes(self._process.pid) > most:
                self.close()
                raise ProcessEndedError(f"took more than {self._memory / 1024**3:.2g} GB of memory")


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
