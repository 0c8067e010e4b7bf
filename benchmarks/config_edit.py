"""What one edit of a config costs in processor time, beside PyYAML's `safe_load` of the same text in the same run.

    python benchmarks/config_edit.py [CONFIG] [--runs 5]

A config of 10 KB, 100 KB and 1 MB is made by repeating a sample config's sections below keys of their own. The edit is
all that `autocal calibrate` does with the text: it is parsed, calibrated, and the block written in two steps, each
parsed again and verified; then it is calibrated once more, to see that nothing changes. Networks and images are not
measured. Targets: 60 ms for 10 KB, 4 s for 1 MB.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from autocal_cli.calibration.model import Presets
from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.files import open_config, parse_document
from autocal_cli.config.yaml.parsing import parse_events
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.workflow.calibrate import resolve
from autocal_cli.workflow.config_file import BlockFile

SIZES = {"10 KB": 10_000, "100 KB": 100_000, "1 MB": 1_000_000}
SAMPLE = Path(__file__).parents[1] / "sample_configs" / "automatic.yml"
NANO = NetworkFingerprint("paragonsr2_nano", "paragonsr2", "nano", 2, 10_595, 26_822.0, "built-in", "0" * 64)


def grown(text: str, size: int) -> str:
    """The text, and below it as many of its sections over again as `size` bytes hold, one level deeper."""
    pieces, length = [text], len(text.encode())
    inner = "".join(f"  {line}" if line.strip() else line for line in text.splitlines(keepends=True))
    while True:
        section = f"copy_{len(pieces)}:\n{inner}"
        length += len(section.encode())
        if length > size:
            return "".join(pieces)
        pieces.append(section)


def edit(text: str, presets: Presets) -> str:
    file = open_config(Path("train.yml"), text.encode())
    return resolve(BlockFile(file, file, "block"), file.training, NANO, None, presets, {})[0].text


def timed(action: Callable[[], object], runs: int) -> list[float]:
    """Seconds of processor time of each run, after one that does not count. (One thread, and no file is read.)"""
    seconds = []
    for _ in range(runs + 1):
        started = time.process_time()
        action()
        seconds.append(time.process_time() - started)
    return seconds[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    presets = load_presets()
    sample = arguments.config.read_text(encoding="utf-8")
    print(f"PyYAML {yaml.__version__}; median of {arguments.runs}")
    for name, size in SIZES.items():
        text = grown(sample, size)
        edits = timed(lambda text=text: edit(text, presets), arguments.runs)
        parses = timed(lambda text=text: parse_document(text.encode(), "train.yml"), arguments.runs)
        loads = timed(lambda text=text: yaml.safe_load(text), 1 if size > 100_000 else arguments.runs)
        seconds, load = statistics.median(edits), statistics.median(loads)
        print(
            f"{name:>6}: edit {seconds * 1000:7.1f} ms ({min(edits) * 1000:.1f} to {max(edits) * 1000:.1f}), "
            f"one parse {statistics.median(parses) * 1000:6.1f} ms, safe_load {load * 1000:7.1f} ms; "
            f"edit / safe_load {seconds / load:.2f}"
        )
    events = timed(lambda: list(parse_events(text, "train.yml")), 1)
    print(f"libyaml: {events[0] * 1000:.0f} ms for the parse events of 1 MB")


if __name__ == "__main__":
    main()
