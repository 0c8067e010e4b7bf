"""The number of parameters in a checkpoint, from its header alone: nothing is unpickled, no tensor is read.

A checkpoint holds buffers beside parameters; the usual ones are told by type and name and left out.
"""

from __future__ import annotations

import json
import math
import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.network.model import NetworkFingerprint, Passed

MOST_HEADER = 100_000_000  # bytes; safetensors' own limit
MOST_PICKLE = 64 * 1024**2  # bytes; the pickle of a checkpoint of 100,000 tensors has about 20 MB
BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "attn_mask", "relative_position_index")
SAFETENSORS_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
}
NESTED = ("params_ema", "params", "params-ema", "state_dict", "model", "model_state_dict", "ema")


def checkpoint_parameters(path: Path) -> int:
    """The parameters in a .safetensors, .pth, .pt or .ckpt file; of several networks in it, the smoothed one (EMA).

    Raises:
        ValueError: it is no such file, damaged, contradicts itself, or is of torch's format before 1.6.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(9)
        file.seek(0)
        if start[:4] == b"PK\x03\x04":
            return sum(_pth_sizes(file))
        if len(start) == 9 and start[8:9] == b"{":
            return sum(_safetensors_sizes(file, path.stat().st_size))
    if start[:1] == b"\x80":
        raise ValueError("it is in torch's format before 1.6, which cannot be read without unpickling it")
    raise ValueError("it is neither a safetensors file nor one of torch.save")


def _safetensors_sizes(file: BinaryIO, file_size: int) -> Iterator[int]:
    length = int.from_bytes(file.read(8), "little")
    if length > min(MOST_HEADER, file_size - 8):
        raise ValueError(f"its header claims {length:,} bytes of {file_size:,}")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError):
        raise ValueError("its header is no JSON") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no mapping")
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if not isinstance(entry, dict) or entry.get("dtype") not in SAFETENSORS_BYTES:
            raise ValueError(f"its tensor {name!r:.60} has no type that is known")
        size, offsets = _product(entry.get("shape"), name), entry.get("data_offsets")
        if not isinstance(offsets, list) or len(offsets) != 2 or not all(isinstance(at, int) for at in offsets):
            raise ValueError(f"its tensor {name!r:.60} stands nowhere")
        begin, end = offsets
        if begin < 0 or end > file_size - 8 - length or end - begin != size * SAFETENSORS_BYTES[entry["dtype"]]:
            raise ValueError(f"its tensor {name!r:.60} claims {size:,} values that are not there")
        if entry["dtype"].startswith(("F", "BF")) and not _is_buffer(name):
            yield size


def _pth_sizes(file: BinaryIO) -> Iterator[int]:
    try:
        with zipfile.ZipFile(file) as archive:
            entry = next((entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl")), None)
            if entry is None:
                raise ValueError("it is a zip archive without data.pkl, hence not of torch.save")
            if entry.file_size > MOST_PICKLE:
                raise ValueError(f"its pickle has {entry.file_size:,} bytes")
            folder = entry.filename.removesuffix("data.pkl")
            stored = {e.filename.removeprefix(folder + "data/"): e.file_size for e in archive.infolist()}
            saved = read_pickle(archive.read(entry))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"it is a damaged zip archive ({error})") from None
    tensors = _state_dict(saved)
    seen = set()
    for name, tensor in tensors.items():
        key, dtype, size, place = _tensor(name, tensor, stored)
        if dtype.endswith(("FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage")) and not _is_buffer(name):
            if (key, place) not in seen:  # tied parameters are one
                yield size
            seen.add((key, place))


def _state_dict(saved: Any) -> dict[str, Any]:
    """The tensors by name: of the file itself, or of the first of the usual keys that holds some."""
    nested = [saved[key] for key in NESTED if key in saved] if isinstance(saved, dict) else []
    for found in (*nested, saved):
        if isinstance(found, dict):
            tensors = {str(name): value for name, value in found.items() if _is_tensor(value)}
            if tensors:
                return tensors
    raise ValueError("it holds no state dict")


def _is_tensor(value: Any) -> bool:
    return (
        isinstance(value, Called)
        and isinstance(value.function, Named)
        and value.function.name.startswith("torch._utils _rebuild_")
    )


def _tensor(name: str, tensor: Called, stored: Mapping[str, int]) -> tuple[str, str, int, int]:
    """Storage, type, number of values and offset of a tensor. Raises ValueError where they contradict the archive."""
    function, given = tensor.function.name, tensor.arguments
    if function.endswith("_rebuild_parameter") and _is_tensor(given[0]):
        return _tensor(name, given[0], stored)
    try:
        reference: tuple[Any, ...] = given[0].identity if isinstance(given[0], Persistent) else ()
        _, storage, key, _, count = reference
        offset, size = int(given[1]), _product(given[2], name)
    except (ValueError, TypeError, IndexError):
        raise ValueError(f"its tensor {name!r:.60} is damaged") from None
    if not isinstance(count, int) or size > count or key not in stored or count > stored[key]:
        raise ValueError(f"its tensor {name!r:.60} claims {size:,} values that are not there")
    return key, storage.name if isinstance(storage, Named) else "", size, offset


def _product(shape: Any, name: str) -> int:
    if not isinstance(shape, (list, tuple)) or not all(isinstance(side, int) and side >= 0 for side in shape):
        raise ValueError(f"its tensor {name!r:.60} has no shape")
    return math.prod(shape)


def _is_buffer(name: str) -> bool:
    return name.endswith(BUFFERS)


# Reads what a pickle would build, as plain data, without building it: nothing is imported and nothing is called.
#
# Enough for what `torch.save` writes of a state dict. Whatever it doesn't know becomes a `Named` or `Called`, inert.


MOST_OPERATIONS = 20_000_000  # far over any checkpoint; a hostile file ends there


@dataclass(frozen=True, slots=True)
class Named:
    """A class or function that the pickle names, `module name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Called:
    """What a call would give."""

    function: Any
    arguments: Any


@dataclass(frozen=True, slots=True)
class Persistent:
    """A reference to something outside of the pickle, such as a tensor's storage."""

    identity: Any


_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS = {"BINPUT", "LONG_BINPUT", "PUT"}
_GETS = {"BINGET", "LONG_BINGET", "GET"}
_IGNORED = {"PROTO", "FRAME", "STOP"}


def read_pickle(data: bytes) -> Any:
    """What the pickle would give, of dicts, lists, tuples, text, numbers and the records above.

    Raises ValueError where it is no pickle, or one with what `torch.save` doesn't write.
    """
    machine = _Machine()
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
            if count > MOST_OPERATIONS:
                raise ValueError("it has too many operations")
            machine.carry_out(operation.name, argument)
        return machine.stack[-1]
    except (IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"its pickle is damaged ({type(error).__name__}: {error})") from None


class _Machine:
    """The stack and memory of the pickle machine, and what each operation does to them."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def carry_out(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _IGNORED:
            return
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _PUTS:
            self.memory[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self.memory[len(self.memory)] = stack[-1]
        elif name in _GETS:
            stack.append(self.memory[int(argument)])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_SET"):
            stack.append({} if name == "EMPTY_DICT" else [])
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name == "TUPLE":
            stack.append(tuple(self._to_mark()))
        elif argument is not None and name not in ("GLOBAL", "PERSID"):
            stack.append(argument)  # text, bytes and numbers
        else:
            self._compose(name, argument)

    def _compose(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name == "GLOBAL":
            stack.append(Named(argument))
        elif name == "STACK_GLOBAL":
            function, module = stack.pop(), stack.pop()
            stack.append(Named(f"{module} {function}"))
        elif name == "BINPERSID":
            stack.append(Persistent(stack.pop()))
        elif name in ("REDUCE", "NEWOBJ"):
            given, function = stack.pop(), stack.pop()
            stack.append(_called(function, given))
        elif name == "BUILD":
            stack.pop()  # the state of an object, such as an OrderedDict's metadata
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "SETITEMS":
            pairs = self._to_mark()
            stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))
        elif name == "APPEND":
            value = stack.pop()
            stack[-1].append(value)
        elif name in ("APPENDS", "ADDITEMS"):
            values = self._to_mark()
            stack[-1].extend(values)
        else:
            raise ValueError(f"it holds the operation {name}")

    def _to_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values


def _called(function: Any, given: Any) -> Any:
    if isinstance(function, Named) and function.name in ("collections OrderedDict", "builtins dict"):
        return dict(given[0]) if given else {}
    return Called(function, given)


# The builder that builds nothing: a checkpoint of the network tells its parameters, whatever its type.


class Checkpoint:
    """A checkpoint, asked last. `required`: the user named it, so that one that cannot be read is an error."""

    name = "checkpoint"

    def __init__(self, path: Path, required: bool) -> None:
        self._path = path
        self._required = required

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        try:
            parameters = checkpoint_parameters(self._path)
        except (ValueError, OSError, RecursionError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if self._required:
                message = f"no parameters can be read from this checkpoint: {reason}."
                raise AutocalError(message, place=Place(str(self._path))) from None
            return Passed(self.name, f"{self._path} cannot be read: {reason}", failed=True)
        message = (
            f"{network.type} was not built: its parameters are those of the checkpoint {self._path}, and its MACs are "
            "not known."
        )
        finding = Finding("network-from-checkpoint", "info", message, None, network.place)
        return NetworkFingerprint(
            network.type, scale=scale, parameters=parameters, builder=self.name, findings=(finding,)
        )

    def types(self) -> tuple[str, ...]:
        return ()

    def trouble(self) -> None:
        return None


# What stands in a checkpoint by name and shape, for whoever compares it with a network.


@dataclass(frozen=True, slots=True)
class Contents:
    """The state dicts of a checkpoint, each by the key under which it stands ("" where the file is one itself), as the
    shapes of its tensors; `keys` are those of the top level."""

    states: Mapping[str, Mapping[str, tuple[int, ...]]]
    keys: tuple[str, ...]


def checkpoint_contents(path: Path) -> Contents:
    """The names and shapes of a checkpoint's tensors. Raises as `checkpoint_parameters`."""
    with path.open("rb") as file:
        start = file.read(9)
        file.seek(0)
        if start[:4] == b"PK\x03\x04":
            return _pth_contents(file)
        if len(start) == 9 and start[8:9] == b"{":
            return _safetensors_contents(file, path.stat().st_size)
    raise ValueError("it is neither a safetensors file nor one of torch.save since 1.6")


def _safetensors_contents(file: BinaryIO, file_size: int) -> Contents:
    length = int.from_bytes(file.read(8), "little")
    if length > min(MOST_HEADER, file_size - 8):
        raise ValueError(f"its header claims {length:,} bytes of {file_size:,}")
    try:
        header = json.loads(file.read(length))
        shapes = {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        raise ValueError("its header is no list of tensors") from None
    return Contents({"": shapes}, tuple(shapes))


def _pth_contents(file: BinaryIO) -> Contents:
    try:
        with zipfile.ZipFile(file) as archive:
            entry = next((entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl")), None)
            if entry is None or entry.file_size > MOST_PICKLE:
                raise ValueError("it is a zip archive without a data.pkl that could be read")
            saved = read_pickle(archive.read(entry))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"it is a damaged zip archive ({error})") from None
    if not isinstance(saved, dict):
        raise ValueError("it holds no mapping")
    nested = {str(key): value for key, value in saved.items() if isinstance(value, dict)}
    states = {key: shapes for key, value in {"": saved, **nested}.items() if (shapes := _shapes(value))}
    return Contents(states, tuple(str(key) for key in saved))


def _shapes(saved: Mapping[Any, Any]) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for name, tensor in saved.items():
        inner = tensor
        while _is_tensor(inner) and inner.function.name.endswith("_rebuild_parameter"):
            inner = inner.arguments[0]
        if _is_tensor(inner) and len(inner.arguments) > 2 and isinstance(inner.arguments[2], tuple):
            shapes[str(name)] = inner.arguments[2]
    return shapes
