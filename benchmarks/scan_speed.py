"""How long a scan of every image takes, beside decoding alone and beside other ways to look at the same folder.

    python benchmarks/scan_speed.py FOLDER [--runs 5] [--workers N] [--scikit 16] [--only WAY]

Decoding alone: each kind of file whole, to an RGB array, by the fastest decoder installed here (those of decoders.py;
the first 32 files decide by CPU time), and by Pillow, in as many threads as the scan has. "Everything on" judges every
image too, as analyze-dataset does. The scikit-image script computes the same quantities on one core, on the first 16
files; cleanvision looks for its default issues on all cores. All in turns in one run; prints medians of wall time and
of CPU time (child processes included), which other jobs on the machine touch less, and ratios of both. Targets: a scan
at most 1.25 times decoding alone, 4 times as fast as cleanvision and 12 times as the scikit-image script. Peak memory:
benchmarks/scan_memory.py. Of 500 images or more, two workers are processes. With `--only` one way, as "decoding by
Pillow" or "autocal, everything on", in a process of its own: what ran before in a process changes what memory costs, by
a tenth.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import os
import statistics
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from decoders import by_pillow, installed_decoders
from decoders import in_turns as cpu_in_turns

from autocal_cli.dataset import decode
from autocal_cli.dataset.health import Ledger
from autocal_cli.dataset.listing import list_images
from autocal_cli.dataset.scan import scan
from autocal_cli.dataset.workers import default_workers, look_ahead

Seconds = tuple[float, float]  # wall and CPU


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=default_workers())
    parser.add_argument("--scikit", type=int, default=16, help="files for the scikit-image script; 0 leaves it out")
    parser.add_argument("--only", metavar="WAY", help="time this way alone")
    arguments = parser.parse_args()
    paths = [file.path for file in list_images([arguments.folder]).files]
    best = fastest_decoders(paths)
    print(f"{len(paths)} files, {arguments.workers} workers; decoding alone by", *sorted(set(best.values())), sep=" ")
    timed = ways(arguments, paths, best)
    if arguments.only:
        wall, cpu = zip(*in_turns({"": timed[arguments.only]}, arguments.runs)[""], strict=True)
        each = [1000 * statistics.median(values) / len(paths) for values in (wall, cpu)]
        print(f"{arguments.only}: {each[0]:.2f} ms an image, wall; {each[1]:.2f} ms, CPU")
        return
    seconds = in_turns(timed, arguments.runs)
    report(seconds, len(paths), arguments.scikit)


def ways(arguments: argparse.Namespace, paths: list[Path], best: dict[str, str]) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    decoders = {ending: installed_decoders(ending)[name] for ending, name in best.items()}

    def decode_alone() -> None:
        with look_ahead(lambda path: decoders[path.suffix](path.read_bytes()), paths, arguments.workers) as all_:
            deque(all_, maxlen=0)

    def scan_all() -> None:
        scan([arguments.folder], device="cpu", tolerance=None, workers=arguments.workers)

    def everything_on() -> None:
        ledger = Ledger()
        options = {"device": "cpu", "tolerance": None, "workers": arguments.workers}
        ledger.report(scan([arguments.folder], on_measured=ledger.take, **options))

    def decode_by_pillow() -> None:
        with look_ahead(lambda path: by_pillow(path.read_bytes()), paths, arguments.workers) as all_:
            deque(all_, maxlen=0)

    timed: dict[str, Callable[[], object]] = {
        "decoding alone": decode_alone,
        "decoding by Pillow": decode_by_pillow,
        "autocal": scan_all,
        "autocal, everything on": everything_on,
        "autocal, Pillow only": lambda: without_fast_decoders(scan_all),
        "everything, Pillow only": lambda: without_fast_decoders(everything_on),
    }
    if arguments.scikit:
        from scikit_scan import scikit_metrics  # needs scikit-image

        timed["scikit-image script"] = lambda: [scikit_metrics(path) for path in paths[: arguments.scikit]]
    if importlib.util.find_spec("cleanvision"):
        timed["cleanvision"] = lambda: cleanvision(arguments)
    else:
        print("cleanvision is not installed and left out")
    return timed


def without_fast_decoders(act: Callable[[], None]) -> None:
    fast_rgb, decode.fast_rgb = decode.fast_rgb, lambda *_: None
    try:
        act()
    finally:
        decode.fast_rgb = fast_rgb


def cleanvision(arguments: argparse.Namespace) -> None:
    from cleanvision import Imagelab

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        Imagelab(data_path=str(arguments.folder)).find_issues(n_jobs=arguments.workers, verbose=False)


def fastest_decoders(paths: list[Path]) -> dict[str, str]:
    """The name of the fastest decoder for each ending, in one thread."""
    best = {}
    for ending in {path.suffix for path in paths}:
        contents = [path.read_bytes() for path in paths if path.suffix == ending][:32]
        seconds = cpu_in_turns(installed_decoders(ending), contents, 3)
        best[ending] = min(seconds, key=lambda name: statistics.median(seconds[name]))
    return best


def in_turns(acts: dict[str, Callable[[], object]], runs: int) -> dict[str, list[Seconds]]:
    seconds: dict[str, list[Seconds]] = {name: [] for name in acts}
    for turn in range(runs + 1):
        for name, act in acts.items():
            wall, cpu = time.perf_counter(), cpu_seconds()
            act()
            if turn:  # the first turn fills the caches
                seconds[name].append((time.perf_counter() - wall, cpu_seconds() - cpu))
    return seconds


def cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def report(seconds: dict[str, list[Seconds]], count: int, scikit: int) -> None:
    """An image's share of the median, and its ratios to decoding alone and to the scan."""
    counts = {"scikit-image script": min(scikit, count)}
    for column, kind in enumerate(("wall", "CPU")):
        each = {
            name: statistics.median(value[column] for value in values) / counts.get(name, count)
            for name, values in seconds.items()
        }
        for name, value in each.items():
            names = ("decoding alone", "decoding by Pillow", "autocal")
            beside = ", ".join(f"{value / each[other]:5.2f} x {other}" for other in names)
            print(f"{name:23} {1000 * value:8.2f} ms an image, {kind:4} {beside}")


if __name__ == "__main__":
    main()
