"""Where each key and value of a TOML text stands. The text is known to be valid: tomllib has read it.

Grammar: toml.io, version 1.0.0.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

from autocal_cli.config.record import KeyPath

_BLANK = re.compile(r"[ \t\r\n]+")
_COMMENT = re.compile(r"#[^\r\n]*")
_KEY = re.compile(r'"(?:\\.|[^"\\])*"|' r"'[^']*'|[A-Za-z0-9_-]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
# Strings over several lines may end in up to two quotes of their own before the three that close them.
_SCALAR = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|'
    r"'''.*?'''(?:'{0,2})|"
    r'"(?:\\.|[^"\\])*"|'
    r"'[^']*'"
    r"|\d{4}-\d\d-\d\d[ ]\d[^\s,\]}#]*|[^\s,\]}#]+",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One name of a dotted key."""

    start: int
    end: int
    name: str


Key = tuple[KeyPart, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A value: the `items` of an array, the `pairs` of an inline table, or neither: a scalar."""

    start: int
    end: int
    text: str
    items: list[Value] | None = None
    pairs: list[tuple[Key, Value]] | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A `key = value`, a `[header]`, or a `[[header]]` (`repeated`); headers have no value.

    `path` is the key with the names of the section that it stands in.
    """

    start: int
    end: int
    key: Key
    value: Value | None
    path: KeyPath
    repeated: bool = False

    @property
    def is_header(self) -> bool:
        return self.value is None


class Scanner:
    """Walks a valid text from its first character to its last; `comments` are the spans of those passed by."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.comments: list[tuple[int, int]] = []

    def statements(self) -> list[Statement]:
        found: list[Statement] = []
        section: KeyPath = ()
        self._skip()
        while self.at < len(self.text):
            start = self.at
            if self.text[start] == "[":
                repeated = self.text.startswith("[[", start)
                self.at += 1 + repeated
                key = self._key()
                self.at = self.text.index("]", self.at) + 1 + repeated
                section = tuple(part.name for part in key)
                found.append(Statement(start, self.at, key, None, section, repeated))
            else:
                key, value = self._pair()
                path = (*section, *(part.name for part in key))
                found.append(Statement(start, self.at, key, value, path))
            self._skip()
        return found

    def _skip(self) -> None:
        """Passes blanks, line breaks and comments."""
        while True:
            blank = _BLANK.match(self.text, self.at)
            if blank:
                self.at = blank.end()
            comment = _COMMENT.match(self.text, self.at)
            if not comment:
                return
            self.comments.append(comment.span())
            self.at = comment.end()

    def _key(self) -> Key:
        parts = []
        while True:
            self._skip()
            match = _KEY.match(self.text, self.at)
            assert match is not None
            parts.append(KeyPart(match.start(), match.end(), _name(match.group())))
            self.at = match.end()
            dot = _DOT.match(self.text, self.at)
            if not dot:
                return tuple(parts)
            self.at = dot.end()

    def _pair(self) -> tuple[Key, Value]:
        key = self._key()
        equals = _EQUALS.match(self.text, self.at)
        assert equals is not None
        self.at = equals.end()
        return key, self._value()

    def _value(self) -> Value:
        start = self.at
        match self.text[start]:
            case "[":
                items = []
                self.at += 1
                while self._more("]"):
                    items.append(self._value())
                return Value(start, self.at, self.text[start : self.at], items=items)
            case "{":
                pairs = []
                self.at += 1
                while self._more("}"):
                    pairs.append(self._pair())
                return Value(start, self.at, self.text[start : self.at], pairs=pairs)
            case _:
                match = _SCALAR.match(self.text, start)
                assert match is not None
                self.at = match.end()
                return Value(start, self.at, match.group())

    def _more(self, closing: str) -> bool:
        """Whether another item follows, a comma passed; if none does, passes the closing bracket."""
        self._skip()
        if self.text[self.at] == ",":
            self.at += 1
            self._skip()
        if self.text[self.at] != closing:
            return True
        self.at += 1
        return False


def _name(raw: str) -> str:
    if raw[0] == '"':
        return str(tomllib.loads(f"x = {raw}")["x"]) if "\\" in raw else raw[1:-1]
    return raw[1:-1] if raw[0] == "'" else raw
