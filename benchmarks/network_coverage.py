"""How many of a trainer's networks are measured: every type that its option templates name, with their arguments.

    python benchmarks/network_coverage.py TRAINER_FOLDER [--templates options/_templates/train] [--markdown]

Prints a line a type (parameters, MACs per pixel, milliseconds, or the reason), then the share that works. It runs the
trainer's code; the packages that the trainer imports must be installed beside autocal.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import AutocalError
from autocal_cli.network.fingerprint import ask, builders_for
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.sources import NetworkSources


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trainer", type=Path)
    parser.add_argument("--templates", type=Path, help="Folder of option files, below the trainer's.")
    parser.add_argument("--markdown", action="store_true", help="Print the lines as a table in Markdown.")
    given = parser.parse_args()
    folder = given.trainer / (given.templates or "options/_templates/train")
    networks = {network.type.lower(): (network, scale) for network, scale in networks_in(folder)}
    worked, counted, slowest = 0, 0, 0.0
    with builders_for(NetworkSources(trainer=given.trainer)) as builders:
        print_row(given.markdown, "type", "scale", "parameters", "MACs per pixel", "ms", "told")
        if given.markdown:
            print("|---|---|---|---|---|---|")
        builders[0].types()  # the import is nobody's own time
        for _, (network, scale) in sorted(networks.items()):
            started = time.perf_counter()
            found = measured(builders, network, scale)
            milliseconds = (time.perf_counter() - started) * 1000
            slowest = max(slowest, milliseconds)
            worked += found.parameters is not None
            counted += found.macs_per_pixel is not None
            numbers = [f"{number:,.0f}" if number else "-" for number in (found.parameters, found.macs_per_pixel)]
            told = " ".join(finding.message for finding in found.findings)
            print_row(given.markdown, network.type, str(scale), *numbers, f"{milliseconds:,.0f}", told)
    print(f"\n{worked} of {len(networks)} types built, {counted} with MACs; the slowest took {slowest:,.0f} ms.")


def networks_in(folder: Path) -> Iterator[tuple[NetworkOptions, int | None]]:
    for path in sorted(folder.rglob("*.yml")):
        try:
            config = read_training_config(parse_document(path.read_bytes(), str(path)))
        except AutocalError as error:
            print(error)
            continue
        if config.network is not None:
            yield config.network, config.scale


def measured(builders: tuple, network: NetworkOptions, scale: int | None) -> NetworkFingerprint:  # type: ignore[type-arg]
    try:
        return ask(builders, network, scale)
    except AutocalError as error:
        return NetworkFingerprint(network.type, findings=(error,))  # type: ignore[arg-type]


def print_row(markdown: bool, *cells: str) -> None:
    if markdown:
        print("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |", flush=True)
    else:
        print("{:18} {:>5} {:>12} {:>16} {:>7}  {}".format(*cells), flush=True)


if __name__ == "__main__":
    main()
