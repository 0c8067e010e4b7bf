"""A replayed run as one self-contained page: the figure inline, no scripts, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from autocal_cli.replay.drawing import GENERATOR
from autocal_cli.replay.record import ReplayedRun
from autocal_cli.report.replay_terminal import change, files, loss_cells, phases, summary

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1060px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
svg { width: 100%; height: auto; margin: 1rem 0 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid #e3e3e3; }
th { color: #666; font-weight: 600; }
th.text, td.text { text-align: left; }
p, li { max-width: 46rem; }
.dim { color: #666; overflow-wrap: anywhere; }
"""
_LOSS_COLUMNS = ("loss", "weight", "first raw", "last raw", "multiplier", "lowest", "highest", "events")


def replay_page(run: ReplayedRun, figure: str) -> str:
    """The page. `figure` is an `<svg>` element; all other text is escaped."""
    rows = [(loss.name, *loss_cells(run, loss)) for loss in run.losses]
    events = [
        (f"{e.iteration:,}", "all" if e.loss == "*" else e.loss, e.cause, change(e.before, e.after)) for e in run.events
    ]
    told = [f"{finding.message} {finding.fix or ''}".strip() for finding in run.findings]
    parts = [
        f"<h1>What the scheduler would have done</h1>\n<p>{escape(summary(run))}.<br>",
        f'Phases: {escape(phases(run))}.<br><span class="dim">{escape(files(run))}</span></p>',
        figure.strip(),
        "<h2>Losses</h2>",
        _table(_LOSS_COLUMNS, rows, text_columns={0}),
        "<h2>Events</h2>",
        _table(("iteration", "loss", "cause", "multiplier"), events, {1, 2, 3}) if events else "<p>None.</p>",
        "<h2>Cannot be known from these logs</h2>",
        _items(run.limits),
        *(("<h2>Notices</h2>", _items(told)) if told else ()),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="generator" content="{GENERATOR}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>autocal replay</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], text_columns: set[int]) -> str:
    lines = [_row("th", columns, text_columns), *(_row("td", row, text_columns) for row in rows)]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _row(tag: str, cells: Sequence[str], text_columns: set[int]) -> str:
    marked = (f'<{tag} class="text">' if i in text_columns else f"<{tag}>" for i in range(len(cells)))
    return "<tr>" + "".join(f"{mark}{escape(cell)}</{tag}>" for mark, cell in zip(marked, cells, strict=True)) + "</tr>"


def _items(texts: Iterable[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{escape(text)}</li>" for text in texts) + "\n</ul>"
