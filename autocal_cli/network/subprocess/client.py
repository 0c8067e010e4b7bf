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
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import AutocalError, Finding
from autocal_cli.network.arguments import in_words, mismatch, nearest, place_of
from autocal_cli.network.model import NAME_ANOTHER, SIDE, NetworkFingerprint, Passed
from autocal_cli.network.sources import Checkout
from autocal_cli.network.subprocess.spandrel import spandrel_installed, spandrel_types


class Foreign:
    """One foreign source of networks. `strict`: it is what trains, so that what it refuses is an error.

    What is not what trains says nothing against a config: a network that it cannot follow it doesn't measure.

    `known` are its types, in lower case, where they are known without asking it. `cure` is what to do when it fails,
    `where_imported` what to do when packages that it imports are missing here.
    """

    def __init__(
        self,
        name: str,
        process: ForeignProcess,
        strict: bool = True,
        known: tuple[str, ...] | None = None,
        cure: str | None = None,
        where_imported: str | None = None,
    ) -> None:
        self.name = name
        self._cure = cure
        self._where_imported = where_imported
        self._known = known
        self._process = process
        self._strict = strict

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        if self._known is not None and network.type.lower() not in self._known:  # no process for what it hasn't
            return Passed(self.name, f"has no {network.type}")
        unusable = self._process.open()
        if unusable is not None:
            return Passed(self.name, self.trouble() or f"cannot be used: {unusable}", failed=True, cure=self._remedy())
        replies = {
            reply["event"]: reply for reply in self._process.measure(network.type, dict(network.arguments), scale)
        }
        if "unknown" in replies:
            trouble = self.trouble()
            reason = (
                f"has no {network.type} that could be imported: it {trouble}" if trouble else f"has no {network.type}"
            )
            return Passed(self.name, reason, bool(trouble), self._remedy() if trouble else None)
        if "lacking" in replies:
            return Passed(self.name, lacking_in_words(network, replies["lacking"]), cure=NAME_ANOTHER)
        if "built" not in replies:
            reason = f"could not build {network.type}: {replies['failed']['reason']}"
            return Passed(self.name, reason, failed=self._strict, cure=self._remedy())
        return self._fingerprint(network, scale, replies)

    def _remedy(self) -> str | None:
        return self._where_imported if self._process.missing and self._where_imported else self._cure

    def types(self) -> tuple[str, ...]:
        if self._known is not None:
            return self._known
        return () if self._process.open() else tuple(self._process.types)

    def close(self) -> None:
        self._process.close()

    def trouble(self) -> str | None:
        if self._known is not None:
            return None
        unusable = self._process.open()
        if self._process.missing:
            return (
                f"cannot be imported whole, as {_missing_in_words(self._process.missing)} not installed beside autocal"
            )
        if unusable is not None:
            return f"cannot be used: {unusable}"
        failed = self._process.unimported
        if not failed:
            return None
        name, reason = failed[0]
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        return f"lacks some: of its architectures {name} could not be imported ({reason}){more}"

    def _fingerprint(
        self, network: NetworkOptions, scale: int | None, replies: dict[str, dict[str, Any]]
    ) -> NetworkFingerprint:
        built, counted = replies["built"], replies.get("counted")
        findings: tuple[Finding, ...] = (
            *(argument_findings(network, self.name, replies["signature"], built) if self._strict else ()),
            *count_findings(network, scale, replies),
        )
        own = replies["signature"]["scale"]
        return NetworkFingerprint(
            type=network.type,
            scale=own if isinstance(own, int) else scale,
            parameters=built["parameters"],
            macs_per_pixel=round(counted["macs_per_pixel"], 1) if counted else None,
            builder=self.name,
            structure=built["structure"],
            findings=findings,
        )


@dataclass(slots=True)
class Absent:
    """A source that is not at hand, with the reason; and what it could build, were it at hand as `cure` says."""

    name: str
    reason: str
    cure: str
    would_know: Callable[[], Container[str]]

    def measure(self, network: NetworkOptions, scale: int | None) -> Passed:  # noqa: ARG002
        if network.type.lower() not in self.would_know():
            return Passed(self.name, f"has no {network.type}")
        return Passed(self.name, self.reason, cure=f"{self.cure} ({self.name} has {network.type}).")

    def types(self) -> tuple[str, ...]:
        return ()

    def trouble(self) -> str:
        return self.reason

    def close(self) -> None:
        return


def trainer(checkout: Checkout, scale: int | None) -> Foreign:
    """The registry of a trainer's checkout."""
    kind = checkout.kind
    spec = {
        "source": "trainer",
        "folder": str(checkout.folder),
        "package": kind.package,
        "registries": kind.registries,
        "gives_scale": kind.gives_scale,
        "scale_at_import": kind.scale_at_import,
        "scale": scale,
    }
    name, elsewhere = f"{kind.name} ({checkout.named_by})", _in_its_environment(checkout.folder)
    return Foreign(name, ForeignProcess(spec), where_imported=elsewhere)


def _missing_in_words(packages: Sequence[str]) -> str:
    if len(packages) == 1:
        return f"the package {packages[0]} is"
    return f"the packages {', '.join(packages[:-1])} and {packages[-1]} are"


ENVIRONMENTS = (".venv", "venv", "env")  # in a checkout, as the trainers' own instructions name them


def _in_its_environment(folder: Path) -> str:
    """How autocal is run where the trainer's own packages are."""
    places = [folder / name / "bin" / "python" for name in ENVIRONMENTS]
    places += [folder / name / "Scripts" / "python.exe" for name in ENVIRONMENTS]
    python = next((str(place) for place in places if place.is_file()), None)
    where = "" if python else ", after activating the environment in which it trains"
    command = shlex.join([python or "python", "-m", "autocal_cli", "calibrate", "CONFIG", "--trainer", str(folder)])
    install = shlex.join([python or "python", "-m", "pip", "install", "autocal-cli"])
    return f"Run autocal in the trainer's own environment{where}: {install}, then {command}"


def spandrel() -> Foreign | Absent:
    """spandrel, if it is installed."""
    if not spandrel_installed():
        return Absent("spandrel", "is not installed", "pip install 'autocal-cli[spandrel]'", spandrel_types)
    process, known = ForeignProcess({"source": "spandrel"}), tuple(spandrel_types())
    return Foreign("spandrel", process, strict=False, known=known, cure=NAME_ANOTHER)


def own_callable(named: str) -> Foreign:
    """A callable of the user's, `module:name`. Raises AutocalError where it is not written so."""
    module, colon, name = named.partition(":")
    if not (module and colon and name):
        raise AutocalError(f"--network should be module:callable. Found {named}.", fix="For example my_archs:MyNet.")
    cure = "Mend what --network names, or leave it out: so long as it fails, another builder speaks."
    return Foreign(named, ForeignProcess({"source": "own", "callable": named}), cure=cure)


# This end of the process in which foreign constructors run (see `apart`): started, watched, and ended in time.
#
# A constructor that raises, hangs, prints, ends its process or eats memory costs that process, and one clear line.


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
            [sys.executable, "-P", "-m", "autocal_cli.network.subprocess.worker"],
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


# What there is to tell of a network that foreign code built: its arguments, its scale, how its MACs were counted.


KIND_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "none": "nothing",
    "list": "a list",
    "dict": "a mapping",
}


def argument_findings(
    network: NetworkOptions,
    builder: str,
    signature: Mapping[str, Any],
    built: Mapping[str, Any],
) -> Iterator[Finding]:
    """Arguments that the constructor refused, let fall or takes as another type."""
    accepted = dict.fromkeys([*signature["accepted"], *(built["inner"] if signature["swallows"] else ())])
    free = [name for name in accepted if name not in network.arguments]
    for name in built["rejected"]:
        if name in network.arguments:
            yield _unknown(network, builder, name, free, "error", "and refuses it")
        else:
            message = f"{builder} hands the config's scale to {network.type}, which doesn't take {name!r}."
            yield Finding("network-scale-refused", "error", message, None, network.place)
    for name in built["swallowed"]:
        if name in network.arguments:
            yield _unknown(network, builder, name, free, "warning", "and ignores it")
    for name, value in network.arguments.items():
        kinds = signature["accepted"].get(name)
        if kinds and not _is_one(value, kinds):
            expected = " or ".join(dict.fromkeys(word for kind in kinds for word in _words(kind)))
            message = f"the network argument {name!r} should be {expected}. Found {in_words(value)}."
            yield Finding("network-argument-type", "warning", message, None, place_of(network, name))


def _unknown(
    network: NetworkOptions, builder: str, name: str, free: Sequence[str], severity: Any, does: str
) -> Finding:
    near = nearest(name, free)
    takes = f" {network.type} takes {', '.join(free)}." if free else ""
    return Finding(
        code="network-argument-unknown",
        severity=severity,
        message=f"the network {network.type} of {builder} doesn't have the argument {name!r} {does}: "
        "the network was measured without it.",
        fix=f"Did you mean {near!r}?" if near else f"Remove it.{takes}",
        place=place_of(network, name),
    )


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


def _words(kind: str | Sequence[Any]) -> list[str]:
    return [KIND_WORDS[kind]] if isinstance(kind, str) else [in_words(choice) for choice in kind[1:]]


def _is_one(value: Value, kinds: Sequence[Any]) -> bool:
    return any(_is(value, kind) for kind in kinds)


def _is(value: Value, kind: str | Sequence[Any]) -> bool:
    if not isinstance(kind, str):
        return value in kind[1:]
    if isinstance(value, bool) or value is None:
        return kind == ("none" if value is None else "bool")
    return isinstance(value, {"int": int, "float": float, "str": str, "list": list, "dict": dict}.get(kind, ()))


def count_findings(
    network: NetworkOptions, scale: int | None, replies: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    """How the MACs were counted, where it was not as usual; and a scale that is not the config's."""
    counted = replies.get("counted")
    if replies["signature"]["scale"] == scale and scale is not None:  # handed over
        yield from mismatch(network, scale)
    if counted is None:
        reason = (replies.get("uncounted") or replies["failed"])["reason"]
        message = f"the MACs of {network.type} could not be counted: {reason}."
        yield Finding("network-macs-unknown", "info", message, None, network.place)
        return
    if counted["frames"]:
        message = f"{network.type} takes clips: its MACs were counted for {counted['frames']} frames, one of them made."
        yield Finding("network-takes-clips", "info", message, None, network.place)
    if counted["side"] != SIDE:
        message = f"{network.type} refuses {SIDE} x {SIDE} pixels: its MACs were counted at {counted['side']}."
        yield Finding("network-macs-side", "info", message, None, network.place)
    enlargement = counted["enlargement"]
    if scale is not None and enlargement is not None and enlargement != scale:
        message = f"the config's scale is {scale}, but {network.type} as built enlarges {enlargement:g} times."
        fix = "Give the network the scale in the argument that it has for that."
        yield Finding("network-scale-differs", "warning", message, fix, network.place)
