"""How long `autocal --help` takes, beside the bare interpreter, and `analyze-dataset` beside the import of torch.

    python benchmarks/startup.py [--runs 15]

Prints the median of each and the ratios, measured in turns in one run. Targets: --help
within 0.3 s; the scan of 8 images, where there is no accelerator, within 0.6 of the import of torch.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

DEMO = Path(__file__).parents[1] / "sample_configs" / "demo_images" / "hr"

EIGHT = [str(path) for path in sorted(DEMO.glob("*.png"))[:8]]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import typer, rich": [sys.executable, "-c", "import typer, rich.console"],
    "autocal --help": [sys.executable, "-m", "autocal_cli", "--help"],
    "import torch": [sys.executable, "-c", "import torch"],
    "analyze-dataset, 8 images": [sys.executable, "-m", "autocal_cli", "analyze-dataset", *EIGHT, "--no-cache", "-q"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(runs + 1):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if turn:  # the first turn fills the caches
                seconds[name].append(time.perf_counter() - started)
    bare = statistics.median(seconds["python -c pass"])
    torch = statistics.median(seconds["import torch"])
    for name, values in seconds.items():
        median = statistics.median(values)
        spread = f"{min(values):.3f} to {max(values):.3f}"
        beside = f"{median / bare:.1f} times the bare interpreter, {median / torch:.2f} of importing torch"
        print(f"{name:26} {median:.3f} s ({spread}), {beside}")


if __name__ == "__main__":
    main()
