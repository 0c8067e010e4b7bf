"""Peak memory of a scan of every image, over what the import of torch takes.

    python benchmarks/scan_memory.py FOLDER [--workers N]

Run it from a shell: a parent process that is large would count as this one's peak. Target: below 700 MB. Processes that
read many images are not counted; with `--workers 1` there are none.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch  # noqa: F401 - what the rest is measured over


def peak_mb() -> float:
    """The most memory that this process has held so far, in MB; 0 where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    before = peak_mb()
    from autocal_cli.dataset.scan import scan

    read = scan([arguments.folder], device="cpu", tolerance=None, workers=arguments.workers).read
    if not before:
        print("this system does not tell a process its peak memory")
        return
    print(f"{read} images: {peak_mb() - before:.0f} MB over the import of torch ({before:.0f} MB)")


if __name__ == "__main__":
    main()
