"""Where results go: standard output for what was asked, standard error for all that is said about it."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from autocal_cli.errors import AutocalError

if TYPE_CHECKING:
    from autocal_cli.dataset.scan import ScanProgress


SEVERITY_STYLE = {"error": "bold red", "warning": "yellow", "info": "cyan"}
PLAIN_WIDTH = 110  # columns where the output is no terminal
PACE_AFTER = 5.0  # seconds, before which the time left is a guess; chosen
WIDEST = 200  # columns, more than a view takes that has a narrower one


def console(stderr: bool = False) -> Console:
    """A console as wide as the terminal, or PLAIN_WIDTH where there is none."""
    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


def show(*parts: RenderableType, stderr: bool = False) -> None:
    """Prints what a person reads, no line ending in blanks. A path stays in one piece.

    A terminal gets text broken between words; a file or a pipe gets it unbroken, so that a line is a finding.
    """
    target = console(stderr)
    with target.capture() as capture:
        for part in parts:
            lines = between_words(part, target.width) if isinstance(part, Text) and target.is_terminal else [part]
            for line in lines:
                target.print(line, markup=False, soft_wrap=isinstance(part, Text))
    text = "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
    if stderr:
        sys.stderr.write(text)
    else:
        write(text.encode())


def table(
    *columns: str, header: str = "dim", right: Collection[int] = (), wraps: Collection[int] | None = None
) -> Table:
    """A table without lines. The columns `wraps` (the last, where none is named) wrap, and others are kept whole."""
    made = Table(box=None, pad_edge=False, header_style=header)
    for index, name in enumerate(columns):
        side: Literal["left", "right"] = "right" if index in right else "left"
        whole = index not in (wraps or (len(columns) - 1,))
        made.add_column(name, justify=side, no_wrap=whole, overflow="ellipsis" if whole else "fold")
    return made


def table_without_head(*styles: str | None) -> Table:
    """A column a style; the last one wraps."""
    made = table(*("" for _ in styles))
    made.show_header = False
    for column, style in zip(made.columns, styles, strict=True):
        column.style = style or ""
    return made


class FirstThatFits:
    """Of several views the first that is not too wide, or the last; `wrapped`: where what may wrap does."""

    def __init__(self, *views: RenderableType, wrapped: bool = False) -> None:
        self.views, self.bound = views, 0 if wrapped else 1  # of a measurement's minimum and maximum

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.update(width=WIDEST)
        fitting = (view for view in self.views if console.measure(view, options=wide)[self.bound] <= options.max_width)
        yield next(fitting, self.views[-1])


def between_words(text: Text, width: int) -> list[Text]:
    """Text in lines of at most `width` columns, as far as words are short enough: a longer one is not broken."""
    lines: list[Text] = []
    for line in text.split(allow_blank=True):
        starts, column = [], 0
        for word in re.finditer(r"(?:^\s+)?\S+\s*", line.plain):
            if column and column + cell_len(word.group().rstrip()) > width:
                starts.append(word.start())
                column = 0
            column += cell_len(word.group())
        lines += line.divide(starts)
    return lines


def filled(template: str, **values: Any) -> str:
    """A page: a file of `templates` with these values, whose text is escaped."""
    from jinja2 import Environment, PackageLoader  # takes as long to load as a verdict takes

    loader = PackageLoader("autocal_cli", "report/templates")
    pages = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return pages.get_template(template).render(values)


def write(data: bytes | Iterable[bytes]) -> None:
    """Writes bytes, or parts of them, to standard output as they are. A reader that has gone away has had enough."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.writelines([data] if isinstance(data, bytes) else data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains as it ends
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise AutocalError(f"Standard output cannot be written: {error.strerror or error}.") from None


def shows_blocks() -> bool:
    """Whether standard output reads what `show` writes, which is UTF-8, so that block characters arrive."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")


def one_line(text: str) -> str:
    r"""Text of a message without line breaks and control characters, which a config may bring in.

    >>> one_line("two\nlines \x1b[31m")
    'two\\nlines \\x1b[31m'
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


OnScan = Callable[["ScanProgress"], None]
OnCount = Callable[[int, int], None]


def time_left(elapsed: float, done: int, total: int) -> str:
    """By the mean pace so far, once that is known. Rich's own forgets the pace where the total changes.

    >>> time_left(60.0, 30, 40), time_left(4.0, 30, 40)
    ('0:00:20 left', '')
    """
    return f"{timedelta(seconds=int(elapsed * (total - done) / done))} left" if done and elapsed > PACE_AFTER else ""


@contextmanager
def progress(quiet: bool, counting: str = "probing") -> Iterator[tuple[OnScan | None, OnCount | None]]:
    """A bar on standard error that leaves no trace, and the two callbacks that move it: by what a scan has done, and by
    counts of what `counting` says, done and in all. None when nothing is to be shown, as where there is no terminal."""
    target = console(stderr=True)
    if quiet or not target.is_terminal:
        yield None, None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # slow to import

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[sure]}"))
    bar = Progress(*columns, TextColumn("{task.fields[left]}"), console=target, transient=True)
    task = bar.add_task("scanning", total=None, sure="", left="")
    began: dict[OnScan | OnCount, float] = {}

    def on_scan(state: ScanProgress) -> None:
        if state.listing:
            bar.update(task, description=f"listing ... {state.found:,} files")
        elif state.judging:
            bar.update(task, description=f"judging {state.found:,} images", sure="", left="")
        else:
            seconds = time.monotonic() - began.setdefault(on_scan, time.monotonic())
            told = [f"means known to +-{state.half_width:.3f}"] if state.half_width else []
            told += [f"{state.failed:,} failed"] if state.failed else []
            told += [f"{state.read_bytes / 1e6 / seconds:.0f} MB/s"] if state.read_bytes and seconds > 1 else []
            what = "scanning" if state.expected == state.found else f"a sample from {state.found:,}"
            left = time_left(seconds, state.done, state.expected)
            sure = ", ".join(told)
            bar.update(task, description=what, completed=state.done, total=state.expected, sure=sure, left=left)
        bar.start()  # not before there is something to show

    def on_count(done: int, total: int) -> None:
        left = time_left(time.monotonic() - began.setdefault(on_count, time.monotonic()), done, total)
        bar.update(task, description=counting, completed=done, total=total, sure="", left=left)
        bar.start()

    try:
        yield on_scan, on_count
    finally:
        bar.stop()
