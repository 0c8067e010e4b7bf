"""Writes the parts of the docs that come from the code. Called by cog from README.md and docs/*.md (`make docs`)."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from pathlib import Path
from typing import Any

import typer.main

from autocal_cli.calibration.model import PRESET_PARAMETERS
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.rules import formula, target
from autocal_cli.check.checks import load_catalogue
from autocal_cli.cli import app, main
from autocal_cli.diagnose.verdict import FAULTS
from autocal_cli.report.check import rules_markdown
from autocal_cli.report.dataset import THRESHOLDS, told_reasons

ROOT = Path(__file__).resolve().parent.parent


def commands() -> str:
    """Every command with its arguments and options, as Markdown."""
    group = typer.main.get_command(app)
    parts = []
    for name, command in group.commands.items():
        arguments = " ".join(str(p.metavar) for p in command.params if _is_argument(p))
        title = f"autocal {name} {arguments}".rstrip()
        parts.append(f"## `{title}`\n\n{command.help}\n\n| option | what it does |\n|---|---|")
        parts += [f"| {_spelling(p)} | {_cell(p.help or '')} |" for p in command.params if not _is_argument(p)]
        parts.append("")
    return "\n".join(parts)


def presets_table() -> str:
    """The presets as Markdown, one row a variant."""
    presets = load_presets()
    rows = [f"| variant | parameters x2 / x4 | MACs per pixel x2 / x4 | {' | '.join(PRESET_PARAMETERS)} | use |"]
    rows.append("|---" * (len(PRESET_PARAMETERS) + 4) + "|")
    for preset in presets.presets:
        sizes = f"{preset.parameters[2]:,} / {preset.parameters[4]:,}"
        costs = f"{preset.macs_per_pixel[2]:,.0f} / {preset.macs_per_pixel[4]:,.0f}"
        values = " | ".join(str(preset.values[name]) for name in PRESET_PARAMETERS)
        rows.append(f"| {preset.variant} | {sizes} | {costs} | {values} | {preset.use} |")
    sources = "; ".join(f"{name}: {presets.sources[name]}" for name in (*PRESET_PARAMETERS, "fallback"))
    return "\n".join([*rows, "", f"Sources: {sources}.", ""])


def rules_table() -> str:
    """The rules as Markdown, in the order in which they apply."""
    rows = ["| code | changes | by the factor | why | source |", "|---|---|---|---|---|"]
    rows += [
        f"| `{rule.code}` | {target(rule)} | {_cell(formula(rule))} | {rule.reason} | {_cell(rule.source)} |"
        for rule in load_presets().rules
    ]
    return "\n".join([*rows, ""])


def bounds_table() -> str:
    presets = load_presets()
    rows = ["| parameter | at least | at most |", "|---|---|---|"]
    for name, bound in presets.bounds.items():
        share = f", and {bound.share_of_run:.0%} of the run" if bound.share_of_run else ""
        rows.append(f"| {name} | {bound.low:g} | {bound.high:g}{share} |")
    return "\n".join([*rows, "", f"Source: {presets.bounds_source}.", ""])


def findings() -> str:
    """Every code that autocal prints, as Markdown."""
    return rules_markdown([*load_catalogue().values(), *FAULTS.values()])


def reasons_table() -> str:
    """Why an image is looked at or dropped, as Markdown."""
    rows = ["| reason | what it means | from where |", "|---|---|---|"]
    rows += [
        f"| `{code}` | {_cell(meaning)} | {_cell('<br>'.join(rules))} |"
        for code, (meaning, *rules) in told_reasons().items()
    ]
    return "\n".join([*rows, "", f"{THRESHOLDS} Of several measures MEASURE=NUMBER sets one.\n"])


def terminal(*arguments: str, lines: int | None = None, hide_seconds: bool = False, summary: bool = False) -> str:
    """What a command prints, run from the top of the checkout: standard error, then standard output.

    Of a long answer only the first `lines`. `hide_seconds` leaves out the line that differs from run to run,
    `summary` standard output.
    """
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    before, argv = Path.cwd(), sys.argv
    os.chdir(ROOT)
    sys.argv = ["autocal", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.suppress(SystemExit):
            main()
    finally:
        os.chdir(before)
        sys.argv = argv
    out.flush()
    printed = err.getvalue() + out.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]
    if summary:
        printed = err.getvalue()
    shown = [line.rstrip() for line in printed.splitlines() if not (hide_seconds and re.match(r"[\d.]+ s on ", line))]
    shown = shown if lines is None or len(shown) <= lines else [*shown[:lines], "..."]
    text = "\n".join(shown)
    return f"```console\n$ autocal {' '.join(arguments)}\n{text}\n```\n"


def _is_argument(parameter: Any) -> bool:
    return not parameter.opts[0].startswith("-")


def _spelling(parameter: Any) -> str:
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    return f"`{', '.join(parameter.opts)}{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
