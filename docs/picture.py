"""Draws a terminal, as an SVG, out of a real run of autocal: `python docs/picture.py` writes docs/calibrate.svg.

With --check it writes nothing, and fails where the picture is not what would be drawn.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ("explain", "sample_configs/automatic.yml")
WIDTH = 100  # columns


def main() -> None:
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    console.print(Text.assemble(("$ ", "bold green"), f"autocal {' '.join(COMMAND)}"))
    for line in Text.from_ansi(told(COMMAND)).split(allow_blank=True):
        line.rstrip()
        if not line.plain.startswith("scanning"):  # the bar of progress, which a terminal would have erased
            console.print(line)
    svg = console.export_svg(title="autocal", unique_id="autocal")
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # nothing is fetched from elsewhere
    picture = ROOT / "docs" / "calibrate.svg"
    if "--check" not in sys.argv[1:]:
        picture.write_text(svg, encoding="utf-8")
    elif picture.read_text(encoding="utf-8") != svg:
        sys.exit("docs/calibrate.svg is not what autocal prints now: make docs")


def told(arguments: tuple[str, ...]) -> str:
    """What the command writes on both streams into a terminal with colours."""
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "autocal_cli", *arguments]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True, timeout=120)
    return (ran.stdout + ran.stderr).decode("utf-8").replace("\r\n", "\n").rstrip()


if __name__ == "__main__":
    main()
