"""How long `autocal check` takes over a folder of configs in one call: start and imports included.

    python benchmarks/check_speed.py FOLDER [--rounds 5] [--copies N] [OPTION...]

Each round is a process of its own; told are the median, the fastest, and the time that the processor worked.
`--copies N` checks the folder N times over. OPTIONs go to `autocal check`. Target: 8 s for 1,000 files, on a quiet
machine; on a busy one the processor's time tells.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--copies", type=int, default=1)
    given, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(given.copies):
            shutil.copytree(given.folder, Path(temporary) / str(number))
        rounds = [check_once(Path(temporary), options) for _ in range(given.rounds)]
    seconds = [wall for wall, _, _ in rounds]
    checked, passed_over = rounds[0][2]
    print(f"{checked} configs checked, {passed_over} other files passed over")
    print(f"wall: median {statistics.median(seconds):.2f} s, fastest {min(seconds):.2f} s")
    print(f"processor: median {statistics.median(cpu for _, cpu, _ in rounds):.2f} s")


def check_once(folder: Path, options: list[str]) -> tuple[float, float, tuple[int, int]]:
    """Seconds on the wall, seconds of the processor (the child's), and how many files were what."""
    before, start = child_seconds(), time.perf_counter()
    command = [sys.executable, "-m", "autocal_cli", "check", str(folder), "--json", *options]
    ran = subprocess.run(command, capture_output=True, check=False)
    wall, cpu = time.perf_counter() - start, child_seconds() - before
    if ran.returncode not in (0, 1):
        sys.exit(ran.stderr.decode())
    data = json.loads(ran.stdout)
    return wall, cpu, (len(data["files"]), data["passed_over"])


def child_seconds() -> float:
    """Processor seconds of finished children; 0.0 on systems without `resource`."""
    try:
        import resource
    except ImportError:
        return 0.0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
