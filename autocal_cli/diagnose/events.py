"""TensorBoard event files, read without tensorboard: scalars alone.

A file is a row of records, each a length (8 bytes, little endian), its checksum (4), the message, its checksum (4).
A message is a protocol buffer `Event`: step = 2, summary = 5; a summary's value = 1 has tag = 1, simple_value = 2
(float) or tensor = 8, whose floats stand in tensor_content = 4 or float_val = 5, doubles in 6.
Field numbers: tensorflow/core/util/event.proto, framework/summary.proto, framework/tensor.proto.

The checksums (CRC-32C, which the standard library has not) are passed over: a length that does not fit or a message
that cannot be taken apart ends the reading.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.errors import AutocalError, Place

Scalar = tuple[int, str, float]  # step, tag, value

_HEADER, _FOOTER = 12, 4
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_LONGEST = 1 << 28  # bytes of a record: an image at most
_FLOAT, _DOUBLE = 1, 2  # DataType of a tensor


@dataclass(slots=True)
class EventFile:
    """The scalars in the order of the file, and whether it could be read to its end."""

    values: list[Scalar]
    whole: bool


def read_event_file(path: Path) -> EventFile:
    """All scalars of a file up to its end or its first damage. Raises AutocalError when it is no event file."""
    data = path.read_bytes()
    if data and (len(data) < _HEADER or struct.unpack_from("<Q", data)[0] > 1 << 20):  # the first: a few bytes
        raise AutocalError("This is not a TensorBoard event file.", place=Place(str(path)), fix="Move it elsewhere.")
    view, position, size = memoryview(data), 0, len(data)
    values: list[Scalar] = []
    while position < size:
        if size - position < _HEADER:
            return EventFile(values, whole=False)
        (length,) = struct.unpack_from("<Q", data, position)
        start = position + _HEADER
        if length > _LONGEST or start + length + _FOOTER > size:
            return EventFile(values, whole=False)
        try:
            values.extend(_scalars(view[start : start + length]))
        except (ValueError, IndexError, struct.error):
            return EventFile(values, whole=False)
        position = start + length + _FOOTER
    return EventFile(values, whole=True)


def _scalars(event: memoryview) -> list[Scalar]:
    step, found = 0, []
    for number, value in _fields(event):
        if number == 2 and isinstance(value, int):
            step = value
        elif number == 5 and isinstance(value, memoryview):
            found += [one for key, part in _fields(value) if key == 1 and isinstance(part, memoryview)
                      for one in _value(part)]  # fmt: skip
    return [(step, tag, number) for tag, number in found]


def _value(message: memoryview) -> Iterator[tuple[str, float]]:
    tag: str | None = None
    number: float | None = None
    for key, value in _fields(message):
        if key == 1 and isinstance(value, memoryview):
            tag = str(value, "utf-8")
        elif key == 2 and isinstance(value, bytes):
            (number,) = struct.unpack("<f", value)
        elif key == 8 and isinstance(value, memoryview):
            number = _tensor(value)
    if tag is not None and number is not None:
        yield tag, number


def _tensor(message: memoryview) -> float | None:
    """The number of a tensor of one, None for any other."""
    kind, content, number = 0, b"", None
    for key, value in _fields(message):
        if key == 1 and isinstance(value, int):
            kind = value
        elif key == 4 and isinstance(value, memoryview):
            content = bytes(value)
        elif key in (5, 6):
            letter, width = ("f", 4) if key == 5 else ("d", 8)
            raw = bytes(value) if isinstance(value, memoryview | bytes) else b""
            number = struct.unpack(f"<{letter}", raw)[0] if len(raw) == width else None
    if kind == _FLOAT and len(content) == 4:
        return float(struct.unpack("<f", content)[0])
    if kind == _DOUBLE and len(content) == 8:
        return float(struct.unpack("<d", content)[0])
    return number


def _fields(message: memoryview) -> Iterator[tuple[int, int | bytes | memoryview]]:
    """Number and value of each field. Raises ValueError, IndexError for what is no message."""
    position, size = 0, len(message)
    while position < size:
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise ValueError("no field has the number 0")
        if wire == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == _BYTES:
            length, position = _varint(message, position)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"unknown wire type {wire}")
        if position + length > size:
            raise ValueError("a field is longer than its message")
        part = message[position : position + length]
        position += length
        yield number, part if wire == _BYTES else bytes(part)


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
