"""The number of parameters in a checkpoint, from its header alone: nothing is unpickled, no tensor is read.

A checkpoint holds buffers beside parameters; the usual ones are told by type and name and left out.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from autocal_cli.network.pickle_reading import Called, Named, Persistent, read_pickle

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
