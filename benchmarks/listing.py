"""How long a folder takes to be listed, and what memory that takes, over the import of torch.

    python benchmarks/listing.py FOLDER
    python benchmarks/listing.py FOLDER --make 1000000

`--make N` first makes N empty files ending in .png, 1,000 a folder, below FOLDER, which must not exist yet; a listing
looks at no content. Run it from a shell: a parent process that is large would count as this one's peak. Prints CPU time
beside wall time, which other jobs on the machine touch less. Target: below 700 MB, whatever the folder holds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from scan_memory import peak_mb

A_FOLDER = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--make", type=int, metavar="N")
    arguments = parser.parse_args()
    if arguments.make:
        make(arguments.folder, arguments.make)
    from autocal_cli.dataset.listing import list_images
    from autocal_cli.dataset.sampling import sample_order

    before, wall, cpu = peak_mb(), time.perf_counter(), time.process_time()
    found = list_images([arguments.folder]).files
    listed = peak_mb()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    order = sum(1 for _ in zip(range(10_000), sample_order(len(found), seed=0), strict=False))
    print(
        f"{len(found)} files listed in {wall:.1f} s ({cpu:.1f} s of CPU time), {listed - before:.0f} MB over the"
        f" {before:.0f} MB before; {peak_mb() - before:.0f} MB with the order of {order} drawn"
    )


def make(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        below = folder / f"{number // A_FOLDER:05}"
        if number % A_FOLDER == 0:
            below.mkdir()
        (below / f"{number:08}.png").touch()


if __name__ == "__main__":
    main()
