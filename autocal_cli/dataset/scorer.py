"""A trained network that scores images beside our metrics: the user's own file, TorchScript or ONNX.

It gets one image as float32 of shape (1, 3, height, width), RGB in 0..1, upright, reduced by area to a long side of at
most 512 pixels, any normalisation being its own; it returns one number, or a map whose mean counts. It is run on the
CPU, in this process: name only a file that you trust.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from autocal_cli.dataset.model import ModelFile
from autocal_cli.errors import AutocalError

MODEL_SIZE = 512  # long side; as large as a JPEG is decoded at least (`decode.DRAFT_SIZE`)
TRIED = (1, 3, 96, 128), (1, 3, 160, 96)  # two, so that a network of one size is told before the scan

Pixels = npt.NDArray[np.float32]


class Scorer:
    """`score` an image. Safe in threads: the network takes one at a time, and the cores that it wants."""

    def __init__(self, path: Path) -> None:
        """Loads the file. Raises AutocalError where it cannot be read, or does not take and return what it should."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise AutocalError(f"{path}: {error.strerror}.", fix="Correct --model FILE.") from error
        self.file = ModelFile(str(path), hashlib.sha256(content).hexdigest())
        self._run = _onnx(path) if path.suffix.lower() == ".onnx" else _torchscript(path)
        self._one_at_a_time = threading.Lock()
        for shape in TRIED:
            try:
                self._number(np.full(shape, 0.5, dtype=np.float32))
            except Exception as error:
                message = f"{path} cannot score an image of shape {shape}: {_first_line(error)}."
                raise AutocalError(message, fix="It has to take any size and return one number or one map.") from error

    def score(self, rgb: Image.Image) -> float:
        """The network's number for an upright RGB image. Raises ValueError for one that is not finite."""
        longest = max(rgb.size)
        if longest > MODEL_SIZE:
            width, height = (max(1, round(side * MODEL_SIZE / longest)) for side in rgb.size)
            rgb = rgb.resize((width, height), Image.Resampling.BOX)
        planes = np.asarray(rgb, dtype=np.float32).transpose(2, 0, 1)[None] / np.float32(255)
        return self._number(np.ascontiguousarray(planes))

    def _number(self, planes: Pixels) -> float:
        with self._one_at_a_time:
            returned = self._run(planes)
        first = returned[0] if isinstance(returned, (list, tuple)) else returned  # features may stand beside the score
        number = float(np.mean(np.asarray(first), dtype=np.float64))
        if not np.isfinite(number):
            raise ValueError(f"{Path(self.file.path).name} scores it as {number}")
        return number


def _torchscript(path: Path) -> Callable[[Pixels], Any]:
    import torch

    try:
        network = torch.jit.load(path, map_location="cpu").eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        fix = "Save the network by torch.jit.script(network).save(FILE), or name an .onnx file."
        raise AutocalError(f"{path} is no TorchScript file.", fix=fix) from error

    def run(planes: Pixels) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(planes))

    return run


def _onnx(path: Path) -> Callable[[Pixels], Any]:
    try:
        import onnxruntime
    except ImportError as error:
        message = f"{path} is an ONNX file, and the package that runs it is not installed."
        raise AutocalError(message, fix="pip install 'autocal-cli[onnx]'") from error
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class but this
        raise AutocalError(f"{path} cannot be loaded: {_first_line(error)}.") from error
    name = session.get_inputs()[0].name
    return lambda planes: session.run(None, {name: planes})


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
