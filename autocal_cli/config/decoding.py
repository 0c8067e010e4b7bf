"""Bytes of a config -> its text, or a refusal that says which character may not stand there."""

from __future__ import annotations

import re
from pathlib import PurePath

from autocal_cli.errors import AutocalError, Place

MAX_BYTES = 1024 * 1024  # the largest of 1,700 real option files has 15 KB

BOM = "\ufeff"
_OTHER_BREAKS = "\x85\u2028\u2029"  # next line, line and paragraph separator: given up by YAML 1.2
# Those, a bare carriage return, what YAML (1.1, section 5.1) leaves out (control characters and non-characters), and a
# second byte order mark, which libyaml skips without counting it.
_STRANGE = re.compile(rf"\A{BOM}|\r(?!\n)|[{_OTHER_BREAKS}]|[^\t\n\r -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LOOKS_LIKE_TOML = re.compile(r"""(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*(?:\[[^\]\n,]+\]|[\w"'. -]+=)""")


def decode(raw: bytes, path: str) -> tuple[str, bool]:
    """The text without its byte order mark, and whether it had one. Raises AutocalError."""
    if len(raw) > MAX_BYTES:
        raise AutocalError(f"The file has {len(raw):,} bytes; at most {MAX_BYTES:,} are read.", place=Place(path))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise AutocalError(
            f"The file is not UTF-8 (byte {error.start:,}).", place=Place(path, line), fix="Save it as UTF-8."
        ) from None
    return text.removeprefix(BOM), text.startswith(BOM)


def is_toml(text: str, path: str) -> bool:
    """Whether a config is TOML: by its file's ending, else by its first line that is neither blank nor a comment."""
    ending = PurePath(path).suffix.lower()
    if ending in (".toml", ".yml", ".yaml"):
        return ending == ".toml"
    return _LOOKS_LIKE_TOML.match(text) is not None


def refuse_strange(text: str, path: str) -> None:
    """Raises AutocalError for characters that YAML leaves out, or that end a line for some of its readers only."""
    strange = _STRANGE.search(text)
    if strange:
        line, column = text.count("\n", 0, strange.start()) + 1, strange.start() - text.rfind("\n", 0, strange.start())
        code = f"U+{ord(strange.group()):04X}"
        if strange.group() == "\r":
            message, fix = "A carriage return stands alone as a line ending.", "Use LF or CRLF."
        elif strange.group() in _OTHER_BREAKS:
            message, fix = f"{code} ends a line for some YAML readers and not for others.", "Use LF or CRLF."
        else:
            message, fix = f"{code} may not stand in YAML.", "Delete it, or save the file as UTF-8."
        raise AutocalError(message, place=Place(path, line, column), fix=fix)
