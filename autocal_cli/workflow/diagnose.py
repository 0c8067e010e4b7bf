"""`autocal diagnose` as one function: find the run, read what it wrote, judge it. Files and the clock are here."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from autocal_cli.config.files import open_config
from autocal_cli.config.yaml.document import read_value
from autocal_cli.diagnose.logs import LogReader, NothingYetError, with_events
from autocal_cli.diagnose.model import Diagnosis, ImageMean, RunLog
from autocal_cli.diagnose.verdict import diagnose
from autocal_cli.diagnose.view import running
from autocal_cli.errors import AutocalError, Place

CONFIGS = (".yml", ".yaml", ".toml")
EVENTS = "*.autocal.jsonl"  # the scheduler's events, beside the trainer's log
SHOWN_IMAGES, SHOWN_STEPS = 4, 12  # validation images whose colours are read, and validations of each
MOST_PIXELS = 20_000_000


def diagnose_run(path: Path, now: float | None = None, reader: LogReader | None = None) -> Diagnosis:
    """What happened in the run at a path: an experiment's folder, a log, event files, or the config it was started by.

    Args:
        now: seconds since the epoch, to tell a run that is still going; the clock where it is None.
        reader: what has read this run before, so that only what is new in its logs is read.

    Raises AutocalError where there is no run, or more than one.
    """
    return diagnose(read_run(path, now, reader))


def closing(folder: Path) -> tuple[str, ...]:
    """The verdict on a run that has just ended, `topic: text` each; nothing where its folder holds no log."""
    try:
        found = diagnose_run(folder, math.inf)  # nothing is still going on
    except (AutocalError, OSError):
        return ()
    return tuple(f"{line.topic}: {line.text}" for line in found.lines)


def read_run(path: Path, now: float | None = None, reader: LogReader | None = None) -> RunLog:
    """All that a run wrote: its log, the scheduler's events, and the colours of its validation images."""
    run = find_run(path.expanduser())
    log = (reader or LogReader()).read(run, to_the_end=reader is None)
    files = [Path(file) for file in log.files]
    folder = files[-1].parent
    written = max(file.stat().st_mtime for file in files)
    if (last := _last_line(log)) < written - 86_400.0:  # the log was copied; a clock of another zone is nearer
        written = last
    silent_for = max(0.0, (time.time() if now is None else now) - written)
    log = replace(log, silent_for=silent_for, images=tuple(read_images(folder / "visualization")))
    if reader and log.truncated and not running(log):
        log = replace(reader.read(run, to_the_end=True), silent_for=silent_for, images=log.images)
    return with_events(log, _event_lines(folder))


def _last_line(log: RunLog) -> float:
    """When the last line was written, by its own words; infinity where there are none."""
    try:
        return datetime.fromisoformat(log.sessions[-1].ended or "").timestamp()
    except (IndexError, ValueError, OSError, OverflowError):
        return math.inf


def find_run(path: Path) -> Path:
    """Where the logs are: of a config its experiment's folder, of tb_logger/NAME the experiment beside it."""
    if path.is_file() and path.suffix.lower() in CONFIGS:
        return _experiment_of(path)
    if path.is_dir() and path.parent.name == "tb_logger":
        beside = path.parent.parent / "experiments" / path.name
        if any(beside.glob("train_*.log")):
            return beside
    return path


def _experiment_of(config: Path) -> Path:
    """The folder of the run that a config started: where its copy lies, or experiments/NAME above it or here."""
    if any(config.parent.glob("train_*.log")):
        return config.parent
    document = open_config(config).document
    values = read_value(document, document.root)
    name = values.get("name") if isinstance(values, dict) else None
    if not isinstance(name, str) or not name:
        message = "The config has no `name`, so its experiment cannot be found."
        raise AutocalError(message, place=Place(str(config)), fix="Name the experiment's folder.")
    for above in (*config.resolve().parents, Path.cwd()):
        for kind in ("experiments", "tb_logger"):
            if (found := above / kind / name).is_dir():
                return found
    message = f"There is no experiments/{name} above the config or in the working directory."
    raise NothingYetError(message, place=Place(str(config)), fix="Name the experiment's folder.")


def _event_lines(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob(EVENTS)):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found = json.loads(line)
            except ValueError:
                continue  # the last line of a run that was killed
            if isinstance(found, dict):
                yield found


def read_images(folder: Path) -> Iterator[ImageMean]:
    """Mean colours of the first few validation images, `visualization/**/NAME_ITERATION.png`, spread over the run."""
    found: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.rglob("*.png")) if folder.is_dir() else ():
        name, _, number = path.stem.rpartition("_")
        if name and number.isdigit():
            found.setdefault(name, {})[int(number)] = path
    names = [name for name, steps in found.items() if len(steps) >= 4][:SHOWN_IMAGES]
    for name in names:
        steps = sorted(found[name])
        for step in {*steps[:: max(1, len(steps) // SHOWN_STEPS)], steps[-1]}:
            path = found[name][step]
            if mean := _mean_colour(path, path.stat().st_mtime_ns):
                yield ImageMean(step, name, mean)


@lru_cache(maxsize=2 * SHOWN_IMAGES * SHOWN_STEPS)
def _mean_colour(path: Path, _written: int) -> tuple[float, float, float] | None:
    from PIL import Image, ImageStat

    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            red, green, blue = ImageStat.Stat(image.convert("RGB")).mean
    except (OSError, ValueError, SyntaxError):
        return None  # half written by a run that is going on
    return red, green, blue


def follow(read: Callable[[], Diagnosis], wait: Callable[[], None], say: Callable[[str], None]) -> Iterator[Diagnosis]:
    """Reads again and again, until the run has ended; `say` is told that it waits for the first line with a loss, and
    ever more rarely that it still does.

    Raises AutocalError or OSError where the first reading does; later ones may meet a log that is being replaced.
    """
    known, looks = False, 0
    while True:
        try:
            found = read()
        except NothingYetError as error:
            looks += 1
            if not known and looks in (1, 10, 100, 1_000, 10_000):
                still = "Waiting for it; Ctrl-C ends that." if looks == 1 else f"Still so after {looks:,} looks."
                say(f"{error.message} {still}")
        except (AutocalError, OSError):
            if not known:
                raise
        else:
            known = True
            yield found
            if ended(found):
                return
        wait()


def ended(found: Diagnosis) -> bool:
    """Whether nothing more will come: an end was logged, or the log has fallen silent."""
    last = found.log.sessions[-1] if found.log.sessions else None
    silent = found.log.silent_for is not None and not running(found.log)
    return silent or (last is not None and last.ending != "unsaid")
