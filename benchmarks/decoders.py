"""How fast the decoders that are installed here decode the images of a folder, in one thread.

    python benchmarks/decoders.py FOLDER [--images 24] [--runs 5]

For each kind of file: CPU time of an image by Pillow, OpenCV, libvips, simplejpeg and imagecodecs, alone (to an array)
and as the scan needs it (to an image of Pillow, which then reduces it), and how many times as fast as Pillow that is.
CPU time counts the threads of a library too. Says where the pixels differ from Pillow's.
"""

from __future__ import annotations

import argparse
import importlib
import io
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image

from autocal_cli.dataset.listing import list_images

Decoder = Callable[[bytes], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--images", type=int, default=24, help="how many of each kind")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    contents: dict[str, list[bytes]] = defaultdict(list)
    for file in list_images([arguments.folder]).files:
        if len(contents[file.path.suffix]) < arguments.images:
            contents[file.path.suffix].append(file.path.read_bytes())
    for ending, data in sorted(contents.items()):
        compare(ending, data, arguments.runs)


def compare(ending: str, contents: list[bytes], runs: int) -> None:
    expected = [by_pillow(data) for data in contents]
    megapixels = sum(image.shape[0] * image.shape[1] for image in expected) / 1e6
    acts: dict[str, Callable[[bytes], object]] = {}
    for name, decoder in installed_decoders(ending).items():
        acts[name] = decoder
        acts[f"{name} to Pillow"] = partial(to_pillow, decoder)
    acts["Pillow to Pillow"] = lambda data: opened(data).load()  # without the way to an array and back
    seconds = in_turns(acts, contents, runs)
    print(f"{ending}: {len(contents)} images of {megapixels / len(contents):.2f} MP")
    for name, decoder in installed_decoders(ending).items():
        alone, copied = (statistics.median(seconds[key]) for key in (name, f"{name} to Pillow"))
        equal = all(np.array_equal(decoder(data), pixels) for data, pixels in zip(contents, expected, strict=True))
        said = "the same pixels" if equal else "other pixels"
        print(
            f"  {name:12} {1000 * alone / len(contents):7.2f} ms, {megapixels / alone:4.0f} MP/s,"
            f" {statistics.median(seconds['Pillow']) / alone:.2f} x Pillow; to an image of Pillow"
            f" {1000 * copied / len(contents):7.2f} ms,"
            f" {statistics.median(seconds['Pillow to Pillow']) / copied:.2f} x; {said}"
        )


def in_turns(acts: dict[str, Callable[[bytes], object]], contents: list[bytes], runs: int) -> dict[str, list[float]]:
    """CPU seconds of each act over all contents, a run after the other."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(runs):
        for name, act in acts.items():
            started = time.process_time()
            for data in contents:
                act(data)
            seconds[name].append(time.process_time() - started)
    return seconds


def installed_decoders(ending: str) -> dict[str, Decoder]:
    """Those that read files of this ending, to uint8 RGB (H, W, 3), by name; Pillow is always there."""
    kind = ending.lower().replace("jpeg", "jpg")
    decoders: dict[str, Decoder] = {"Pillow": by_pillow}
    if (cv2 := installed("cv2")) is not None:
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        decoders["OpenCV"] = lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if (pyvips := installed("pyvips")) is not None:
        decoders["libvips"] = lambda data: pyvips.Image.new_from_buffer(data, "", access="sequential").numpy()
    if kind == ".jpg" and (simplejpeg := installed("simplejpeg")) is not None:
        decoders["simplejpeg"] = simplejpeg.decode_jpeg
    names = {".png": "spng_decode", ".webp": "webp_decode", ".jpg": "jpeg8_decode"}
    if kind in names and (imagecodecs := installed("imagecodecs")) is not None:
        decoders["imagecodecs"] = getattr(imagecodecs, names[kind])
    return decoders


def installed(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def by_pillow(data: bytes) -> np.ndarray:
    return np.asarray(opened(data).convert("RGB"))


def to_pillow(decoder: Decoder, data: bytes) -> Image.Image:
    pixels = decoder(data)
    return Image.frombuffer("RGB", pixels.shape[1::-1], pixels, "raw", "RGB", 0, 1)


if __name__ == "__main__":
    main()
