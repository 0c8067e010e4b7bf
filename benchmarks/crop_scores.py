"""How scores of random training crops lie beside those of whole images.

    python benchmarks/crop_scores.py FOLDER [--sides 64 128 192 256]

As many crops as images, one of each, on the CPU. Prints the mean scores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from autocal_cli.dataset.model import METRIC_NAMES, DatasetFingerprint, TrainingCrops
from autocal_cli.dataset.scan import scan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128, 192, 256])
    arguments = parser.parse_args()
    whole = scan([arguments.folder], device="cpu", tolerance=None)
    print(f"{'':14}", *METRIC_NAMES, "overall", sep="  ")
    show("whole images", whole)
    for side in arguments.sides:
        crops = TrainingCrops(whole.read, side)
        show(f"crops of {side}", scan([arguments.folder], device="cpu", crops=crops))


def show(name: str, dataset: DatasetFingerprint) -> None:
    scores = [f"{dataset.metrics[metric].score:{len(metric)}.3f}" for metric in METRIC_NAMES]
    print(f"{name:14}", *scores, f"{dataset.overall_complexity:7.3f}", sep="  ")


if __name__ == "__main__":
    main()
