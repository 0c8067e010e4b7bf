"""This end of the process in which one trainer's constructors run (network_table_worker.py), and what it answered."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from network_table_sources import SOURCES, commit_of

ROOT = Path(__file__).resolve().parents[1]
LIMITS = {"describe": 20.0, "measure": 900.0, "probe": 1800.0}  # seconds
IMPORT_LIMIT = 180.0  # seconds
MEMORY = 6 * 1024**3  # bytes of a worker


class Work:
    """Answers by job, in a file that outlives the run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Any] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self._known[entry["key"]] = entry["answer"]

    def get(self, key: str) -> Any:
        return self._known.get(key)

    def put(self, key: str, answer: Any) -> None:
        self._known[key] = answer
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps({"key": key, "answer": answer}) + "\n")


class Trainer:
    """A checkout, asked one job at a time in a process of its own; started again after a job that ended it."""

    def __init__(self, name: str, folder: Path, base: str, python: str, work: Work, scale: int | None) -> None:
        source = SOURCES[name]
        self._spec = {
            "folder": str(folder),
            "base": base or None,
            "package": source.package,
            "registry": source.registry,
            "registries": source.registries,
            "scale": scale,
            "memory": MEMORY,
        }
        self._python = python
        self._work = work
        self._key = [name, commit_of(folder), scale]
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()

    def names(self) -> list[str]:
        opened = self._remembered({"what": "names"}, self._open)
        for part, reason in opened["unimported"]:
            print(f"  {part} cannot be imported: {reason}", flush=True)
        return list(opened["names"])

    def ask(self, what: str, type: str, **facts: Any) -> dict[str, Any]:
        job = {"what": what, "type": type, **facts}
        return dict(self._remembered(job, lambda: self._asked(job)))

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _remembered(self, job: Mapping[str, Any], work: Any) -> Any:
        key = json.dumps([*self._key, job], sort_keys=True)
        known = self._work.get(key)
        if known is None:
            known = work()
            self._work.put(key, known)
        return known

    def _asked(self, job: Mapping[str, Any]) -> Any:
        if self._process is None:
            self._open()
        self._send(job)
        return self._next(LIMITS[job["what"]])

    def _open(self) -> Any:
        self.close()
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [self._python, str(Path(__file__).with_name("network_table_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._spec["folder"],
            env={**os.environ, "PYTHONPATH": path},
            encoding="utf-8",
        )
        self._answers = queue.Queue()
        threading.Thread(target=receive, args=(self._process, self._answers), daemon=True).start()
        self._send(self._spec)
        opened = self._next(IMPORT_LIMIT)
        if "names" not in opened:
            raise SystemExit(f"{self._spec['folder']} cannot be imported: {opened['failed']}")
        return opened

    def _send(self, line: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def _next(self, seconds: float) -> Any:
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            self.close()
            return {"failed": f"it took more than {seconds:g} seconds"}
        if line is None:
            self.close()
            return {"failed": "it ended its process"}
        return json.loads(line)


def receive(process: subprocess.Popen[str], answers: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        answers.put(line)
    answers.put(None)
