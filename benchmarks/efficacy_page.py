"""Plots of the efficacy benchmark, and one page that holds them with the tables."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
from efficacy_table import Group, psnr
from matplotlib.figure import Figure

mpl.use("Agg")
REMARKS = "Where another method is better than autocal's default"
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
img { max-width: 100%; background: white; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 12px; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: 0.15rem 0.5rem; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; } tr.own { font-weight: 600; }
"""


def plot(group: Group) -> bytes:
    """A PNG: PSNR against the factor by which the weight is wrong, a line a method, with the interval of a mean."""
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    for number, method in enumerate(group.methods):
        cells = [group.cell(method, factor, psnr) for factor in group.factors]
        known = [(f, c) for f, c in zip(group.factors, cells, strict=True) if not math.isnan(c.mean)]
        axes.errorbar(
            [factor * (1 + 0.03 * number) for factor, _ in known], [cell.mean for _, cell in known],
            yerr=[0.0 if math.isnan(cell.half_width) else cell.half_width for _, cell in known],
            label=method, marker="o", markersize=4, capsize=2, linewidth=2.5 if method == "autocal" else 1.2,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("factor by which the weight is wrong")
    axes.set_ylabel("PSNR, dB")
    axes.set_title(f"{group.losses}, {group.variant} at x{group.scale}")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, ncols=2)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


@dataclass(frozen=True)
class Shown:
    """What the page shows of one group."""

    title: str
    picture: bytes
    cells: Sequence[Sequence[str]]


def page(groups: Sequence[Shown], remarks: Sequence[str]) -> str:
    """One self-contained page: each group's plot and table, and a list of remarks."""
    sections = "".join(
        f"<h2>{html.escape(group.title)}</h2>"
        f'<p><img alt="PSNR by method" src="{_inlined(group.picture)}"></p>'
        f'<div class="scroll">{_table(group.cells)}</div>'
        for group in groups
    )
    listed = "".join(f"<li>{html.escape(remark)}</li>" for remark in remarks)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>autocal: efficacy</title>'
        f"<style>{STYLE}</style></head><body><h1>Efficacy</h1>{sections}"
        f"<h2>{REMARKS}</h2><ul>{listed}</ul></body></html>\n"
    )


def _inlined(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")


def _table(cells: Sequence[Sequence[str]]) -> str:
    head, *body = cells
    rows = [f"<tr>{''.join(f'<th>{html.escape(cell)}</th>' for cell in head)}</tr>"]
    for line in body:
        own = ' class="own"' if line[0] == "autocal" else ""
        rows.append(f"<tr{own}>{''.join(f'<td>{html.escape(cell)}</td>' for cell in line)}</tr>")
    return f"<table>{''.join(rows)}</table>"
