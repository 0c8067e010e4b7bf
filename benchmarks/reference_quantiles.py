"""Makes presets/reference_quantiles.toml: how the metrics spread over natural photographs.

python benchmarks/reference_quantiles.py FOLDER... --name "BSDS500 (500 photographs)" --date 2026-01-31
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from autocal_cli.dataset.decode import WorkingImage
from autocal_cli.dataset.listing import list_images
from autocal_cli.dataset.model import METRIC_NAMES, METRIC_VERSION
from autocal_cli.dataset.sampling import QUANTILES, Values, parse_reference
from autocal_cli.dataset.scan import read_measured
from autocal_cli.dataset.workers import default_workers, look_ahead

HEADER = """\
# How the raw metrics spread over natural photographs: an image's score is its percentile in this table.
# Made by benchmarks/reference_quantiles.py; {count} quantiles a metric, from the minimum (0%) to the maximum (100%).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="natural photographs")
    parser.add_argument("--name", action="append", required=True, help="what a collection is called (repeatable)")
    parser.add_argument("--date", required=True, help="when the table was made, as YYYY-MM-DD")
    parser.add_argument("-o", "--output", type=Path, default=Path("presets/reference_quantiles.toml"))
    arguments = parser.parse_args()
    raw = read_all(arguments.folders)
    text = as_toml(raw, names=arguments.name, date=arguments.date)
    parse_reference(text)
    arguments.output.write_text(text, encoding="utf-8", newline="\n")
    print(f"{len(raw)} photographs -> {arguments.output}")


def read_all(folders: list[Path]) -> Values:
    """Raw metrics (N, 3) of every readable image under the folders."""
    paths = [file.path for file in list_images(folders).files]
    with look_ahead(read_measured, paths, default_workers()) as results:
        rows = [image.raw for image in results if isinstance(image, WorkingImage)]
    return np.array(rows, dtype=np.float64)


def as_toml(raw: Values, *, names: list[str], date: str) -> str:
    """The table as TOML text."""
    quantiles = np.quantile(raw, np.linspace(0.0, 1.0, QUANTILES), axis=0)
    lines = [
        HEADER.format(count=QUANTILES).rstrip(),
        f"metric_version = {METRIC_VERSION}",
        f"photographs = {len(raw)}",
        f"source = [{', '.join(quoted(name) for name in names)}]",
        f"date = {date}",
        "",
        "[quantiles]",
    ]
    for name, row in zip(METRIC_NAMES, quantiles.T, strict=True):
        lines += [f"{name} = [", *(f"  {float(f'{value:.7g}')!r}," for value in row), "]"]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


if __name__ == "__main__":
    main()
