"""Plots of the efficacy benchmark, and one page that holds them with the tables."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Sequence

import matplotlib as mpl
from efficacy_table import Group, psnr
from matplotlib.figure import Figure

mpl.use("Agg")
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
pre { overflow-x: auto; font-size: 12px; } img { max-width: 100%; background: white; }
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


def page(text: str, pictures: Sequence[bytes]) -> str:
    """One self-contained page."""
    shown = "".join(
        f'<p><img alt="PSNR by method" src="data:image/png;base64,{base64.b64encode(picture).decode("ascii")}"></p>'
        for picture in pictures
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>autocal: efficacy</title>'
        f"<style>{STYLE}</style></head><body><h1>Efficacy</h1>{shown}<pre>{html.escape(text)}</pre></body></html>\n"
    )
