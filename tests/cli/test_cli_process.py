"""The command as a process of its own: start, streams, interruption, and what it must not import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COMMAND = [sys.executable, "-m", "autocal_cli"]


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['autocal', sys.argv[1]]\nfrom autocal_cli.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'PIL', 'yaml', 'matplotlib', 'tensorboard'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    for option in ("--help", "--version"):
        subprocess.run([sys.executable, "-c", code, option], check=True, capture_output=True, timeout=60)


def test_without_images_nothing_that_reads_images_is_loaded(config: Path) -> None:
    code = (
        "import sys\nsys.argv = ['autocal', 'calibrate', sys.argv[1], '--in-place', '--force']\n"
        "from autocal_cli.cli import main\n"
        "try: main()\nexcept SystemExit as ended: assert not ended.code, ended\n"
        "assert not {'torch', 'numpy', 'PIL', 'autocal_cli.check.checks'} & set(sys.modules)"
    )
    config.write_text(config.read_text("utf-8").replace("dataroot_gt", "dataroot_xx"), encoding="utf-8")
    subprocess.run([sys.executable, "-c", code, str(config)], check=True, capture_output=True, timeout=60)


def test_what_explains_a_finding_loads_nothing_that_reads_images() -> None:
    code = (
        "import sys\nsys.argv = ['autocal', 'explain', 'value-unsupported']\nfrom autocal_cli.cli import main\n"
        "try: main()\nexcept SystemExit as ended: assert not ended.code, ended\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_stdout_holds_the_result_and_nothing_else(config: Path) -> None:
    ran = subprocess.run([*COMMAND, "calibrate", str(config)], capture_output=True, timeout=120)
    assert ran.returncode == 0
    assert ran.stdout.startswith(b"# a comment above\n")
    assert ran.stdout.endswith(b"# the end\n")
    assert b"momentum" in ran.stderr


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor in the shell")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_failure(closed: str) -> None:
    command = f'"{sys.executable}" -m autocal_cli explain codes {closed}'
    ran = subprocess.run(["sh", "-c", command], capture_output=True, timeout=120)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_an_interruption_while_modules_are_imported_is_no_traceback() -> None:
    code = (
        "import sys, autocal_cli.__main__ as start\nclass Interrupt:\n"
        "    def find_spec(self, name, *rest):\n        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\nstart.main()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (130, b"")


INTERRUPTED = """
import os, signal, sys
from autocal_cli.cli import main
from autocal_cli.dataset import scan as measure
read = measure.read_image
def read_and_interrupt(path, *options):
    if path.name == "150.png":
        os.kill(os.getpid(), signal.SIGINT)
    return read(path, *options)
measure.read_image = read_and_interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background has it ignored
sys.argv = ["autocal", *sys.argv[1:]]
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("command", ["analyze-dataset", "calibrate"])
def test_an_interrupt_in_the_middle_of_a_scan_exits_130_and_leaves_nothing(
    config: Path, images: Path, command: str
) -> None:
    rng = np.random.default_rng(1)
    for number in range(200):
        level = 5 + number  # far from uniform, so that the scan of `calibrate` cannot end early
        Image.fromarray(rng.integers(0, level, (32, 32, 3), dtype=np.uint8)).save(images / f"{number}.png")
    out = config.parent / "resolved.yml"
    arguments = (
        [str(images), "--all", "--html", str(out)] if command == "analyze-dataset" else [str(config), "-o", str(out)]
    )
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED, command, *arguments], capture_output=True, timeout=120)
    assert ran.returncode == 130
    assert ran.stdout == b""
    kept = b" What was measured is kept: the next scan goes on there." if command == "analyze-dataset" else b""
    assert ran.stderr.splitlines()[-1] == b"autocal: interrupted; nothing was written." + kept
    assert b"Traceback" not in ran.stderr
    assert {path.name for path in config.parent.iterdir()} == {"train.yml", "hr"}
