"""Where results go: standard output for what was asked, standard error for all that is said about it."""

from __future__ import annotations

import os
import sys

from rich.console import Console, RenderableType
from rich.text import Text

from autocal_cli.errors import AutocalError

PLAIN_WIDTH = 110  # columns where the output is no terminal


def console(stderr: bool = False) -> Console:
    """A console as wide as the terminal, or PLAIN_WIDTH where there is none."""
    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


def show(*parts: RenderableType, stderr: bool = False) -> None:
    """Prints what a person reads, no line ending in blanks."""
    target = console(stderr)
    with target.capture() as capture:
        for part in parts:
            target.print(part, markup=False, soft_wrap=isinstance(part, Text))  # a path must stay in one piece
    text = "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
    if stderr:
        sys.stderr.write(text)
    else:
        write(text.encode())


def write(data: bytes) -> None:
    """Writes bytes to standard output as they are. A reader that has gone away has had enough."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
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
