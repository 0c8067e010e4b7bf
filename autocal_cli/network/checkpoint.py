"""What stands in a checkpoint, by name and shape: safetensors by its header, all else by torch.load, weights only."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.network.model import Builder, NetworkFingerprint, Passed

MOST_HEADER = 100_000_000  # bytes; safetensors' own limit
BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "attn_mask", "relative_position_index")
SAFETENSORS_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
}
NESTED = ("params_ema", "params", "params-ema", "state_dict", "model", "model_state_dict", "ema")


@dataclass(frozen=True, slots=True)
class Tensor:
    """`floating` tells parameters from counters; `shared` is the same for tensors that are one (tied parameters)."""

    shape: tuple[int, ...]
    floating: bool
    shared: int


States = dict[str, dict[str, Tensor]]


def checkpoint_parameters(path: Path) -> int:
    """The parameters in a .safetensors, .pth, .pt or .ckpt file; of several networks in it, the smoothed one (EMA).

    A checkpoint holds buffers beside parameters; the usual ones are told by type and name and left out.

    Raises:
        ValueError: it is no such file, damaged, contradicts itself, or holds more than tensors and plain data.
        OSError: it cannot be read.
    """
    states, _ = checkpoint_states(path)
    found = next((states[key] for key in (*NESTED, "") if key in states), None)
    if found is None:
        raise ValueError("it holds no state dict")
    counted = {
        tensor.shared: math.prod(tensor.shape)
        for name, tensor in reversed(found.items())  # of tied parameters the first counts
        if tensor.floating and not name.endswith(BUFFERS)
    }
    return sum(counted.values())


def checkpoint_states(path: Path) -> tuple[States, tuple[str, ...]]:
    """The tensors of each state dict, by the key under which it stands ("" where the file is one itself), and the keys
    of the top level. Raises as `checkpoint_parameters`."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(9)
        file.seek(0)
        if len(start) == 9 and start[8:9] == b"{":
            tensors = _read_safetensors(file, size)
            return {"": tensors}, tuple(tensors)
    if start.startswith((b"PK\x03\x04", b"\x80")):
        return _read_torch(path, size, zipped=start.startswith(b"PK"))
    raise ValueError("it is neither a safetensors file nor one of torch.save")


def _read_safetensors(file: BinaryIO, file_size: int) -> dict[str, Tensor]:
    """Format: eight bytes of length, then a header in JSON (the library's own documentation)."""
    length = int.from_bytes(file.read(8), "little")
    if length > min(MOST_HEADER, file_size - 8):
        raise ValueError(f"its header claims {length:,} bytes of {file_size:,}")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError):
        raise ValueError("its header is no JSON") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no mapping")
    header.pop("__metadata__", None)
    room, entries = file_size - 8 - length, enumerate(header.items())
    return {name: _described(name, entry, room, number) for number, (name, entry) in entries}


def _described(name: str, entry: Any, room: int, number: int) -> Tensor:
    """A tensor as the header describes it. Raises ValueError where that contradicts the `room` in bytes."""
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]} if (
            dtype in SAFETENSORS_BYTES and all(isinstance(side, int) and side >= 0 for side in shape)
        ):
            if begin < 0 or end > room or end - begin != math.prod(shape) * SAFETENSORS_BYTES[dtype]:
                raise ValueError(f"its tensor {name!r:.60} claims {math.prod(shape):,} values that are not there")
            return Tensor(tuple(shape), dtype.startswith(("F", "BF")), number)
    raise ValueError(f"its tensor {name!r:.60} is described by no type, shape and place that are known")


def _read_torch(path: Path, size: int, zipped: bool) -> tuple[States, tuple[str, ...]]:
    """A zip archive is mapped into memory, and its tensors stay unread; the format before torch 1.6 is read whole.

    On the meta device tied parameters would no longer share a storage, and would count twice.
    """
    import torch

    try:
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError:
        raise ValueError("it is damaged, or holds more than tensors, which would have to be unpickled") from None
    except OSError:
        raise
    except Exception as error:  # whatever a damaged file makes of torch's reader
        reason = next(iter(str(error).splitlines()), "").split(". ")[0]
        raise ValueError(f"torch cannot load it ({type(error).__name__}: {reason})") from None
    if not isinstance(saved, dict):
        raise ValueError("it holds no mapping")
    states: States = {}
    storages: dict[int, int] = {}
    for key, state in {"": saved, **{str(key): value for key, value in saved.items()}}.items():
        for name, value in state.items() if isinstance(state, dict) else ():
            if isinstance(value, torch.Tensor):
                storages[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
                tensor = Tensor(tuple(value.shape), value.is_floating_point(), value.data_ptr())
                states.setdefault(key, {})[str(name)] = tensor
    if sum(storages.values()) > size:
        raise ValueError(f"its tensors claim {sum(storages.values()):,} bytes that are not there")
    return states, tuple(str(key) for key in saved)


class Checkpoint(Builder):
    """The builder that builds nothing, asked last: a checkpoint tells a network's parameters, whatever its type.

    `required`: the user named it, so that one that cannot be read is an error.
    """

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
        source = f"its parameters are those of the checkpoint {self._path}, and its MACs are not known."
        message = f"{network.type} was not built: {source}"
        finding = Finding("network-from-checkpoint", "info", message, None, network.place)
        return NetworkFingerprint(
            network.type, scale=scale, parameters=parameters, builder=self.name, findings=(finding,)
        )
