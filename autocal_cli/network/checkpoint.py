"""The number of parameters in a checkpoint: no tensor is read, and nothing but tensors is unpickled.

A checkpoint holds buffers beside parameters; the usual ones are told by type and name and left out.
"""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.network.model import NetworkFingerprint, Passed

if TYPE_CHECKING:
    import torch

MOST_HEADER = 100_000_000  # bytes; safetensors' own limit
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
        ValueError: it is no such file, damaged, contradicts itself, or holds more than tensors and plain data.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(9)
        file.seek(0)
        if len(start) == 9 and start[8:9] == b"{":
            return sum(_safetensors_sizes(file, path.stat().st_size))
    if start.startswith((b"PK\x03\x04", b"\x80")):
        return sum(_torch_sizes(path, zipped=start.startswith(b"PK")))
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
        if entry["dtype"].startswith(("F", "BF")) and not name.endswith(BUFFERS):
            yield size


def _product(shape: Any, name: str) -> int:
    if not isinstance(shape, list) or not all(isinstance(side, int) and side >= 0 for side in shape):
        raise ValueError(f"its tensor {name!r:.60} has no shape")
    return math.prod(shape)


def _torch_sizes(path: Path, zipped: bool) -> Iterator[int]:
    """By `torch.load`: a zip archive is mapped, its tensors stay unread; the format before torch 1.6 is read whole."""
    import torch

    try:
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError:
        raise ValueError("it is damaged, or holds more than tensors, which would have to be unpickled") from None
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "").split(". ")[0]
        raise ValueError(f"torch cannot load it ({type(error).__name__}: {reason})") from None
    seen: dict[int, torch.Tensor] = {}  # tied parameters are one
    for name, tensor in _state_dict(saved).items():
        if tensor.is_floating_point() and not name.endswith(BUFFERS) and tensor.data_ptr() not in seen:
            seen[tensor.data_ptr()] = tensor
            yield tensor.numel()
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in seen.values())
    if claimed > path.stat().st_size:
        raise ValueError(f"its tensors claim {claimed:,} bytes that are not there")


def _state_dict(saved: Any) -> dict[str, torch.Tensor]:
    """The tensors by name: of the file itself, or of the first of the usual keys that holds some."""
    import torch

    nested = [saved[key] for key in NESTED if key in saved] if isinstance(saved, dict) else []
    for found in (*nested, saved):
        if isinstance(found, dict):
            tensors = {str(name): value for name, value in found.items() if isinstance(value, torch.Tensor)}
            if tensors:
                return tensors
    raise ValueError("it holds no state dict")


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
